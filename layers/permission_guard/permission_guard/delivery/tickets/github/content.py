"""A finding as a GitHub issue.

The body begins with a marker that GitHub does not show: the finding's id, and the mark of the bot's last write.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from permission_guard.delivery.formats.markdown import escape, markdown
from permission_guard.delivery.text import one_line
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.summary import Summary, message_of
from permission_guard.delivery.tickets.titles import title_with_severity
from permission_guard.errors import UNREADABLE
from permission_guard.model import limits
from permission_guard.model.findings import Finding

if TYPE_CHECKING:
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

LABEL = "permission-guard"
SUMMARY_LABEL = "permission-guard-summary"
TEST_LABEL = "permission-guard-test"

_MARKER = re.compile(r"<!-- permission-guard (\{[^\n]*?\}) -->")


def title(about: Ticketed) -> str:
    """Return the title of a finding's issue."""
    return title_with_severity(about, limits.GITHUB_TITLE_CHARACTERS)


def labels(about: Ticketed) -> list[str]:
    """Return the labels of an issue: the bot's, and one to find it by: the function, the role, summaries or tests."""
    if isinstance(about, Finding):
        return [LABEL, function_label(about)]
    return [LABEL, SUMMARY_LABEL if isinstance(about, Summary) else TEST_LABEL]


def function_label(finding: Finding) -> str:
    """Return the label for the function or the role that a finding is about. A long name ends with its hash."""
    name = finding.function_arn.partition(":function:")[2] or finding.target_arn.rpartition("/")[2]
    label = one_line(name.replace(",", "_"), len(name)) or "unnamed"
    if len(label) <= limits.GITHUB_LABEL_CHARACTERS:
        return label
    digest = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{label[: limits.GITHUB_LABEL_CHARACTERS - len(digest) - 1]}-{digest}"


def body(about: Ticketed, mark: Mark) -> str:
    """Return the body of a finding's issue: the marker and Markdown within the size limit."""
    message, marker = message_of(about), f"{_marker(about, mark)}\n\n"
    rest = f"The rest does not fit into an issue. {escape(message.rest)}"
    return marker + markdown(message, limits.GITHUB_BODY_CHARACTERS - len(marker.encode()), rest=rest)


def marked(text: str, about: Ticketed) -> Mark | None:
    """Return the mark in the body of an issue, None if it is not the issue of this finding.

    The first marker counts: the bot writes it before everything that comes from AWS.
    """
    values = _values(text)
    return Mark.read(values) if values.get("finding") == about.id else None


def has_marker(text: str) -> bool:
    """Return whether the body of an issue says which finding it is about. A person may have written another body."""
    return "finding" in _values(text)


def _values(text: str) -> dict[str, JSON]:
    """Return what the first marker has, empty without one that can be read."""
    found = _MARKER.search(text)
    try:
        values = json.loads(found[1]) if found else None
    except UNREADABLE:
        return {}
    return values if isinstance(values, dict) else {}


def _marker(about: Ticketed, mark: Mark) -> str:
    values = json.dumps({"finding": about.id, **mark.values()})
    return f"<!-- permission-guard {values.replace('--', '-')} -->"
