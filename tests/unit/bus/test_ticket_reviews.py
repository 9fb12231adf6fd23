"""The message that requests to read the ticket of a finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.bus.ticket_reviews import (
    TicketReview,
    read_summary_review,
    read_ticket_review,
    summary_body,
    ticket_review_body,
)
from permission_guard.errors import MalformedEventError
from permission_guard.model.targets import NamedRole
from tests.fakes import ROLE_ARN, TARGET, a_finding

FINDING = a_finding()


@pytest.mark.parametrize("target", [TARGET, NamedRole(ROLE_ARN)])
def test_the_message_is_read_as_it_was_sent(target: Any) -> None:
    """It has the source of the bus, and a detail-type of its own."""
    review = TicketReview(FINDING.id, target)
    body = json.loads(ticket_review_body(review))
    assert (body["source"], body["detail-type"]) == ("permission-guard", "Ticket Review Requested")
    assert read_ticket_review(body["detail"]) == review


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "../../x"},
        {"id": None},
        {"function_arn": "arn:aws:s3:::bucket"},
        {"function_arn": ROLE_ARN},
        {"role_arn": TARGET.arn},
        {"function_arn": None},
    ],
)
def test_a_message_that_names_no_finding_is_malformed(changed: dict[str, Any]) -> None:
    """It goes to the dead-letter queue."""
    with pytest.raises(MalformedEventError):
        read_ticket_review({"id": FINDING.id, "function_arn": TARGET.arn, **changed})


@pytest.mark.parametrize("is_review", [True, False])
def test_the_request_of_the_summaries_is_read_as_it_was_sent(*, is_review: bool) -> None:
    """Only `true` is a review: a forged detail has no other effect."""
    body = json.loads(summary_body(is_review=is_review))
    assert body["detail-type"] == "Ticket Summary Due"
    assert read_summary_review(body["detail"]) is is_review
    assert read_summary_review({"review": "true"}) is read_summary_review({}) is False
