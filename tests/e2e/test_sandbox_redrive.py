"""Message movement tasks: who may redrive a dead-letter queue, and how a redrive ends."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.answers import rejection
from tests.e2e.queues import BY_POLICY, EVERYTHING, Queue, only

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox


@pytest.fixture
def failing(sandbox: Sandbox, dead_letters: Queue, unique: str) -> Queue:
    """Make a queue whose messages go to the dead-letter queue after one receive."""
    redrive = json.dumps({"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": 1})
    return Queue(sandbox, f"{unique}-main", RedrivePolicy=redrive, VisibilityTimeout="0")


def fail(sandbox: Sandbox, queue: Queue, *bodies: str) -> None:
    """Send messages to a queue, and receive them until they are in the dead-letter queue."""
    sqs = sandbox.client("sqs")
    for body in bodies:
        attribute = {"DataType": "String", "StringValue": body}
        sqs.send_message(QueueUrl=queue.url, MessageBody=body, MessageAttributes={"name": attribute})
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)


def test_only_an_excepted_operator_can_redrive(
    *,
    sandbox: Sandbox,
    make_role: Callable[..., str],
    assume: Callable[[str, str], Any],
    failing: Queue,
    dead_letters: Queue,
    stranger: str,
    unique: str,
) -> None:
    """The queue's policy is evaluated for the caller of a redrive. SQS's own move to the dead-letter queue is not."""
    operator = make_role(f"{unique}-operator", EVERYTHING)
    dead_letters.set_policy(only(dead_letters.name))
    fail(sandbox, failing, "one", "two")
    failing.set_policy(only(failing.name, operator))
    source = {"SourceArn": dead_letters.arn}
    to_origin, to_queue = source, {**source, "DestinationArn": failing.arn}

    for arguments in (to_origin, to_queue):
        for sqs in (assume(stranger, "sqs"), sandbox.client("sqs")):
            code, message, status = rejection(sqs.start_message_move_task, **arguments)
            assert (code, status) == ("AccessDenied", 403)
            assert message.endswith(f"sqs:sendmessage on resource: {failing.arn} {BY_POLICY}")
    assert failing.bodies() == []
    task = assume(operator, "sqs").start_message_move_task(**to_origin)

    assert task["TaskHandle"]
    assert [one["MessageAttributes"]["name"]["StringValue"] for one in failing.messages()] == ["one", "two"]
    assert dead_letters.bodies() == []
    (result,) = sandbox.client("sqs").list_message_move_tasks(**source)["Results"]
    assert time.time() - result.pop("StartedTimestamp") / 1000 < 60
    counts = {"ApproximateNumberOfMessagesMoved": 2, "ApproximateNumberOfMessagesToMove": 2}
    assert result == {"Status": "COMPLETED", **source, **counts}


@pytest.mark.parametrize("missing", ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"])
def test_a_redrive_needs_permissions_on_the_dead_letter_queue(
    *,
    sandbox: Sandbox,
    make_role: Callable[..., str],
    assume: Callable[[str, str], Any],
    failing: Queue,
    dead_letters: Queue,
    unique: str,
    missing: str,
) -> None:
    """A redrive needs the permissions to read and delete the messages of the dead-letter queue."""
    role = make_role(unique, EVERYTHING, {**EVERYTHING, "Effect": "Deny", "Action": f"sqs:{missing}"})
    fail(sandbox, failing, "one")

    code, message, _ = rejection(assume(role, "sqs").start_message_move_task, SourceArn=dead_letters.arn)

    assert (code, failing.bodies()) == ("AccessDenied", [])
    assert f"sqs:{missing.lower()} on resource: {dead_letters.arn} with an explicit deny" in message


def test_tasks_are_listed_and_end_as_on_aws(
    sandbox: Sandbox, failing: Queue, dead_letters: Queue, queue: Queue
) -> None:
    """The newest task is listed first. A message without a source queue fails a task without a destination."""
    sqs, source = sandbox.client("sqs"), {"SourceArn": dead_letters.arn}
    sqs.send_message(QueueUrl=dead_letters.url, MessageBody="sent directly")

    sqs.start_message_move_task(**source)
    (failed,) = sqs.list_message_move_tasks(**source)["Results"]
    sqs.start_message_move_task(**source, DestinationArn=queue.arn, MaxNumberOfMessagesPerSecond=500)
    listed = sqs.list_message_move_tasks(**source, MaxResults=10)["Results"]
    fail(sandbox, failing, "lost")
    sqs.delete_queue(QueueUrl=failing.url)

    assert (failed["Status"], failed["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert [(one["Status"], one.get("DestinationArn")) for one in listed] == [
        ("COMPLETED", queue.arn),
        ("FAILED", None),
    ]
    assert listed[0]["MaxNumberOfMessagesPerSecond"] == 500
    assert queue.bodies() == ["sent directly"]
    assert rejection(sqs.start_message_move_task, **source)[1] == (
        "Source queue must be configured as a Dead Letter Queue."
    )


def test_a_redrive_that_sqs_rejects_is_rejected(
    sandbox: Sandbox, failing: Queue, dead_letters: Queue, unique: str
) -> None:
    """Queues that do not exist or do not fit, rates and handles that are not valid, are rejected."""
    sqs, source = sandbox.client("sqs"), {"SourceArn": dead_letters.arn}
    fifo = Queue(sandbox, f"{unique}.fifo", FifoQueue="true")
    start, missing, invalid = sqs.start_message_move_task, "ResourceNotFoundException", "InvalidParameterValue"
    lost = f"{dead_letters.arn}-lost"

    text = "The resource that you specified for the {} parameter doesn't exist."
    assert rejection(start, SourceArn=lost) == (missing, text.format("SourceArn"), 404)
    assert rejection(start, **source, DestinationArn=lost) == (missing, text.format("DestinationArn"), 404)
    assert rejection(sqs.list_message_move_tasks, SourceArn=lost) == (missing, text.format("SourceArn"), 404)
    assert rejection(start, SourceArn=failing.arn)[0] == invalid
    assert rejection(start, **source, DestinationArn=dead_letters.arn)[0] == invalid
    assert rejection(start, **source, DestinationArn=fifo.arn)[0] == invalid
    for rate in (0, 501):
        assert rejection(start, **source, MaxNumberOfMessagesPerSecond=rate)[0] == invalid
    for size in (0, 11):
        assert rejection(sqs.list_message_move_tasks, **source, MaxResults=size)[0] == invalid
    assert rejection(sqs.cancel_message_move_task, TaskHandle="no handle") == (missing, "Task does not exist.", 404)
    ended = start(**source)["TaskHandle"]
    code, message, status = rejection(sqs.cancel_message_move_task, TaskHandle=ended)
    assert (code, status) == ("AWS.SimpleQueueService.UnsupportedOperation", 400)
    assert message == "Only active tasks can be cancelled."
