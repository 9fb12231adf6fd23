"""The review of a finding's ticket: it is read once a day, because nobody reports what people do with it.

A review is no new revision. It holds the lock of the last delivery, so that it does not run beside another one, and
writes only if the ticket is not what the bot would have written.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult, Skip, deliver_once, expires_at
from permission_guard.delivery.tickets.base import bring_up_to_date, is_up_to_date, ticket_of
from permission_guard.errors import DeliveryBusyError, DeliveryLimitError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.bus.ticket_reviews import TicketReview
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.transitions import Current, RecordedFindings
    from permission_guard.model.findings import Finding

    Review = Callable[[Finding, Current], Sequence[DeliveryResult]]
    """Reviews the tickets of a finding."""


def review_finding(requested: TicketReview, findings: RecordedFindings, review: Review) -> Sequence[DeliveryResult]:
    """Review the tickets of the finding that a message names, as the findings table has it."""
    current = partial(findings.finding, requested.target, requested.finding_id)
    finding = current()
    if finding is None:
        return (DeliveryResult(channel="", outcome=DeliveryOutcome.NOT_RECORDED),)
    return review(finding, current)


def review_ticket(
    finding: Finding,
    system: TicketSystem,
    ledger: DeliveryLedger,
    update: Callable[[], DeliveryResult],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeliveryResult:
    """Read the ticket of a finding, and bring it up to date if a person changed or deleted it.

    `update` delivers the finding as it is now. What was delivered already is read: a finding that has no ticket on
    purpose, because a digest reports it, gets none.
    """
    result = update()
    if result.outcome is not DeliveryOutcome.ALREADY_DELIVERED or result.reference is None:
        return result
    channel = result.channel
    try:
        claim = ledger.claim(finding.id, channel, finding.revision + 1, clock())
    except DeliveryBusyError:
        return replace(result, outcome=DeliveryOutcome.BEING_DELIVERED)
    if isinstance(claim, Skip):  # a newer revision was delivered meanwhile
        return replace(result, outcome=claim.outcome, reference=claim.reference)
    try:
        outcome, reference = _reviewed(finding, claim.reference, system, ledger, channel, clock=clock)
    except DeliveryLimitError:
        outcome, reference = DeliveryOutcome.LIMIT_REACHED, claim.reference
    except BaseException:
        ledger.release(claim)
        raise
    ledger.complete(replace(claim, revision=finding.revision), reference, expires_at(finding, clock()))
    return DeliveryResult(channel=channel, outcome=outcome, reference=reference, repaired=result.repaired)


def _reviewed(
    finding: Finding,
    reference: str | None,
    system: TicketSystem,
    ledger: DeliveryLedger,
    channel: str,
    *,
    clock: Callable[[], datetime],
) -> tuple[DeliveryOutcome, str | None]:
    """Return the outcome, and the reference of the ticket."""
    system.begin()
    ticket = ticket_of(system, finding, reference)
    if ticket is not None:
        if is_up_to_date(ticket, finding):
            return DeliveryOutcome.UP_TO_DATE, ticket.reference
        bring_up_to_date(system, ticket, finding)
        return DeliveryOutcome.CORRECTED, ticket.reference
    if finding.status is not Status.OPEN:
        return DeliveryOutcome.UP_TO_DATE, reference
    # A person who deletes it again is not overruled until the finding changes.
    opened = deliver_once(
        ledger, channel, f"{finding.id}/opened-again/{finding.revision}", lambda: system.open(finding), clock=clock
    )
    if opened.outcome is DeliveryOutcome.DELIVERED:
        return DeliveryOutcome.OPENED_AGAIN, opened.reference
    return DeliveryOutcome.LEFT_DELETED, reference
