"""Ticket systems: one ticket for each finding, opened, updated, closed and reopened along with it.

To add a system, add a formatter (pure), a class with the methods of `TicketSystem`, and a line in `TICKET_SYSTEMS`.

Each ticket has the id of its finding, and a mark: what the finding was at the bot's last write. A ticket is searched by
that id before another one is opened, so neither a lost table nor a second run makes a duplicate. The mark shows whether
the bot or a person closed the ticket.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, Self

from permission_guard.delivery.announcements import instead_of_ticket, no_baseline
from permission_guard.delivery.ledger import DeliveryResult, deliver
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.announcements import ReadBaseline
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

CLOSED_TOO_EARLY = (
    "This ticket was closed, but the problem still exists. The ticket stays closed until the problem is resolved and "
    "comes back. To accept the problem, suppress the finding: permission-guard findings suppress"
)
"""The one comment on a ticket that a person closed while its finding is open."""

# A person can write anything into a ticket.
_REVISION = re.compile(r"\d{1,18}", re.ASCII)


@record(kw_only=True)
class Mark:
    """What a ticket has about its finding at the bot's last write.

    `has_comment` is true after the comment on a ticket that a person closed. It is false again once the ticket is open.
    """

    revision: int = 0
    opened_at: str = ""
    status: Status = Status.OPEN
    has_comment: bool = False

    @classmethod
    def of(cls, finding: Finding, *, has_comment: bool = False) -> Self:
        """Return the mark to write with a finding."""
        return cls(
            revision=finding.revision,
            opened_at=finding.opened_at,
            status=finding.status,
            has_comment=has_comment,
        )

    @classmethod
    def read(cls, values: Mapping[str, JSON]) -> Self:
        """Return the mark in a ticket. What a person made invalid counts as missing."""
        revision, status = str(values.get("revision", "")), str(values.get("status", ""))
        return cls(
            revision=int(revision) if _REVISION.fullmatch(revision) else 0,
            opened_at=str(values.get("opened_at", "")),
            status=Status(status) if status in set(Status) else Status.OPEN,
            has_comment=str(values.get("has_comment", "")).lower() == "true",
        )

    def values(self) -> dict[str, str]:
        """Return the mark as texts, for `read`."""
        return {
            "revision": str(self.revision),
            "opened_at": self.opened_at,
            "status": str(self.status),
            "has_comment": str(self.has_comment).lower(),
        }

    def is_newer_than(self, finding: Finding) -> bool:
        """Return whether the ticket shows a newer revision of the finding than this one.

        Revisions start at one again when the findings table was recreated; then the later `opened_at` is the newer one.
        """
        return self.revision > finding.revision and self.opened_at >= finding.opened_at


@record(kw_only=True)
class Ticket:
    """A ticket of a finding, as it is now. `data` is what its system needs to write it again."""

    reference: str
    is_closed: bool
    mark: Mark
    data: Mapping[str, str] = field(default_factory=dict)


class TicketSystem(Protocol):
    """A system that stores tickets.

    Every method raises DeliveryError when a call to the system failed, and DeliveryLimitError when a limit is reached
    that lasts longer than the queue's retries. Each write leaves the finding's text and mark in the ticket.
    """

    @property
    def name(self) -> str:
        """The system's name in the delivery ledger and in the TicketSystem parameter."""

    def begin(self) -> None:
        """Begin a delivery. The calls until the next one share a time limit, so that the function does not time out."""

    def read(self, reference: str, finding: Finding) -> Ticket | None:
        """Return the ticket with this reference, None if it was deleted or is not about this finding."""

    def find(self, finding: Finding) -> Ticket | None:
        """Return the ticket that has this finding's id, None without one; of several, an open one and the newest."""

    def open(self, finding: Finding) -> str:
        """Open a ticket and return its reference."""

    def update(self, ticket: Ticket, finding: Finding) -> None:
        """Write the finding into its ticket, which stays open or closed."""

    def resolve(self, ticket: Ticket, finding: Finding) -> None:
        """Write the finding into its ticket, and close it if it is open."""

    def reopen(self, ticket: Ticket, finding: Finding) -> None:
        """Write the finding into its ticket, and open it again."""

    def comment(self, ticket: Ticket, finding: Finding, text: str) -> None:
        """Add a comment to a closed ticket, and record in the ticket that it has one."""


def update_ticket(
    finding: Finding,
    current: Current,
    system: TicketSystem,
    ledger: DeliveryLedger,
    *,
    min_severity: Severity = Severity.LOW,
    baseline: ReadBaseline = no_baseline,
) -> tuple[DeliveryResult]:
    """Update the ticket of a finding, once for each revision; a revision older than the last changes nothing.

    `current` reads the finding as it is now. Below the severity threshold no ticket is opened, but one that exists is
    updated and closed. Neither is one opened for what the digest of the first sweep reports.
    """
    result = deliver(
        ledger,
        f"ticket:{system.name}",
        finding,
        lambda finding, reference: follow(system, finding, reference),
        current=current,
        is_withheld=lambda one, reference: (
            reference is None and one.status is Status.OPEN and one.severity.is_below(min_severity)
        ),
        instead=lambda one, reference: instead_of_ticket(one, reference, baseline),
    )
    return (result,)


def follow(system: TicketSystem, finding: Finding, reference: str | None) -> str | None:
    """Bring the ticket of a finding up to date, and return its reference, None if there is no ticket.

    The status decides, not the transition: if an event was skipped, the next one corrects the ticket. A ticket that a
    person closed while the finding is open gets one comment and stays closed until the finding reopens.
    """
    system.begin()
    ticket = ticket_of(system, finding, reference)
    if ticket is None:
        return system.open(finding) if finding.status is Status.OPEN else None
    bring_up_to_date(system, ticket, finding)
    return ticket.reference


def ticket_of(system: TicketSystem, finding: Finding, reference: str | None) -> Ticket | None:
    """Read the ticket of a finding; without a reference, or if it was deleted, it is searched. None without one."""
    return (system.read(reference, finding) if reference else None) or system.find(finding)


def bring_up_to_date(system: TicketSystem, ticket: Ticket, finding: Finding) -> None:
    """Write a finding into its ticket, unless the ticket has a newer revision."""
    if ticket.mark.is_newer_than(finding):
        return
    if finding.status is not Status.OPEN:
        system.resolve(ticket, finding)
    elif not ticket.is_closed:
        system.update(ticket, finding)
    elif ticket.mark.status is not Status.OPEN:
        system.reopen(ticket, finding)
    elif not ticket.mark.has_comment:
        system.comment(ticket, finding, CLOSED_TOO_EARLY)
    else:
        system.update(ticket, finding)


def is_up_to_date(ticket: Ticket, finding: Finding) -> bool:
    """Return whether a ticket needs no write: it has the finding, and a comment if a person closed it too early.

    What a person reopened although nothing is wrong any more stays open: the bot closed it once.
    """
    if ticket.mark.is_newer_than(finding):
        return True
    is_closed_too_early = ticket.is_closed and finding.status is Status.OPEN
    return ticket.mark == mark_of(ticket, finding) and (ticket.mark.has_comment or not is_closed_too_early)


def mark_of(ticket: Ticket, finding: Finding) -> Mark:
    """Return the mark to write with a finding that leaves its ticket open or closed."""
    return Mark.of(finding, has_comment=ticket.is_closed and ticket.mark.has_comment)
