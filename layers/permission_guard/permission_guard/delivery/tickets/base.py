"""Ticket systems: one ticket a finding, opened, kept up to date, closed and opened again along with it.

Another system is one file that formats (pure), one class with the four methods of `TicketSystem`, and one line in
`TICKET_SYSTEMS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.ledger import DeliveryResult, deliver
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.model.findings import Finding


class TicketSystem(Protocol):
    """Where tickets are kept. Every method raises DeliveryError when the system did not do it this time."""

    @property
    def name(self) -> str:
        """What the system is called in the delivery ledger and in the TicketSystem parameter."""

    def open(self, finding: Finding) -> str:
        """Open a ticket and return its reference; when there is one already, take that one over."""

    def update(self, reference: str, finding: Finding) -> str:
        """Make the ticket say what the open finding says now, and return its reference.

        A ticket that was closed along with the finding is opened again; one that a person closed stays closed. When
        the ticket is gone, another one is opened, whose reference is returned.
        """

    def resolve(self, reference: str, finding: Finding) -> str:
        """Close the ticket, with the reason, and return its reference; one that is gone is as good as closed."""

    def find(self, finding: Finding) -> str | None:
        """Return the reference of an open ticket of this finding that nobody recorded, None when there is none."""


def update_ticket(finding: Finding, system: TicketSystem, ledger: DeliveryLedger) -> DeliveryResult:
    """Bring the ticket of a finding up to date, once a revision; an older revision than the last changes nothing."""
    return deliver(
        ledger,
        f"ticket:{system.name}",
        finding,
        lambda finding, reference: _follow(system, finding, reference),
    )


def _follow(system: TicketSystem, finding: Finding, reference: str | None) -> str | None:
    """Do what the finding's status asks for.

    The status decides, not the transition: when an event was overtaken, the next one makes up for it.
    """
    if finding.status is Status.OPEN:
        return system.update(reference, finding) if reference else system.open(finding)
    # A ticket whose opening was cut short has no reference on record, and must not stay open for ever.
    reference = reference or system.find(finding)
    return system.resolve(reference, finding) if reference else None
