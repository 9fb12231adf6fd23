"""Once a day, have the ticket of each open and suppressed finding read: people close, reopen and delete tickets.

Maintenance has no access to ticket systems. It puts requests into the queue of the function that has.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from permission_guard.bus.ticket_reviews import TicketReview
from permission_guard.model import limits
from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from permission_guard.maintenance.state import MaintenanceState
    from permission_guard.model.targets import FindingTarget

    Keys = Callable[[Status], Iterable[tuple[FindingTarget, str]]]
    """Lists the target and the id of each finding with a status."""

_PART = limits.QUEUE_BATCH_MESSAGES


class ReviewQueue(Protocol):
    """Has tickets read."""

    def send_reviews(self, reviews: Sequence[TicketReview]) -> None:
        """Have the tickets of findings read; reading one twice does no harm."""

    def send_summary_review(self) -> None:
        """Have the summaries of the findings without a ticket read."""


@record
class Requested:
    """What was requested: the state, which says where the next run continues, how many reviews, and what failed."""

    state: MaintenanceState
    reviews: int = 0
    failure: str = ""


def request_reviews(
    state: MaintenanceState, keys_of: Keys, queue: ReviewQueue, *, today: str, is_stopped: Callable[[], bool]
) -> Requested:
    """Request to read each ticket, once a day. `today` is a date. What fails is requested by the next run.

    If nothing was sent, the state is the one that came in: it would say that the day's requests are done.
    """
    before = state
    if not state.reviewed_after:
        if state.reviewed_on == today:
            return Requested(state)
        state = replace(state, reviewed_on=today)
    found = chain.from_iterable(map(keys_of, (Status.OPEN, Status.SUPPRESSED)))
    reviews = {_key(review): review for review in (TicketReview(finding_id, target) for target, finding_id in found)}
    due = sorted(key for key in reviews if key > state.reviewed_after)
    sent = 0
    try:
        while part := due[sent : sent + _PART]:
            if is_stopped():
                return Requested(state if sent else before, sent)
            queue.send_reviews([reviews[key] for key in part])
            state, sent = replace(state, reviewed_after=part[-1]), sent + len(part)
        queue.send_summary_review()
    except Exception as error:  # noqa: BLE001 - what was requested must not be requested again
        return Requested(state if sent else before, sent, f"tickets: {type(error).__name__}: {error}")
    return Requested(replace(state, reviewed_after=""), sent)


def _key(review: TicketReview) -> str:
    return f"{review.target.arn} {review.finding_id}"
