"""Ticket systems: one ticket for each finding, opened, updated, closed and reopened along with it.

To add a system, add a formatter (pure), a class with the four methods of `TicketSystem`, and a line in
`TICKET_SYSTEMS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.announcements import instead_of_ticket, no_baseline
from permission_guard.delivery.ledger import DeliveryResult, deliver
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from permission_guard.delivery.announcements import ReadBaseline
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.findings import Finding


class TicketSystem(Protocol):
    """A system that stores tickets. Every method raises DeliveryError when a call to the system failed."""

    @property
    def name(self) -> str:
        """The system's name in the delivery ledger and in the TicketSystem parameter."""

    def open(self, finding: Finding) -> str:
        """Open a ticket, or update the existing one, and return its reference."""

    def update(self, reference: str, finding: Finding) -> str:
        """Update the ticket of an open finding, and return its reference.

        A ticket that was closed along with the finding is reopened; one that a person closed stays closed. If the
        ticket was deleted, another one is opened, and its reference is returned.
        """

    def resolve(self, reference: str, finding: Finding) -> str:
        """Close the ticket, with the reason, and return its reference; a deleted ticket counts as closed."""

    def find(self, finding: Finding) -> str | None:
        """Return the reference of an open ticket of this finding that is not in the ledger, None without one."""


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
        lambda finding, reference: _apply_status(system, finding, reference),
        current=current,
        is_withheld=lambda one, reference: (
            reference is None and one.status is Status.OPEN and one.severity.is_below(min_severity)
        ),
        instead=lambda one, reference: instead_of_ticket(one, reference, baseline),
    )
    return (result,)


def _apply_status(system: TicketSystem, finding: Finding, reference: str | None) -> str | None:
    """Open, update or close the ticket, as the finding's status requires.

    The status decides, not the transition: if an event was skipped, the next one corrects the ticket.
    """
    if finding.status is Status.OPEN:
        return system.update(reference, finding) if reference else system.open(finding)
    # A crash after a ticket was opened leaves no reference in the ledger; that ticket must be closed too.
    reference = reference or system.find(finding)
    return system.resolve(reference, finding) if reference else None
