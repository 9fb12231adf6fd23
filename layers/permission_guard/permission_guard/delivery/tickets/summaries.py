"""Maintain the summary of a ticket system: it is opened, updated and resolved as findings wait for a ticket."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.delivery.ledger import KEEP_RESOLVED, DeliveryOutcome, DeliveryResult, Skip
from permission_guard.delivery.tickets.base import channel_of, follow
from permission_guard.delivery.tickets.review import review_ticket
from permission_guard.delivery.tickets.summary import Summary
from permission_guard.errors import DeliveryLimitError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.summary import Waiting


def update_summary(
    findings: Sequence[Waiting],
    system: TicketSystem,
    ledger: DeliveryLedger,
    *,
    is_review: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeliveryResult:
    """Write the summary of a system, once for each change of the findings that wait; a review also reads it.

    There is at least one finding. A summary that a limit keeps from being opened is tried again with the next change
    and at the next review.
    """
    summary = Summary.of(channel_of(system), findings)
    deliver = partial(_deliver, summary, system, ledger, clock)
    return review_ticket(summary, system, ledger, deliver, clock=clock) if is_review else deliver()


def _deliver(
    summary: Summary, system: TicketSystem, ledger: DeliveryLedger, clock: Callable[[], datetime]
) -> DeliveryResult:
    """Write a summary, unless it was written. DeliveryBusyError while another invocation writes it."""
    channel = channel_of(system)
    claim = ledger.claim(summary.id, channel, summary.revision, clock())
    if isinstance(claim, Skip):
        return DeliveryResult(channel=channel, outcome=claim.outcome, reference=claim.reference)
    try:
        reference = follow(system, summary, claim.reference)
    except DeliveryLimitError:
        ledger.release(claim)
        return DeliveryResult(channel=channel, outcome=DeliveryOutcome.LIMIT_REACHED, reference=claim.reference)
    except BaseException:
        ledger.release(claim)
        raise
    ledger.complete(claim, reference, None if summary.status is Status.OPEN else clock() + KEEP_RESOLVED)
    return DeliveryResult(channel=channel, outcome=DeliveryOutcome.DELIVERED, reference=reference or claim.reference)
