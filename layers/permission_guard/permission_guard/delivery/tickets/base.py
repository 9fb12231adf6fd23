"""Ticket systems: one ticket for each finding, opened, updated, closed and reopened along with it.

If a limit is reached, the findings without a ticket have one together: the summary.

To add a system, add a formatter (pure), a class with the methods of `TicketSystem`, and a line in `TICKET_SYSTEMS`.

Each ticket has the id of its finding, and a mark: what the finding was at the bot's last write. A ticket is searched by
that id before another one is opened, so neither a lost table nor a second run makes a duplicate. The mark shows whether
the bot or a person closed the ticket.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, Self

from permission_guard.delivery.announcements import instead_of_ticket, no_baseline
from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult, deliver
from permission_guard.errors import DeliveryLimitError
from permission_guard.model.findings import Finding, Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.delivery.announcements import ReadBaseline
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.delivery.tickets.waiting_list import WaitingList
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.targets import JSON

CLOSED_TOO_EARLY = (
    "This ticket was closed, but the problem still exists. The ticket stays closed until the problem is resolved and "
    "comes back. To accept the problem, suppress the finding: permission-guard findings suppress"
)
"""The one comment on a ticket that a person closed while its finding is open."""

CLOSED_SUMMARY_TOO_EARLY = (
    "This ticket was closed, but findings still wait for a ticket of their own. It stays closed until none waits, and "
    "opens when one waits again. To see the findings: permission-guard findings list"
)
"""The one comment on a summary that a person closed while findings wait."""

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
    def of(cls, about: Ticketed, *, has_comment: bool = False) -> Self:
        """Return the mark to write with a finding."""
        return cls(
            revision=about.revision,
            opened_at=about.opened_at,
            status=about.status,
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

    def is_newer_than(self, about: Ticketed) -> bool:
        """Return whether the ticket shows a newer revision of the finding than this one.

        Revisions start at one again when the findings table was recreated; then the later `opened_at` is the newer one.
        """
        return self.revision > about.revision and self.opened_at >= about.opened_at


@record(kw_only=True)
class Ticket:
    """A ticket of a finding, as it is now. `data` is what its system needs to write it again.

    `expires_soon` is true if its system deletes what was not written for long.
    """

    reference: str
    is_closed: bool
    mark: Mark
    expires_soon: bool = False
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

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return the ticket with this reference, None if it was deleted or is not about this finding."""

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the ticket that has this finding's id, None without one; of several, an open one and the newest."""

    def open(self, about: Ticketed) -> str:
        """Open a ticket and return its reference."""

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, which stays open or closed."""

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, and close it if it is open."""

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, and open it again."""

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Add a comment to a closed ticket, and record in the ticket that it has one."""


def update_ticket(
    finding: Finding,
    current: Current,
    system: TicketSystem,
    ledger: DeliveryLedger,
    *,
    min_severity: Severity = Severity.LOW,
    baseline: ReadBaseline = no_baseline,
    waiting: WaitingList | None = None,
    is_routed: bool = True,
) -> tuple[DeliveryResult]:
    """Update the ticket of a finding, once for each revision; a revision older than the last changes nothing.

    `current` reads the finding as it is now. Below the severity threshold, or if no route names the system, no ticket
    is opened or reopened, but one that exists is updated and closed. Neither is one opened for what the digest of the
    first sweep reports. `waiting` limits how many are opened, None for no limit: a finding without a ticket because of
    a limit waits for one.
    """

    def send(finding: Finding, reference: str | None) -> str | None:
        may_open = is_routed and not finding.severity.is_below(min_severity)
        admit = waiting.admit if waiting else admit_all
        try:
            ticket = follow(system, finding, reference, admit=admit, may_open=may_open)
        except DeliveryLimitError:
            # While the ledger's lock is held: the end of the finding is delivered afterwards, and ends the wait.
            if waiting is not None and reference is None and finding.status is Status.OPEN:
                waiting.wait(finding)
            raise
        if waiting is not None and reference is None:
            waiting.delivered(finding, ticket)
        return ticket

    result = deliver(
        ledger,
        channel_of(system),
        finding,
        send,
        current=current,
        is_withheld=lambda one, reference: (
            reference is None and one.status is Status.OPEN and one.severity.is_below(min_severity)
        ),
        instead=lambda one, reference: instead_of_ticket(one, reference, baseline),
    )
    if waiting is not None and result.reference is None and result.outcome is DeliveryOutcome.BELOW_THRESHOLD:
        waiting.withheld(finding)
    return (result,)


