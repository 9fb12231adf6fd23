"""Queues in memory: standard queues with visibility timeouts, delays, redrive policies and dead-letter queues.

Every message that can be received may be received next: standard queues have no order.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from permission_guard.model import limits
from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_DELAY = 900


@dataclass(slots=True)
class Message:
    """A message. It can be received from `visible_at` on, in seconds since 1970."""

    id: str
    body: str
    visible_at: float
    times_received: int = 0
    receipt: str = ""


@dataclass(slots=True)
class Queue:
    """A queue: seconds for which a received message is invisible, and where it goes after too many receptions."""

    name: str
    visibility_timeout: float = 30.0
    delay: float = 0.0
    dead_letters: Queue | None = None
    max_receive_count: int = 0
    messages: dict[str, Message] = field(default_factory=dict)

    def visible(self, now: float) -> list[Message]:
        """Return the messages that can be received."""
        return [message for message in self.messages.values() if message.visible_at <= now]

    def receive(self, message: Message, now: float) -> Message | None:
        """Receive a message. None if it was received too often: it is a dead letter then."""
        if self.dead_letters is not None and message.times_received >= self.max_receive_count:
            del self.messages[message.id]
            message.visible_at = now
            self.dead_letters.messages[message.id] = message
            return None
        message.times_received += 1
        message.visible_at = now + self.visibility_timeout
        message.receipt = f"{message.id}#{message.times_received}"
        return message


class Queues:
    """The queues of an account. `clock` returns seconds since 1970."""

    def __init__(self, clock: Callable[[], float], account: str, region: str) -> None:
        self._clock, self._account, self._region = clock, account, region
        self.queues: dict[str, Queue] = {}
        self._sent = 0

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call."""
        reply: dict[str, Any] = _ANSWERS[operation](self, params)
        return reply

    def url(self, name: str) -> str:
        """Return the URL of a queue."""
        return f"https://sqs.{self._region}.amazonaws.com/{self._account}/{name}"

    def arn(self, name: str) -> str:
        """Return the ARN of a queue."""
        return f"arn:aws:sqs:{self._region}:{self._account}:{name}"

    def send(self, queue: Queue, body: str, delay: float | None = None) -> Message:
        """Put a message into a queue."""
        self._sent += 1
        message = Message(f"m{self._sent}", body, self._clock() + (queue.delay if delay is None else delay))
        queue.messages[message.id] = message
        return message

    def _queue(self, params: Mapping[str, Any]) -> Queue:
        name = params["QueueUrl"].rpartition("/")[2]
        if name not in self.queues:
            raise RejectedError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return self.queues[name]

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        given = params.get("Attributes", {})
        queue = Queue(
            params["QueueName"], float(given.get("VisibilityTimeout", 30)), float(given.get("DelaySeconds", 0))
        )
        if "RedrivePolicy" in given:
            policy = json.loads(given["RedrivePolicy"])
            queue.dead_letters = self.queues[policy["deadLetterTargetArn"].rpartition(":")[2]]
            queue.max_receive_count = int(policy["maxReceiveCount"])
        self.queues[queue.name] = queue
        return {"QueueUrl": self.url(queue.name)}

    def _attributes(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, now = self._queue(params), self._clock()
        messages = queue.messages.values()
        counts = {
            "ApproximateNumberOfMessages": sum(one.visible_at <= now for one in messages),
            "ApproximateNumberOfMessagesNotVisible": sum(
                one.visible_at > now and one.receipt != "" for one in messages
            ),
            "ApproximateNumberOfMessagesDelayed": sum(one.visible_at > now and one.receipt == "" for one in messages),
        }
        return {"Attributes": {"QueueArn": self.arn(queue.name), **{name: str(one) for name, one in counts.items()}}}

    def _send(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue = self._queue(params)
        _check_size(params["MessageBody"])
        return {"MessageId": self.send(queue, params["MessageBody"], _delay(params)).id}

    def _send_batch(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, entries = self._queue(params), params["Entries"]
        if not entries:
            raise RejectedError("AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry.")
        if len(entries) > limits.QUEUE_BATCH_MESSAGES:
            raise RejectedError(
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "Maximum number of entries is 10."
            )
        if len({entry["Id"] for entry in entries}) < len(entries):
            raise RejectedError("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Ids are not distinct.")
        if sum(len(entry["MessageBody"].encode()) for entry in entries) > limits.QUEUE_MESSAGE:
            raise RejectedError("AWS.SimpleQueueService.BatchRequestTooLong", "The batch is too long.")
        sent = [(entry["Id"], self.send(queue, entry["MessageBody"], _delay(entry)).id) for entry in entries]
        return {"Successful": [{"Id": own, "MessageId": message} for own, message in sent], "Failed": []}

    def _receive(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, now = self._queue(params), self._clock()
        most, found = params.get("MaxNumberOfMessages", 1), list[Message]()
        for message in queue.visible(now):
            if len(found) == most:
                break
            if received := queue.receive(message, now):
                received.visible_at = now + params.get("VisibilityTimeout", queue.visibility_timeout)
                found.append(received)
        messages = [
            {
                "MessageId": one.id,
                "ReceiptHandle": one.receipt,
                "Body": one.body,
                "Attributes": {"ApproximateReceiveCount": str(one.times_received)},
            }
            for one in found
        ]
        return {"Messages": messages} if messages else {}

    def _delete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Delete a message. AWS may ignore the receipt of an earlier reception; here it always does."""
        queue, receipt = self._queue(params), params["ReceiptHandle"]
        message = queue.messages.get(receipt.partition("#")[0])
        if message is not None and message.receipt == receipt:
            del queue.messages[message.id]
        return {}

    def _change_visibility(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, receipt = self._queue(params), params["ReceiptHandle"]
        message = queue.messages.get(receipt.partition("#")[0])
        if message is not None and message.receipt == receipt:
            message.visible_at = self._clock() + params["VisibilityTimeout"]
        return {}


_ANSWERS: dict[str, Callable[[Queues, Mapping[str, Any]], dict[str, Any]]] = {
    "ChangeMessageVisibility": Queues._change_visibility,
    "CreateQueue": Queues._create,
    "DeleteMessage": Queues._delete,
    "GetQueueAttributes": Queues._attributes,
    "GetQueueUrl": lambda queues, params: {"QueueUrl": queues.url(params["QueueName"])},
    "ReceiveMessage": Queues._receive,
    "SendMessage": Queues._send,
    "SendMessageBatch": Queues._send_batch,
}


def _delay(entry: Mapping[str, Any]) -> float | None:
    delay = entry.get("DelaySeconds")
    if delay is not None and not 0 <= delay <= MAX_DELAY:
        raise RejectedError("InvalidParameterValue", "DelaySeconds must be from 0 to 900.")
    return None if delay is None else float(delay)


def _check_size(body: str) -> None:
    if len(body.encode()) > limits.QUEUE_MESSAGE:
        raise RejectedError("InvalidParameterValue", "One or more parameters are invalid: the message is too long.")
