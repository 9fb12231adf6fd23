"""Ticket systems: one ticket a finding, opened, kept up to date, closed and opened again along with it.

Another system is one file that formats (pure), one class with the four methods of `TicketSystem`, and one line in
`TICKET_SYSTEMS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from permission_guard.errors import ConfigurationError
from permission_guard.findings.deliveries import DeliveryResult, deliver
from permission_guard.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.findings.deliveries import DeliveryLedger
    from permission_guard.model import Finding

__all__ = ["TICKET_SYSTEMS", "TicketSystem", "record", "ticket_system"]


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


def _ops_items(client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.aws.ops_items import OpsItems  # noqa: PLC0415 - only `aws/` knows AWS, and only who uses it loads it

    return OpsItems(client("ssm"))


TICKET_SYSTEMS: Mapping[str, Callable[[Callable[[Any], Any]], TicketSystem | None]] = {
    "none": lambda _client: None,
    "opsitem": _ops_items,
}
"""Every value of the TicketSystem parameter: a function that makes the system, or returns None for no tickets."""


def ticket_system(name: str, client: Callable[[Any], Any]) -> TicketSystem | None:
    """Return the ticket system of that name, None for `none`; ConfigurationError for any other name.

    `client` makes a boto3 client of a service name (`permission_guard.aws.clients.client`).
    """
    make = TICKET_SYSTEMS.get(name)
    if make is None:
        raise ConfigurationError(f"TicketSystem is {name!r}; it can be {', '.join(TICKET_SYSTEMS)}")
    return make(client)


def record(finding: Finding, system: TicketSystem, ledger: DeliveryLedger) -> DeliveryResult:
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
