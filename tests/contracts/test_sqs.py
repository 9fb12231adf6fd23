"""What SQS does with the messages of standard queues."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of, unique
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
COUNTS = tuple(f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed"))


def make_queue(aws: Aws, name: str = "queue", **attributes: str) -> str:
    """Make a queue; return its URL."""
    url: str = aws.client("sqs").create_queue(QueueName=unique(name), Attributes=attributes)["QueueUrl"]
    return url


def receive(aws: Aws, queue: str, **params: Any) -> list[dict[str, Any]]:
    """Receive the messages that are visible now."""
    wanted = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["ApproximateReceiveCount"]}
    found: list[dict[str, Any]] = (
        aws.client("sqs").receive_message(QueueUrl=queue, **wanted, **params).get("Messages", [])
    )
    return found


def receive_count(message: dict[str, Any]) -> int:
    """Return how often a message was received."""
    return int(message["Attributes"]["ApproximateReceiveCount"])


def counts(aws: Aws, queue: str) -> tuple[int, ...]:
    """Return how many messages are visible, in flight and delayed."""
    found = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=list(COUNTS))["Attributes"]
    return tuple(int(found[name]) for name in COUNTS)


def test_a_received_message_is_invisible_until_its_visibility_timeout_is_over(aws: Aws) -> None:
    """Then it comes again, with a receive count that is one higher, and with another receipt handle.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    """
    queue = make_queue(aws, VisibilityTimeout="1")
    sent = aws.client("sqs").send_message(QueueUrl=queue, MessageBody="body")

    (first,) = receive(aws, queue)
    hidden = receive(aws, queue)
    (second,) = aws.eventually(lambda: receive(aws, queue))

    assert (first["MessageId"], first["Body"], receive_count(first)) == (sent["MessageId"], "body", 1)
    assert hidden == []
    assert (second["MessageId"], second["Body"], receive_count(second)) == (sent["MessageId"], "body", 2)
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


def test_a_request_sets_the_visibility_timeout_of_what_it_receives(aws: Aws) -> None:
    """Zero leaves a message visible.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    queue = make_queue(aws, VisibilityTimeout="1000")
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="body")

    counted = [receive_count(one) for _ in range(2) for one in receive(aws, queue, VisibilityTimeout=0)]

    assert counted == [1, 2]


@pytest.mark.differs(ministack="rejects the receipt handle of a deleted message")
def test_a_deleted_message_never_comes_again(aws: Aws) -> None:
    """It is in no count any more, and deleting it again is no error.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
    """
    queue, sqs = make_queue(aws), aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="body")
    (message,) = receive(aws, queue)

    for _ in range(2):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    assert counts(aws, queue) == (0, 0, 0)


@pytest.mark.differs(
    moto="deletes with each receipt handle that a message had",
    ministack="rejects the receipt handles of earlier receptions",
)
def test_an_outdated_receipt_handle_does_not_delete_a_message(aws: Aws) -> None:
    """The request succeeds, but only the handle of the last reception deletes.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
    """
    queue, sqs = make_queue(aws), aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="body")
    first, _ = (receive(aws, queue, VisibilityTimeout=0)[0] for _ in range(2))

    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])

    assert [receive_count(one) for one in receive(aws, queue)] == [3]


def test_a_receipt_handle_that_is_none_is_invalid(aws: Aws) -> None:
    """The error has a code of its own.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
    """
    sqs = aws.client("sqs")

    assert code_of(sqs.delete_message, QueueUrl=make_queue(aws), ReceiptHandle="none") == "ReceiptHandleIsInvalid"


def test_a_message_is_delayed(aws: Aws) -> None:
    """It is counted as delayed, and visible afterwards.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
    """
    queue = make_queue(aws)
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)

    early, delayed = receive(aws, queue), counts(aws, queue)
    (message,) = aws.eventually(lambda: receive(aws, queue))

    assert (early, delayed) == ([], (0, 0, 1))
    assert (message["Body"], receive_count(message)) == ("late", 1)


def test_the_delay_of_a_queue_is_for_messages_without_their_own(aws: Aws) -> None:
    """A message's own DelaySeconds take precedence, zero among them.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
    """
    queue, sqs = make_queue(aws, DelaySeconds="1"), aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="late")
    entries = [{"Id": "own", "MessageBody": "at once", "DelaySeconds": 0}]
    sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    early = receive(aws, queue)
    late = aws.eventually(lambda: receive(aws, queue))

    assert [one["Body"] for one in early] == ["at once"]
    assert [one["Body"] for one in late] == ["late"]


@pytest.mark.differs(ministack="accepts any delay")
def test_a_delay_is_at_most_900_seconds(aws: Aws) -> None:
    """A longer one is rejected.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    sqs = aws.client("sqs")
    code = code_of(sqs.send_message, QueueUrl=make_queue(aws), MessageBody="body", DelaySeconds=901)

    assert code == "InvalidParameterValue"


def test_a_message_that_was_received_too_often_becomes_a_dead_letter(aws: Aws) -> None:
    """The reception after maxReceiveCount ones moves it, with its id and its body.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    dead_letters = make_queue(aws, "dead")
    target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{dead_letters.rpartition('/')[2]}"
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 2})
    queue = make_queue(aws, VisibilityTimeout="0", RedrivePolicy=policy)
    sent = aws.client("sqs").send_message(QueueUrl=queue, MessageBody="poison")

    received = [one["MessageId"] for _ in range(3) for one in receive(aws, queue)]
    (dead,) = aws.eventually(lambda: receive(aws, dead_letters))

    assert received == [sent["MessageId"]] * 2
    assert (dead["MessageId"], dead["Body"]) == (sent["MessageId"], "poison")
    assert counts(aws, queue) == (0, 0, 0)


