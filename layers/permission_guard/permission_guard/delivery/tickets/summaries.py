"""Maintain the summary of a ticket system: it is opened, updated and resolved as findings wait for a ticket."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.delivery.ledger import KEEP_RESOLVED, DeliveryOutcome, DeliveryResult, Skip
from permission_guard.delivery.tickets.base import channel_of, follow
from permission_guard.delivery.tickets.review import review_ticket
from permission_guard.delivery.tickets.summary import Summary
from permission_guard.errors import DeliveryLimitError, DeliveryUnclearError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.delivery.ledger import Claim, DeliveryLedger
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.summary import WaitingForTicket


def update_summary(
    findings: Sequence[WaitingForTicket],
    system: TicketSystem,
    ledger: DeliveryLedger,
    *,
    current: Callable[[], Sequence[WaitingForTicket]],
    is_review: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeliveryResult:
    """Write the summary of a system, once for each change of the findings that wait; a review also reads it.

    There is at least one finding; `current` reads them again. A summary that a limit keeps from being opened is tried
    again with the next change and at the next review. DeliveryBusyError while another invocation writes it.
    """
    channel = channel_of(system)
    summary, repaired = Summary.of(channel, findings), False
    claim = ledger.claim(summary.id, channel, summary.revision, clock())
    # Read after the ledger: whoever wrote a newer summary had read its findings. There are none after the last end.
    if isinstance(claim, Skip) and claim.outcome is DeliveryOutcome.SUPERSEDED and (latest := current()):
        summary = Summary.of(channel, latest)
        repaired = claim.revision > clock().timestamp() * 1000  # a time that no change had
        if repaired:
            ledger.repair(summary.id, channel, claim.revision)
        else:
            summary = summary.not_before(claim.revision)
        claim = ledger.claim(summary.id, channel, summary.revision, clock())
    deliver = partial(_deliver, summary, claim, system, ledger, clock)
    result = review_ticket(summary, system, ledger, deliver, clock=clock) if is_review else deliver()
    return replace(result, repaired=repaired)


def _deliver(
    summary: Summary,
    claim: Claim | Skip,
    system: TicketSystem,
    ledger: DeliveryLedger,
    clock: Callable[[], datetime],
) -> DeliveryResult:
    """Write a summary, unless it was written."""
    channel = channel_of(system)
    if isinstance(claim, Skip):
        return DeliveryResult(channel=channel, outcome=claim.outcome, reference=claim.reference)
    try:
        reference = follow(system, summary, claim.reference)
    except DeliveryLimitError:
        ledger.release(claim)
        return DeliveryResult(channel=channel, outcome=DeliveryOutcome.LIMIT_REACHED, reference=claim.reference)
    except DeliveryUnclearError:
        raise  # the lock expires: a search right now may miss the new ticket
    except BaseException:
        ledger.release(claim)
        raise
    ledger.complete(claim, reference, None if summary.status is Status.OPEN else clock() + KEEP_RESOLVED)
    return DeliveryResult(channel=channel, outcome=DeliveryOutcome.DELIVERED, reference=reference or claim.reference)
