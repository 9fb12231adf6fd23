"""Requests to look: a message each, few calls for many of them, and none lost in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.checks.checker import CheckRequest
from permission_guard.errors import DeliveryError
from permission_guard.intake.messages import read_batch
from permission_guard.model.targets import Direction, FunctionTarget
from tests.fakes import TARGET

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


CHANGE = CheckRequest(event_ids=("e1", "e2"), tool="terraform")
"""What somebody changed just now."""


@pytest.fixture
def sqs(moto_account: None) -> SQSClient:
    """Return a client of an SQS in memory."""
    return boto3.client("sqs")


@pytest.fixture
def url(sqs: SQSClient) -> str:
    """Return a queue's URL."""
    return sqs.create_queue(QueueName="looks")["QueueUrl"]


def functions(count: int) -> list[FunctionTarget]:
    """Return so many functions."""
    return [FunctionTarget("aws", "us-east-1", "123456789012", f"function-{number:04}") for number in range(count)]


def received(sqs: SQSClient, url: str) -> list[dict[str, Any]]:
    """Return every message of the queue, as Lambda gets them."""
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [{"messageId": message["MessageId"], "body": message["Body"]} for message in messages]
    return found


@pytest.mark.parametrize("count", [0, 1, 10, 11, 100, 101, 205])
def test_every_function_is_asked_for_once(sqs: SQSClient, url: str, count: int) -> None:
    """What the checker reads from the messages is what was requested, a function a message."""
    assert CheckQueue(sqs, url).request_full(functions(count)) == count
    messages = received(sqs, url)
    assert len(messages) == count
    read = [
        target for message in read_batch({"Records": messages}, Direction.INVOKE_POLICY) for target in message.targets
    ]
    assert sorted(read, key=str) == functions(count)


def test_ten_messages_go_in_one_call(sqs: SQSClient) -> None:
    """A thousand functions are a hundred calls."""
    with Stubber(sqs) as stubber:
        for _ in range(2):
            stubber.add_response(
                "send_message_batch", {"Successful": [], "Failed": []}, {"QueueUrl": "https://queue", "Entries": ANY}
            )
        assert CheckQueue(sqs, "https://queue").request_full(iter(functions(15))) == 15
        stubber.assert_no_pending_responses()


def test_messages_that_sqs_refuses_are_an_error(sqs: SQSClient) -> None:
    """The call itself succeeds; its answer says that some did not go."""
    failed = [{"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "try again"}]
    with Stubber(sqs) as stubber:
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": failed})
        with pytest.raises(DeliveryError, match="SQS did not accept 1 of 2 requests: try again"):
            CheckQueue(sqs, "https://queue").request_full(functions(2))


def test_a_message_says_who_asks_and_for_what(sqs: SQSClient, url: str) -> None:
    """The same form as an event of the bus; what is shared with other functions has to be read after that time."""
    CheckQueue(sqs, url).request_full([TARGET])
    (message,) = received(sqs, url)
    body = json.loads(message["body"])
    requested_at = datetime.fromisoformat(body["detail"].pop("requested_at"))
    assert abs(datetime.now(UTC) - requested_at) < timedelta(minutes=1)
    assert body == {
        "source": "permission-guard",
        "detail-type": "Check Requested",
        "detail": {"functions": [TARGET.arn], "after_grace_period": True, "full": True},
    }


def test_a_look_again_waits_until_what_was_changed_has_settled(sqs: SQSClient) -> None:
    """What is shared with other functions is read after the delay; who shares the role is asked if it was before."""
    sent: list[dict[str, Any]] = []
    sqs.meta.events.register("provide-client-params.sqs.SendMessageBatch", lambda params, **_: sent.append(params))
    with Stubber(sqs) as stubber:
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": []})
        CheckQueue(sqs, "https://queue", 120).recheck(TARGET, CHANGE)
    (entry,) = sent[0]["Entries"]
    detail = json.loads(entry["MessageBody"])["detail"]
    assert entry["DelaySeconds"] == 120
    assert (detail["after_grace_period"], detail["full"]) == (True, False)
    assert datetime.fromisoformat(detail["requested_at"]) - datetime.now(UTC) > timedelta(seconds=100)


def test_a_look_at_what_a_change_concerns_is_like_one_for_its_event(sqs: SQSClient, url: str) -> None:
    """It has yet to settle, and goes back to the same events."""
    CheckQueue(sqs, url, 120).request_changed([TARGET], CHANGE)
    (message,) = read_batch({"Records": received(sqs, url)}, Direction.EXECUTION_ROLE)
    assert (message.targets, message.after_grace_period, message.full) == ((TARGET,), False, False)
    assert (message.event_ids, message.tool) == (("e1", "e2"), "terraform")


@pytest.mark.parametrize("full", [True, False])
def test_a_look_again_goes_back_to_the_events_of_the_first(sqs: SQSClient, url: str, *, full: bool) -> None:
    """It is the one that tells: who is told has to find the event, and whoever fixes has to know whose it is."""
    CheckQueue(sqs, url).recheck(TARGET, replace(CHANGE, full=full))
    (message,) = read_batch({"Records": received(sqs, url)}, Direction.EXECUTION_ROLE)
    assert (message.after_grace_period, message.full) == (True, full)
    assert (message.event_ids, message.tool) == (("e1", "e2"), "terraform")
