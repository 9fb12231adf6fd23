"""How a test ticket is opened and closed in every ticket system, once each and all at the same time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from permission_guard.delivery.alerts.base import reason_of
from permission_guard.delivery.ledger import deliver_once
from permission_guard.delivery.samples import at_the_same_time, failed, sent
from permission_guard.delivery.tickets.base import Mark, Ticket
from permission_guard.delivery.tickets.sample import TicketSample
from permission_guard.model.destinations import Outcome
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.routed import NamedSystem
    from permission_guard.model.destinations import Destination, DestinationResult


def open_samples(
    test: AlertTest,
    systems: Sequence[tuple[Destination, NamedSystem]],
    ledger: DeliveryLedger,
    pool: Callable[[int], Executor],
) -> list[DestinationResult]:
    """Open a test ticket in every system, and close it; return what became of it, in the same order.

    No limit counts it. `pool` makes threads.
    """
    return at_the_same_time([(one, partial(_try, test, one, named, ledger)) for one, named in systems], pool)


def _try(test: AlertTest, destination: Destination, named: NamedSystem, ledger: DeliveryLedger) -> DestinationResult:
    opened: list[str] = []
    try:
        result = deliver_once(ledger, named.channel, test.key, lambda: _open_and_close(test, named.make(), opened))
    except Exception as error:  # noqa: BLE001 - the result names the ticket that is left open
        return failed(destination, reason_of(error), reference="".join(opened))
    return sent(destination, result, Outcome.OPENED_AND_CLOSED)


def _open_and_close(test: AlertTest, system: TicketSystem, opened: list[str]) -> str:
    """Return the reference of the ticket. Once it is open, its reference is also put into `opened`.

    It is not recorded as delivered before it is closed. The same test again finds the ticket, and closes it.
    """
    about, ended = TicketSample(test), TicketSample(test, Status.RESOLVED)
    system.begin()
    ticket = system.find(about)
    reference = ticket.reference if ticket else system.open(about)
    opened.append(reference)
    system.begin()
    # What was opened a moment ago may not be readable yet. The bot knows what it has just written.
    written = Ticket(reference=reference, is_closed=False, mark=Mark.of(about))
    system.resolve(system.read(reference, about) or written, ended)
    return reference
