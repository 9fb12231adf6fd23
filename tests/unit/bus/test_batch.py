"""A batch of events of the bus: each message is handled separately, and is acknowledged or fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.bus.batch import process_batch
from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Transition
from tests.fakes import FINDING_ID, a_finding

if TYPE_CHECKING:
    from permission_guard.bus.events import BusEvent
    from tests.unit.conftest import Logged


BAD = "bad0" * 8


def body(finding_id: str = FINDING_ID, detail_type: str = "Finding Opened") -> str:
    """Return an event of the bus as SQS carries it."""
    detail = a_finding(id=finding_id).to_document()
    return json.dumps({"source": "permission-guard", "detail-type": detail_type, "detail": detail})


def test_each_message_is_handled_with_its_transition_and_finding_id(logged: Logged) -> None:
    """In the order of the batch."""
    handled: list[tuple[Transition, str]] = []
    event = {
        "Records": [
            {"messageId": "m0", "body": body()},
            {"messageId": "m1", "body": body(detail_type="Fix Approved")},
        ]
    }

    def handle(received: BusEvent) -> None:
        handled.append((received.transition, received.finding_id))

    assert process_batch(event, handle, logged.logger, logged.metrics) == {"batchItemFailures": []}
    assert handled == [(Transition.OPENED, FINDING_ID), (Transition.FIX_APPROVED, FINDING_ID)]
    assert logged.counts == {"MessagesReceived": 2}


def test_a_message_that_fails_is_retried_and_the_others_are_not(logged: Logged) -> None:
    """The log has the finding id and the error."""

    def handle(received: BusEvent) -> None:
        if received.finding_id == BAD:
            raise DeliveryError("the channel is closed")

    event = {
        "Records": [
            {"messageId": "m0", "body": body(BAD)},
            {"messageId": "m1", "body": body()},
            {"messageId": "m2", "body": "{"},
        ]
    }
    answer = process_batch(event, handle, logged.logger, logged.metrics)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    first, second = logged.lines
    assert (first["finding_id"], first["error"], first["message_id"]) == (BAD, "DeliveryError", "m0")
    assert "the channel is closed" in first["exception"]
    assert (second["finding_id"], second["error"]) == ("unknown", "MalformedEventError")
    assert logged.counts == {"MessagesReceived": 3, "MessagesFailed": 2}


def test_messages_for_which_no_time_is_left_are_delivered_again(logged: Logged) -> None:
    """They are not tried; what was handled before is acknowledged."""
    handled: list[str] = []
    event = {"Records": [{"messageId": f"m{number}", "body": body()} for number in range(3)]}
    answer = process_batch(
        event,
        lambda one: handled.append(one.finding_id),
        logged.logger,
        logged.metrics,
        has_time=lambda messages: messages == 3,
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert handled == [FINDING_ID]
    assert logged.counts == {"MessagesReceived": 3, "MessagesFailed": 2}
