"""The messages that have a ticket read, or the summaries written: put into the ticket queue, not on the bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.bus.events import SOURCE, named_finding
from permission_guard.model.arns import finding_target
from permission_guard.model.targets import NamedRole
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON, FindingTarget

REVIEW_DETAIL_TYPE: Final = "Ticket Review Requested"
SUMMARY_DETAIL_TYPE: Final = "Ticket Summary Due"


@record
class TicketReview:
    """A request to read the ticket of a finding. Like an event of the bus, it has only names."""

    finding_id: str
    target: FindingTarget


def ticket_review_body(review: TicketReview) -> str:
    """Return the body of the message."""
    name = "role_arn" if isinstance(review.target, NamedRole) else "function_arn"
    detail = {"id": review.finding_id, name: review.target.arn}
    return json.dumps({"source": SOURCE, "detail-type": REVIEW_DETAIL_TYPE, "detail": detail})


def read_ticket_review(detail: Mapping[str, JSON]) -> TicketReview:
    """Read the `detail` of the message; MalformedEventError if it names no finding."""
    finding_id, target_arn = named_finding(detail)
    return TicketReview(finding_id, finding_target(target_arn))


def summary_body(*, is_review: bool) -> str:
    """Return the body of the message that has the summaries written. A review also reads those that did not change."""
    return json.dumps({"source": SOURCE, "detail-type": SUMMARY_DETAIL_TYPE, "detail": {"review": is_review}})


def read_summary_review(detail: Mapping[str, JSON]) -> bool:
    """Read the `detail` of the message: whether the summaries are reviewed."""
    return detail.get("review") is True
