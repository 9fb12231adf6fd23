"""A batch of events of the bus: each is handled by itself, and each message is answered for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus_batch import read_event, work_off
from permission_guard.errors import DeliveryError, MalformedEventError
from permission_guard.model import Finding, Transition
from tests.fakes import FINDING_ID, a_finding

if TYPE_CHECKING:
    from tests.unit.conftest import Told


def body(finding: Finding | None = None, **more: Any) -> str:
    """Return an event of the bus as SQS carries it."""
    detail = (finding or a_finding()).to_document()
    return json.dumps({"source": "permission-guard", "detail-type": "Finding Opened", "detail": detail, **more})


def test_each_message_is_handled_with_its_transition_and_finding(told: Told) -> None:
    """In their order."""
    seen: list[tuple[Transition, str]] = []
    event = {
        "Records": [
            {"messageId": "m0", "body": body()},
            {"messageId": "m1", "body": body(**{"detail-type": "Fix Approved"})},
        ]
    }
    answer = work_off(event, lambda transition, finding: seen.append((transition, finding.id)), told.logger, told.metrics)
    assert answer == {"batchItemFailures": []}
    assert seen == [(Transition.OPENED, FINDING_ID), (Transition.FIX_APPROVED, FINDING_ID)]
    assert told.counts == {"MessagesReceived": 2}


def test_a_message_that_fails_comes_again_and_the_others_do_not(told: Told) -> None:
    """The log names the finding and what went wrong."""

    def handle(transition: Transition, finding: Finding) -> None:
        if finding.id == "bad":
            raise DeliveryError("the channel is closed")

    event = {
        "Records": [
            {"messageId": "m0", "body": body(a_finding(id="bad"))},
            {"messageId": "m1", "body": body()},
            {"messageId": "m2", "body": "{"},
        ]
    }
    answer = work_off(event, handle, told.logger, told.metrics)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    first, second = told.lines
    assert (first["finding_id"], first["error"], first["message_id"]) == ("bad", "DeliveryError", "m0")
    assert "the channel is closed" in first["exception"]
    assert (second["finding_id"], second["error"]) == ("unknown", "MalformedEventError")
    assert told.counts == {"MessagesReceived": 3, "MessagesFailed": 2}


def test_the_transition_is_what_the_event_says() -> None:
    """A person approves a finding whose last transition is another."""
    transition, finding = read_event(body(**{"detail-type": "Fix Approved"}))
    assert transition is Transition.FIX_APPROVED
    assert finding.transition is Transition.OPENED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not JSON", "not JSON"),
        ("[]", "not an event of the permission-guard bus"),
        (body(source="aws.lambda"), "not an event of the permission-guard bus"),
        (body(**{"detail-type": "Finding Forgotten"}), "Finding Forgotten"),
        (body(detail={}), "no finding document"),
        (body(detail=None), "no finding document"),
        (body(detail="text"), "no finding document"),
        (body(detail={**a_finding().to_document(), "remedies": [3]}), "no finding document"),
        (json.dumps({"source": "permission-guard"}), "detail-type"),
    ],
)
def test_what_is_no_event_of_the_bus_is_malformed(text: str, reason: str) -> None:
    """It goes to the dead-letter queue, and says why."""
    with pytest.raises(MalformedEventError, match=reason):
        read_event(text)
