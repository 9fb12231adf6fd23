"""The review of a finding's ticket: it is read once a day, because nobody reports what people do with it.

A review is no new revision. It holds the lock of the last delivery, so that it does not run beside another one, and
writes only if the ticket is not what the bot would have written.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.delivery.ledger import KEEP_RESOLVED, DeliveryOutcome, DeliveryResult, Skip, deliver_once
from permission_guard.delivery.tickets.base import admit_all, bring_up_to_date, channel_of, is_up_to_date, ticket_of
from permission_guard.errors import DeliveryBusyError, DeliveryLimitError, DeliveryUnclearError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.bus.ticket_reviews import TicketReview
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.summary import Ticketed
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
    about: Ticketed,
    system: TicketSystem,
    ledger: DeliveryLedger,
    update: Callable[[], DeliveryResult],
    *,
    admit: Callable[[Ticketed], None] = admit_all,
    may_open: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeliveryResult:
    """Read the ticket of a finding, and bring it up to date if a person changed or deleted it.

    `update` delivers the finding as it is now. What was delivered already is read: a finding that has no ticket on
    purpose, because a digest reports it, gets none. `admit` is called before a ticket is opened again, as in `follow`,
    and `may_open` is as there.
    """
    result = update()
    if result.outcome is not DeliveryOutcome.ALREADY_DELIVERED or result.reference is None:
        return result
    channel = result.channel
    try:
        claim = ledger.claim(about.id, channel, about.revision + 1, clock())
    except DeliveryBusyError:
        return replace(result, outcome=DeliveryOutcome.BEING_DELIVERED)
    if isinstance(claim, Skip):  # a newer revision was delivered meanwhile
        return replace(result, outcome=claim.outcome, reference=claim.reference)
    try:
        outcome, reference = _reviewed(
            about,
            claim.reference,
            system,
            partial(_open_again, about, system, ledger, admit=admit, clock=clock),
            may_open=may_open,
        )
    except DeliveryLimitError:
        outcome, reference = DeliveryOutcome.LIMIT_REACHED, claim.reference
    except DeliveryUnclearError:
        raise  # the lock expires: a search right now may miss the new ticket
    except BaseException:
        ledger.release(claim)
        raise
    expires_at = clock() + KEEP_RESOLVED if about.status is Status.RESOLVED else None
    ledger.complete(replace(claim, revision=about.revision), reference, expires_at)
    return DeliveryResult(channel=channel, outcome=outcome, reference=reference, repaired=result.repaired)


def _reviewed(
    about: Ticketed,
    reference: str | None,
    system: TicketSystem,
    open_again: Callable[[], DeliveryResult],
    *,
    may_open: bool,
) -> tuple[DeliveryOutcome, str | None]:
    """Return the outcome, and the reference of the ticket."""
    system.begin()
    ticket = ticket_of(system, about, reference)
    if ticket is not None:
        if is_up_to_date(ticket, about, may_open=may_open):
            return DeliveryOutcome.UP_TO_DATE, ticket.reference
        bring_up_to_date(system, ticket, about, may_open=may_open)
        return DeliveryOutcome.CORRECTED, ticket.reference
    if about.status is not Status.OPEN or not may_open:
        return DeliveryOutcome.UP_TO_DATE, reference
    opened = open_again()
    if opened.outcome is DeliveryOutcome.DELIVERED:
        return DeliveryOutcome.OPENED_AGAIN, opened.reference
    return DeliveryOutcome.LEFT_DELETED, reference


def _open_again(
    about: Ticketed,
    system: TicketSystem,
    ledger: DeliveryLedger,
    *,
    admit: Callable[[Ticketed], None],
    clock: Callable[[], datetime],
) -> DeliveryResult:
    """Open a deleted ticket again, once for each revision: a person who deletes it again is not overruled."""

    def send() -> str:
        admit(about)
        return system.open(about)

    return deliver_once(ledger, channel_of(system), f"{about.id}/opened-again/{about.revision}", send, clock=clock)