def test_the_counts_of_a_queue_are_of_visible_messages_of_those_in_flight_and_of_delayed_ones(aws: Aws) -> None:
    """A queue has only the attributes that a request names.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
    """
    queue, sqs = make_queue(aws), aws.client("sqs")
    for body in ("received", "visible", "visible, too"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    sqs.send_message(QueueUrl=queue, MessageBody="delayed", DelaySeconds=60)
    sqs.receive_message(QueueUrl=queue)

    named = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]

    assert counts(aws, queue) == (2, 1, 1)
    assert named == {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rpartition('/')[2]}"}


def test_a_batch_is_sent_message_by_message(aws: Aws) -> None:
    """The reply has the id of each entry with the id of its message.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
    """
    queue = make_queue(aws)
    entries = [{"Id": f"e{number}", "MessageBody": f"body {number}"} for number in range(10)]

    reply = aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    received = {one["MessageId"]: one["Body"] for one in receive(aws, queue)}

    assert {one["Id"]: received.get(one["MessageId"]) for one in reply["Successful"]} == {
        one["Id"]: one["MessageBody"] for one in entries
    }
    assert reply.get("Failed", []) == []


@pytest.mark.parametrize(
    ("bodies", "ids", "code"),
    [
        ([], [], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (["a"] * 11, list("abcdefghijk"), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        (["a", "b"], ["same", "same"], "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        (["a" * 600_000] * 2, ["a", "b"], "AWS.SimpleQueueService.BatchRequestTooLong"),
    ],
    ids=["empty", "eleven entries", "an id twice", "more than 1 MiB"],
)
def test_a_batch_over_the_limits_is_rejected(aws: Aws, bodies: list[str], ids: list[str], code: str) -> None:
    """It has one to ten entries with distinct ids, and at most 1 MiB. Nothing of it is sent.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
    """
    queue, sqs = make_queue(aws), aws.client("sqs")
    entries = [{"Id": own, "MessageBody": body} for own, body in zip(ids, bodies, strict=True)]

    assert code_of(sqs.send_message_batch, QueueUrl=queue, Entries=entries) == code
    assert counts(aws, queue) == (0, 0, 0)


def test_a_message_has_at_most_1_mib(aws: Aws) -> None:
    """One more byte is rejected.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
    """
    queue, sqs = make_queue(aws), aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="a" * 2**20)

    code = code_of(sqs.send_message, QueueUrl=queue, MessageBody="a" * (2**20 + 1))

    assert code == "InvalidParameterValue"
    assert counts(aws, queue) == (1, 0, 0)


def test_a_queue_that_does_not_exist_is_an_error(aws: Aws) -> None:
    """Its exception is QueueDoesNotExist, and its code the one of the query protocol.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    """
    sqs, url = aws.client("sqs"), make_queue(aws) + "-missing"

    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="body")
    codes = {
        code_of(sqs.send_message, QueueUrl=url, MessageBody="body"),
        code_of(sqs.send_message_batch, QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "body"}]),
        code_of(sqs.receive_message, QueueUrl=url),
        code_of(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"]),
        code_of(sqs.get_queue_url, QueueName=unique("missing")),
    }

    assert codes == {NO_QUEUE}


def test_a_queue_is_created_again_only_with_its_attributes(aws: Aws) -> None:
    """It keeps its messages.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    """
    sqs, name = aws.client("sqs"), unique("queue")
    url = sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "0"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="body")

    again = sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "0"})["QueueUrl"]
    code = code_of(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "5"})

    assert (again, sqs.get_queue_url(QueueName=name)["QueueUrl"], code) == (url, url, "QueueAlreadyExists")
    assert counts(aws, url) == (1, 0, 0)


def test_the_visibility_timeout_of_a_message_can_be_extended(aws: Aws) -> None:
    """The other messages of the queue become visible meanwhile.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    queue, sqs = make_queue(aws, VisibilityTimeout="1"), aws.client("sqs")
    for body in ("other", "extended"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    handles = {one["Body"]: one["ReceiptHandle"] for one in receive(aws, queue)}

    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handles["extended"], VisibilityTimeout=600)

    assert [one["Body"] for one in aws.eventually(lambda: receive(aws, queue))] == ["other"]
    assert counts(aws, queue) == (0, 2, 0)


def test_the_visibility_timeout_of_a_message_can_be_ended(aws: Aws) -> None:
    """A timeout of zero makes the message visible.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    queue, sqs = make_queue(aws, VisibilityTimeout="600"), aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="body")
    (message,) = receive(aws, queue)

    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)

    assert [receive_count(one) for one in aws.eventually(lambda: receive(aws, queue))] == [2]


@pytest.mark.differs(
    moto="accepts the receipt handle of a visible message", ministack="accepts the receipt handle of a visible message"
)
def test_a_visible_message_is_not_in_flight(aws: Aws) -> None:
    """Its visibility timeout cannot be changed.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    queue, sqs = make_queue(aws, VisibilityTimeout="0"), aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="body")
    (message,) = receive(aws, queue)
    request = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 5}

    assert code_of(sqs.change_message_visibility, **request) == "AWS.SimpleQueueService.MessageNotInflight"
