"""What exceeds the limits of ticket systems outside OpsCenter: what is sent at the limit and beyond it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.github import content as github
from permission_guard.delivery.tickets.jira import content as jira
from permission_guard.delivery.tickets.security_hub import content as security_hub
from permission_guard.delivery.tickets.servicenow import content as servicenow
from permission_guard.model import limits
from permission_guard.model.verdicts import Remedy
from tests.fakes import FUNCTION_ARN, ROLE_ARN, a_finding
from tests.unit.model.filled import Sent, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.findings import Finding

LONG_COMMANDS = 18_000


def line(
    name: str, of: Callable[[int], Finding], shown: Callable[[Finding], str], begins: str
) -> Callable[[int], Sent]:
    """Return what sends one line that grows with a finding: it is cut, and ends with an ellipsis."""

    def sent(extra: int) -> Sent:
        finding = filled(of, lambda one: len(shown(one)), getattr(limits, name) + extra)
        text = shown(finding)
        return Sent([len(text)], text.startswith(begins), text.endswith("…"))

    return sent


def titled(count: int) -> Finding:
    """Return a finding with a title."""
    return a_finding(title="t" * count + "!")


def document(finding: Finding) -> dict[str, Any]:
    """Return a finding in the format of Security Hub."""
    return security_hub.document(finding, Mark.of(finding), datetime(2026, 12, 1, tzinfo=UTC))


def resources(extra: int) -> Sent:
    """Import a finding about a role that many functions use. The facts say how many there are."""
    count = limits.ASFF_RESOURCES - 1 + extra
    arns = tuple(f"{FUNCTION_ARN}-{number}" for number in range(count))
    finding = a_finding(function_arn="", role_arn=ROLE_ARN, functions=arns, function_count=count)
    found = document(finding)
    shown = [one["Id"] for one in found["Resources"]]
    is_complete = [ROLE_ARN, *arns][: len(shown)] == shown and f"{count - 10} more" in found["ProductFields"][
        "Functions"
    ]
    return Sent([len(shown)], is_complete, len(shown) < count + 1)


def remediation(extra: int) -> Sent:
    """Import a finding with a long remedy: the command that shows it is there instead."""
    remedy = Remedy("aws-cli", "x" * (limits.ASFF_REMEDIATION_CHARACTERS + extra))
    finding = a_finding(remedies=(remedy,))
    text = document(finding)["Remediation"]["Recommendation"]["Text"]
    notice = text == f"Run: permission-guard findings show {finding.id}"
    return Sent([len(text)], notice or text == remedy.text, notice)


def note(extra: int) -> Sent:
    """Write a note."""
    text = security_hub.note("x" * (limits.ASFF_NOTE_CHARACTERS + extra))
    return Sent([len(text)], text.startswith("xxx"), text.endswith("…"))


def product_field(_extra: int) -> Sent:
    """Import a finding whose caller, tool and address are as long as a fact shows them."""
    finding = a_finding(changed_by="b" * 5_000, changed_with="w" * 5_000, changed_from="f" * 5_000)
    fields = document(finding)["ProductFields"]
    return Sent([len(value) for value in fields.values()], "b with w" in fields["Changed by"].replace("…", ""))


def label(extra: int) -> Sent:
    """Label the issue of a function. A label that is too long ends with a hash."""
    name = "f" * (limits.GITHUB_LABEL_CHARACTERS + extra)
    prefix, _, _ = FUNCTION_ARN.rpartition(":")
    text = github.function_label(a_finding(function_arn=f"{prefix}:{name}"))
    notice = bool(re.fullmatch(r"f{41}-[0-9a-f]{8}", text))
    return Sent([len(text)], notice or text == name, notice)


def remedies(sizes: list[int], last: int) -> Finding:
    """Return a finding with long remedies, and one that grows."""
    commands = [Remedy("aws-cli", f"aws {number} " + "x" * size) for number, size in enumerate(sizes)]
    return a_finding(remedies=(*commands, Remedy("sam", "y" * (last + 1))))


def text_of(
    name: str, sizes: list[int], shown: Callable[[Finding], str], notice: str, *, reserve: int = 0
) -> Callable[[int], Sent]:
    """Return what sends a text with remedies: each is whole or omitted, and the finding's id is there."""

    def sent(extra: int) -> Sent:
        limit = getattr(limits, name) - reserve
        finding = filled(
            lambda count: remedies(sizes, count), lambda one: len(shown(one)), limit + extra * (reserve + 1)
        )
        text = shown(finding)
        is_shortened = notice in text
        is_whole = all(one.text in text or (is_shortened and one.text[:10] not in text) for one in finding.remedies)
        return Sent([len(text)], is_whole and finding.remedies[0].text in text and finding.id in text, is_shortened)

    return sent


def body(finding: Finding) -> str:
    """Return the body of a finding's issue in GitHub."""
    return github.body(finding, Mark.of(finding))


def description(finding: Finding) -> str:
    """Return the description of a finding's issue in Jira."""
    return json.dumps(jira.description(finding))


def incident(finding: Finding) -> dict[str, Any]:
    """Return the fields of a finding's incident in ServiceNow."""
    return servicenow.incident(finding, Mark.of(finding))


SHORTENED_TICKETS: Mapping[str, Callable[[int], Sent]] = {
    "ASFF_TITLE_CHARACTERS": line(
        "ASFF_TITLE_CHARACTERS", titled, lambda one: str(document(one)["Title"]), "PG201: ttt"
    ),
    "ASFF_DESCRIPTION_CHARACTERS": line(
        "ASFF_DESCRIPTION_CHARACTERS",
        lambda count: a_finding(reason="r" * count + "!"),
        lambda one: str(document(one)["Description"]),
        "A problem was found. rrr",
    ),
    "ASFF_RESOURCES": resources,
    "ASFF_RESOURCE_CHARACTERS": line(
        "ASFF_RESOURCE_CHARACTERS",
        lambda count: a_finding(function_arn=f"{FUNCTION_ARN}{'f' * count}"),
        lambda one: str(document(one)["Resources"][0]["Id"]),
        FUNCTION_ARN,
    ),
    "ASFF_REMEDIATION_CHARACTERS": remediation,
    "ASFF_NOTE_CHARACTERS": note,
    "GITHUB_TITLE_CHARACTERS": line("GITHUB_TITLE_CHARACTERS", titled, github.title, "[HIGH] PG201: ttt"),
    "GITHUB_BODY_CHARACTERS": text_of(
        "GITHUB_BODY_CHARACTERS", [LONG_COMMANDS] * 3, body, "The rest does not fit into an issue."
    ),
    "GITHUB_LABEL_CHARACTERS": label,
    "JIRA_SUMMARY_CHARACTERS": line("JIRA_SUMMARY_CHARACTERS", titled, jira.summary, "[HIGH] PG201: ttt"),
    "JIRA_TEXT_CHARACTERS": text_of(
        "JIRA_TEXT_CHARACTERS", [LONG_COMMANDS], description, "The rest does not fit into an issue.", reserve=400
    ),
    "SERVICENOW_SHORT_DESCRIPTION_CHARACTERS": line(
        "SERVICENOW_SHORT_DESCRIPTION_CHARACTERS",
        titled,
        lambda one: str(incident(one)["short_description"]),
        "PG201: ttt",
    ),
    "SERVICENOW_TEXT_CHARACTERS": text_of(
        "SERVICENOW_TEXT_CHARACTERS",
        [1_000],
        lambda one: str(incident(one)["description"]),
        "Omitted because of the size limit: ",
    ),
}
"""By limit: sends what has its size and some characters or resources more."""
