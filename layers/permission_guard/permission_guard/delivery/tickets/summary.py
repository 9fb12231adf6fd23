"""The summary: one ticket about the findings that wait for a ticket of their own, because a limit is reached. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.message import Fact, Message, Section, SectionStyle
from permission_guard.delivery.states import needs_attention
from permission_guard.delivery.text import cut, one_line
from permission_guard.delivery.tickets.sample import TicketSample, compose_sample
from permission_guard.model.findings import Finding, Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_SHOWN: Final = 1_000
"""How many findings a summary counts and lists at most."""

_TITLE: Final = 200
_NAME: Final = 200
_LINE: Final = 300
_LISTING: Final = 15_000
_COMMAND: Final = "permission-guard findings list"
_SEVERITIES: Final = tuple(reversed(Severity))


class WaitingEnd(StrEnum):
    """Why a finding no longer waits for a ticket."""

    TICKET = "has a ticket of its own"
    RESOLVED = "is resolved"
    SUPPRESSED = "is suppressed"
    WITHHELD = "needs no ticket here"


@record(kw_only=True)
class WaitingForTicket:
    """A finding that waits for a ticket of its own, or waited for one.

    `target_arn` is its function or role. `changed_at` is when it began to wait, or ended: ISO-8601 in UTC.
    """

    finding_id: str
    rule_id: str
    severity: Severity
    account: str
    region: str
    target_arn: str
    title: str
    changed_at: str
    end: WaitingEnd | None = None

    @classmethod
    def of(cls, finding: Finding, now: datetime) -> Self:
        """Return a finding that begins to wait."""
        return cls(
            finding_id=finding.id,
            rule_id=finding.rule_id,
            severity=finding.severity,
            account=finding.account,
            region=finding.region,
            target_arn=one_line(finding.target_arn, _NAME),
            title=one_line(finding.title, _NAME),
            changed_at=now.astimezone(UTC).isoformat(timespec="milliseconds"),
        )


@record(kw_only=True)
class Summary:
    """What a summary says about one ticket system.

    `revision` is the time of the last change in milliseconds: the same findings have the same revision. `findings` has
    at least one, those that wait first. `more` says that others wait, too.
    """

    id: str
    revision: int
    opened_at: str
    findings: tuple[WaitingForTicket, ...]
    more: bool = False

    @classmethod
    def of(cls, channel: str, findings: Sequence[WaitingForTicket]) -> Self:
        """Return the summary of a ticket system. `channel` is its name in the delivery ledger."""
        changed_at = max(one.changed_at for one in findings)
        waiting = [one for one in findings if one.end is None]
        ended = sorted((one for one in findings if one.end is not None), key=lambda one: one.changed_at, reverse=True)
        place = findings[0].account, findings[0].region  # those of the stack
        return cls(
            id=hashlib.sha256("\n".join(("summary", *place, channel)).encode()).hexdigest()[:32],
            revision=int(datetime.fromisoformat(changed_at).timestamp() * 1000),
            opened_at=changed_at,
            findings=tuple([*waiting, *ended][:MOST_SHOWN]),
            more=len(waiting) > MOST_SHOWN,
        )

    def not_before(self, revision: int) -> Self:
        """Return the summary with a revision that was written, if its own is an earlier one.

        What ended is not shown for ever. If the last change was the end of such a finding, the one before is the last.
        """
        if self.revision >= revision:
            return self
        changed_at = datetime.fromtimestamp(revision / 1000, UTC).isoformat(timespec="milliseconds")
        return replace(self, revision=revision, opened_at=changed_at)

    @property
    def account(self) -> str:
        """The account of the stack, whose findings these are."""
        return self.findings[0].account

    @property
    def region(self) -> str:
        """The region of the stack."""
        return self.findings[0].region

    @property
    def partition(self) -> str:
        """The partition of the stack, such as `aws`."""
        return self.findings[0].target_arn.split(":")[1]

    @property
    def waiting(self) -> tuple[WaitingForTicket, ...]:
        """The findings that wait."""
        return tuple(one for one in self.findings if one.end is None)

    @property
    def status(self) -> Status:
        """It is open while a finding waits."""
        return Status.OPEN if self.waiting else Status.RESOLVED

    @property
    def severity(self) -> Severity:
        """The worst one of those that wait."""
        return next((one for one in _SEVERITIES if any(other.severity is one for other in self.waiting)), Severity.LOW)

    @property
    def title(self) -> str:
        """What is wrong."""
        count = len(self.waiting)
        if not count:
            return "No finding waits for a ticket of its own"
        what = "1 finding has no ticket of its own" if count == 1 else f"{count:,} findings have no ticket of their own"
        return f"{'More than ' if self.more else ''}{what}: a limit is reached"


Ticketed: TypeAlias = Finding | Summary | TicketSample
"""What a ticket is about."""


def message_of(about: Ticketed) -> Message:
    """Return the message about a finding, about those that wait, or the text of a test ticket."""
    if isinstance(about, TicketSample):
        return compose_sample(about)
    return compose(about) if isinstance(about, Finding) else _compose(about)


def is_urgent(about: Ticketed) -> bool:
    """Return whether somebody has to act, so that the severity is shown."""
    if isinstance(about, TicketSample):
        return False
    return needs_attention(about) if isinstance(about, Finding) else about.status is Status.OPEN


def _compose(summary: Summary) -> Message:
    """Return the message about the findings that wait. Their names come from others: lines show what is visible."""
    account, region = (one_line(name, _NAME) for name in (summary.account, summary.region))
    is_open = summary.status is Status.OPEN
    happened = (
        "A limit of the ticket system, or tickets.limit in guard.yaml, is reached. The bot opens the tickets of these "
        "findings once there is room, and then closes this one."
        if is_open
        else "Each finding that waited has a ticket of its own now, or needs none."
    )
    return Message(
        key=f"{summary.id}-{summary.revision}",
        group=summary.id,
        attributes={},
        title=one_line(summary.title, _TITLE),
        happened=happened,
        severity=summary.severity if is_open else None,
        facts=(Fact("Account", (f"{account}, {region}",)),),
        sections=(Section("See all open findings", _COMMAND, SectionStyle.COMMAND), *_sections(summary)),
        references=(Fact("Summary id", (summary.id,)),),
        rest=f"See {_COMMAND}.",
    )


def _sections(summary: Summary) -> Iterator[Section]:
    """Yield the findings that wait by severity, rule and account, the worst first, then those that do not any more."""
    for severity in _SEVERITIES:
        found = [one for one in summary.waiting if one.severity is severity]
        if found:
            yield _listing(
                f"{severity.capitalize()}: {len(found):,}", [_line(one) for one in sorted(found, key=_order)]
            )
    ended = sorted((one for one in summary.findings if one.end is not None), key=_order)
    if ended:
        yield _listing(f"No longer waiting: {len(ended):,}", [f"{_line(one)} {one.end}" for one in ended])


def _listing(title: str, lines: Sequence[str]) -> Section:
    return Section(title, cut("\n".join(lines), _LISTING), SectionStyle.LISTING)


def _order(one: WaitingForTicket) -> tuple[str, str, str]:
    return one.rule_id, one.account, one.target_arn


def _line(one: WaitingForTicket) -> str:
    return one_line(f"{one.rule_id} {one.account} {one.finding_id} {one.title}", _LINE)