def channel_of(system: TicketSystem) -> str:
    """Return the name of a system in the delivery ledger."""
    return f"ticket:{system.name}"


def admit_all(_about: Ticketed) -> None:
    """Let a ticket be opened."""


def follow(
    system: TicketSystem,
    about: Ticketed,
    reference: str | None,
    *,
    admit: Callable[[Ticketed], None] = admit_all,
    may_open: bool = True,
) -> str | None:
    """Bring the ticket of a finding up to date, and return its reference, None if there is no ticket.

    `admit` is called before a ticket is opened, and raises DeliveryLimitError if there must be no other one. If the
    system `may_open` none for the finding any more, the ticket that it had is only updated and closed.

    The status decides, not the transition: if an event was skipped, the next one corrects the ticket. A ticket that a
    person closed while the finding is open gets one comment and stays closed until the finding reopens: the time of its
    opening shows that, also if the end in between was skipped.
    """
    system.begin()
    ticket = ticket_of(system, about, reference)
    if ticket is None:
        if about.status is not Status.OPEN or not may_open:
            return None
        admit(about)
        return system.open(about)
    bring_up_to_date(system, ticket, about, may_open=may_open)
    return ticket.reference


def ticket_of(system: TicketSystem, about: Ticketed, reference: str | None) -> Ticket | None:
    """Read the ticket of a finding; without a reference, or if it was deleted, it is searched. None without one."""
    return (system.read(reference, about) if reference else None) or system.find(about)


def bring_up_to_date(system: TicketSystem, ticket: Ticket, about: Ticketed, *, may_open: bool = True) -> None:
    """Write a finding into its ticket, unless the ticket has a newer revision, or has ended and must stay closed."""
    if ticket.mark.is_newer_than(about):
        return
    if about.status is not Status.OPEN:
        system.resolve(ticket, about)
    elif not ticket.is_closed:
        system.update(ticket, about)
    elif has_ended(ticket, about):
        if may_open:
            system.reopen(ticket, about)
    elif may_open and not ticket.mark.has_comment:
        system.comment(ticket, about, CLOSED_TOO_EARLY if isinstance(about, Finding) else CLOSED_SUMMARY_TOO_EARLY)
    else:
        system.update(ticket, about)


def has_ended(ticket: Ticket, about: Ticketed) -> bool:
    """Return whether a closed ticket is about what ended: an open finding was resolved or suppressed since the mark.

    Its end may arrive after its next opening, and then changes nothing. A summary has no time of its opening.
    """
    is_reopened = isinstance(about, Finding) and "" < ticket.mark.opened_at < about.opened_at
    return ticket.is_closed and (ticket.mark.status is not Status.OPEN or is_reopened)


def is_up_to_date(ticket: Ticket, about: Ticketed, *, may_open: bool = True) -> bool:
    """Return whether `bring_up_to_date` would write nothing but the same again.

    What a person reopened although nothing is wrong any more stays open: the bot closed it once.
    """
    if ticket.mark.is_newer_than(about):
        return True
    is_closed_too_early = ticket.is_closed and about.status is Status.OPEN
    if is_closed_too_early and not may_open and has_ended(ticket, about):
        return True
    if ticket.expires_soon and about.status is Status.OPEN:
        return False
    needs_comment = is_closed_too_early and may_open and not ticket.mark.has_comment
    return ticket.mark == mark_of(ticket, about) and not needs_comment


def mark_of(ticket: Ticket, about: Ticketed) -> Mark:
    """Return the mark to write with a finding that leaves its ticket open or closed."""
    return Mark.of(about, has_comment=ticket.is_closed and ticket.mark.has_comment)
