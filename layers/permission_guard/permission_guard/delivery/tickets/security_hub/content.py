"""A finding in the AWS Security Finding Format (ASFF).

A finding provider does not write the fields with which people investigate: `Workflow`, `Note`, `Severity` at the top.
https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from permission_guard.delivery.formats.plain import fact_text
from permission_guard.delivery.text import cut, listing, one_line, parsed_time
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.summary import Summary, message_of
from permission_guard.delivery.tickets.titles import title
from permission_guard.model import limits
from permission_guard.model.findings import Finding, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from permission_guard.delivery.message import Message
    from permission_guard.delivery.tickets.sample import TicketSample
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

_PREFIX = "permission-guard"
_TYPE = "Software and Configuration Checks/AWS Security Best Practices"
_ACTIVE, _ARCHIVED = "ACTIVE", "ARCHIVED"
_CLOSED_BY_PEOPLE = frozenset({"RESOLVED", "SUPPRESSED"})


def finding_id(about: Ticketed) -> str:
    """Return the id of a finding in Security Hub. Importing it again updates it."""
    return f"{_PREFIX}/{about.id}"


def product_arn(about: Ticketed) -> str:
    """Return the ARN of the product for findings of an account itself."""
    where = f"{about.partition}:securityhub:{about.region}:{about.account}"
    return f"arn:{where}:product/{about.account}/default"


def document(about: Ticketed, mark: Mark, now: datetime) -> dict[str, JSON]:
    """Return a finding as a document to import. Security Hub ignores an older one than it has: `now` is its time."""
    message = message_of(about)
    return {
        "SchemaVersion": "2018-10-08",
        "Id": finding_id(about),
        "ProductArn": product_arn(about),
        "AwsAccountId": about.account,
        "Region": about.region,
        "UpdatedAt": _time(now.isoformat()),
        "Title": title(about, limits.ASFF_TITLE_CHARACTERS),
        "FindingProviderFields": {"Severity": {"Label": about.severity.upper()}, "Types": [_TYPE]},
        "ProductFields": dict(_fields(about, message, mark)),
        "RecordState": _ACTIVE if about.status is Status.OPEN else _ARCHIVED,
        **(_of_finding(about, message) if isinstance(about, Finding) else _of_another(about, message)),
    }


def _of_finding(finding: Finding, message: Message) -> dict[str, JSON]:
    reason = finding.resolution or finding.reason
    return {
        "GeneratorId": f"{_PREFIX}/{finding.rule_id}",
        "CreatedAt": _time(finding.first_seen or finding.opened_at),
        "FirstObservedAt": _time(finding.first_seen or finding.opened_at),
        "LastObservedAt": _time(finding.last_seen or finding.changed_at),
        "Description": one_line(f"{message.happened} {reason}", limits.ASFF_DESCRIPTION_CHARACTERS),
        "Remediation": {"Recommendation": {"Text": _remedy(finding)}},
        "Resources": list(_resources(finding)),
    }


def _of_another(about: Summary | TicketSample, message: Message) -> dict[str, JSON]:
    listed = " ".join(section.text for section in message.sections[1:])
    account = f"AWS::::Account:{about.account}"
    return {
        # What people do with a test is no event for the bot: the rule's prefix ends with the slash.
        "GeneratorId": f"{_PREFIX}/summary" if isinstance(about, Summary) else f"{_PREFIX}-test",
        "CreatedAt": _time(about.opened_at),
        "FirstObservedAt": _time(about.opened_at),
        "LastObservedAt": _time(about.opened_at),
        "Description": one_line(f"{message.happened} {listed}", limits.ASFF_DESCRIPTION_CHARACTERS),
        "Remediation": {"Recommendation": {"Text": message.rest or message.happened}},
        "Resources": [{"Type": "AwsAccount", "Id": account, "Partition": about.partition, "Region": about.region}],
    }


def is_closed(document: Mapping[str, JSON]) -> bool:
    """Return whether a finding of Security Hub is archived, or a person resolved or suppressed it."""
    status = (document.get("Workflow") or {}).get("Status")
    return document.get("RecordState") == _ARCHIVED or status in _CLOSED_BY_PEOPLE


def is_older(document: Mapping[str, JSON], age: timedelta, now: datetime) -> bool:
    """Return whether a finding of Security Hub was not updated for longer; false if the time cannot be read."""
    updated = parsed_time(str(document.get("UpdatedAt", "")))
    return updated is not None and now - updated > age


def marked(document: Mapping[str, JSON], about: Ticketed) -> Mark | None:
    """Return the mark in a finding of Security Hub, None if it is not this finding."""
    fields = document.get("ProductFields") or {}
    if document.get("Id") != finding_id(about) or fields.get(f"{_PREFIX}/finding") != about.id:
        return None
    return Mark.read({name: fields.get(f"{_PREFIX}/{name}", "") for name in Mark().values()})


def note(text: str) -> str:
    """Return the text of a note."""
    return one_line(text, limits.ASFF_NOTE_CHARACTERS)


def _remedy(finding: Finding) -> str:
    """Return the first remedy if it fits whole, else the command that shows all: half a command does something else."""
    texts = [listing(remedy.text).strip() for remedy in finding.remedies]
    fits = bool(texts) and 0 < len(texts[0]) <= limits.ASFF_REMEDIATION_CHARACTERS
    return texts[0] if fits else f"Run: permission-guard findings show {finding.id}"


def _fields(about: Ticketed, message: Message, mark: Mark) -> Iterator[tuple[str, str]]:
    """Yield the product's own fields: the finding's id, the mark, and the facts of the message."""
    yield f"{_PREFIX}/finding", about.id
    for name, value in mark.values().items():
        yield f"{_PREFIX}/{name}", value
    for fact in (*message.facts, *message.references):
        if fact.is_visible:  # Security Hub refuses a value without a visible character
            yield fact.label, cut(fact_text(fact), limits.ASFF_FIELD_CHARACTERS)


def _resources(finding: Finding) -> Iterator[dict[str, JSON]]:
    """Yield the function or the role that the finding is about, and the functions that use the role."""
    kind = "AwsIamRole" if finding.role_arn else "AwsLambdaFunction"
    arns = [(kind, finding.target_arn), *(("AwsLambdaFunction", arn) for arn in finding.functions)]
    for kind, arn in arns[: limits.ASFF_RESOURCES]:
        shown = one_line(arn, limits.ASFF_RESOURCE_CHARACTERS) or "unknown"
        yield {"Type": kind, "Id": shown, "Partition": finding.partition, "Region": finding.region}


def _time(text: str) -> str:
    """Return a time as Security Hub wants it: in UTC, with milliseconds and `Z`."""
    time = datetime.fromisoformat(text)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
