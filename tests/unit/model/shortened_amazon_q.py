"""What exceeds the limits of Amazon Q's custom notifications is shortened, and says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from permission_guard.delivery.alerts.amazon_q.message import notification
from permission_guard.delivery.finding_messages import compose
from permission_guard.model import limits
from permission_guard.model.verdicts import Remedy
from tests.fakes import a_finding
from tests.unit.model.filled import Sent, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.findings import Finding


def _content(finding: Finding) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(notification(compose(finding), finding.id))["content"]
    return content


def title(extra: int) -> Sent:
    """Notify about a finding with a long title."""
    finding = filled(
        lambda count: a_finding(title="t" * count + "!"),
        lambda one: len(compose(one).headline),
        limits.AMAZON_Q_TITLE_CHARACTERS + extra,
    )
    content = _content(finding)
    return Sent([len(content["title"])], "Opened: ttt" in content["title"], content["title"].endswith("t…"))


def description(extra: int) -> Sent:
    """Notify about a finding with a long remedy: the evidence, which comes last, does not fit."""
    finding = filled(
        lambda count: a_finding(remedies=(Remedy("aws-cli", "x" * (count + 1)),)),
        lambda one: len(_content(one)["description"]),
        limits.AMAZON_Q_DESCRIPTION_CHARACTERS + extra,
    )
    text = _content(finding)["description"]
    is_complete = finding.id in text and finding.reason in text and finding.remedies[0].text in text
    return Sent([len(text)], is_complete, "*Evidence*" not in text and "More: See" in text)


SHORTENED_AMAZON_Q: Mapping[str, Callable[[int], Sent]] = {
    "AMAZON_Q_TITLE_CHARACTERS": title,
    "AMAZON_Q_DESCRIPTION_CHARACTERS": description,
}
"""By limit, as in `shortened.py`."""
