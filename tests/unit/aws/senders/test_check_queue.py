"""Check requests: one message each, few calls for many of them, and no request lost silently."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.checks.requests import CheckRequest
from permission_guard.errors import DeliveryError
from permission_guard.intake.messages import read_batch
from permission_guard.model.targets import Direction, FunctionTarget
from tests.fakes import TARGET

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


CHANGE = CheckRequest(event_ids=("e1", "e2"), tool="terraform")
"""A request for a change that was just made."""


@pytest.fixture
def sqs(moto_account: None) -> SQSClient:
    """Return a client of an in-memory SQS."""
    return boto3.client("sqs")


@pytest.fixture
def url(sqs: SQSClient) -> str:
    """Return a queue's URL."""
    return sqs.create_queue(QueueName="checks")["QueueUrl"]


def functions(count: int) -> list[FunctionTarget]:
    """Return a number of functions."""
    return [FunctionTarget("aws", "us-east-1", "123456789012", f"function-{number:04}") for number in range(count)]


def received(sqs: SQSClient, url: str) -> list[dict[str, Any]]:
    """Return every message of the queue, as Lambda gets them."""
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [{"messageId": message["MessageId"], "body": message["Body"]} for message in messages]
    return found


@pytest.mark.parametrize("count", [0, 1, 10, 11, 100, 101, 205])
def test_every_function_is_requested_once(sqs: SQSClient, url: str, count: int) -> None:
    """The checker reads one function from each message, and they are the requested ones."""
    assert CheckQueue(sqs, url).request_full(functions(count)) == count
    messages = received(sqs, url)
    assert len(messages) == count
    read = [
        target for message in read_batch({"Records": messages}, Direction.INVOKE_POLICY) for target in message.targets
    ]
    assert sorted(read, key=str) == functions(count)


def test_ten_messages_go_in_one_call(sqs: SQSClient) -> None:
    """A thousand functions take a hundred calls."""
    with Stubber(sqs) as stubber:
        for _ in range(2):
            stubber.add_response(
                "send_message_batch", {"Successful": [], "Failed": []}, {"QueueUrl": "https://queue", "Entries": ANY}
            )
        assert CheckQueue(sqs, "https://queue").request_full(iter(functions(15))) == 15
        stubber.assert_no_pending_responses()


def test_messages_that_sqs_does_not_accept_are_an_error(sqs: SQSClient) -> None:
    """The call itself succeeds; its reply lists the messages that failed."""
    failed = [{"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "try again"}]
    with Stubber(sqs) as stubber:
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": failed})
        with pytest.raises(DeliveryError, match="SQS did not accept 1 of 2 requests: try again"):
            CheckQueue(sqs, "https://queue").request_full(functions(2))


def test_a_message_has_the_source_and_the_functions(sqs: SQSClient, url: str) -> None:
    """It has the form of a bus event. Cached state older than the request must not be used."""
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


@pytest.mark.parametrize("after_grace_period", [True, False])
def test_a_recheck_waits_for_the_grace_period(sqs: SQSClient, *, after_grace_period: bool) -> None:
    """Cached state must be newer than the delay. A recheck is full only if the first check was."""
    sent: list[dict[str, Any]] = []
    sqs.meta.events.register("provide-client-params.sqs.SendMessageBatch", lambda params, **_: sent.append(params))
    with Stubber(sqs) as stubber:
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": []})
        request = replace(CHANGE, after_grace_period=after_grace_period)
        CheckQueue(sqs, "https://queue", 120).recheck(TARGET, request)
    (entry,) = sent[0]["Entries"]
    detail = json.loads(entry["MessageBody"])["detail"]
    assert entry["DelaySeconds"] == 120
    assert (detail["after_grace_period"], detail["full"]) == (after_grace_period, False)
    assert datetime.fromisoformat(detail["requested_at"]) - datetime.now(UTC) > timedelta(seconds=100)


def test_a_check_requested_again_for_a_change_is_handled_like_its_event(sqs: SQSClient, url: str) -> None:
    """The grace period is still to come, and the events that caused the check are kept."""
    CheckQueue(sqs, url, 120).request_again([TARGET], CHANGE)
    (message,) = read_batch({"Records": received(sqs, url)}, Direction.EXECUTION_ROLE)
    assert (message.targets, message.after_grace_period, message.full) == ((TARGET,), False, False)
    assert message.requested_at == 0
    assert (message.event_ids, message.tool) == (("e1", "e2"), "terraform")


@pytest.mark.parametrize(("after_grace_period", "full"), [(True, True), (True, False), (False, False)])
def test_a_check_requested_again_is_the_same_check(
    sqs: SQSClient, url: str, *, after_grace_period: bool, full: bool
) -> None:
    """State that was cached since the first request may be used: reading all of it again makes slow checks slower."""
    request = replace(CHANGE, after_grace_period=after_grace_period, full=full, requested_at=1795167000.123)
    assert CheckQueue(sqs, url, 120).request_again([TARGET], request) == 1
    (message,) = read_batch({"Records": received(sqs, url)}, Direction.EXECUTION_ROLE)
    assert (message.after_grace_period, message.full, message.requested_at) == (
        after_grace_period,
        full,
        1795167000.123,
    )
    assert (message.event_ids, message.tool) == (("e1", "e2"), "terraform")


@pytest.mark.parametrize("full", [True, False])
def test_a_recheck_keeps_the_events_of_the_first_check(sqs: SQSClient, url: str, *, full: bool) -> None:
    """The recheck sends the alert, which links the event, and the fixer needs to know the tool."""
    CheckQueue(sqs, url).recheck(TARGET, replace(CHANGE, after_grace_period=True, full=full))
    (message,) = read_batch({"Records": received(sqs, url)}, Direction.EXECUTION_ROLE)
    assert (message.after_grace_period, message.full) == (True, full)
    assert (message.event_ids, message.tool) == (("e1", "e2"), "terraform")


def test_a_check_requested_again_for_a_change_of_iam_is_still_one(sqs: SQSClient, url: str) -> None:
    """Its function is checked again after the grace period, wherever the first check is made."""
    CheckQueue(sqs, url, 120).request_again([TARGET], replace(CHANGE, iam_change=True))
    CheckQueue(sqs, url, 120).request_again([TARGET], CHANGE)
    messages = read_batch({"Records": received(sqs, url)}, Direction.EXECUTION_ROLE)
    assert sorted(message.is_of_iam for message in messages) == [False, True]
