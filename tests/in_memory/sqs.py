"""Queues in memory: standard queues with visibility timeouts, delays, redrive policies and dead-letter queues.

Every message that can be received may be received next: standard queues have no order.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.in_memory.service import Operations

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_MAX_DELAY = 900
_MAX_MESSAGE = 1024 * 1024
_MAX_VISIBILITY_TIMEOUT = 43_200
_BATCH = 10
_RECEIPT = re.compile(r"(?P<message>m[0-9]+)#[0-9]+")


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
    policy: str = ""
    messages: dict[str, Message] = field(default_factory=dict)

    def visible(self, now: float) -> list[Message]:
        """Return the messages that can be received."""
        return [message for message in self.messages.values() if message.visible_at <= now]

    def receive(self, message: Message, now: float) -> Message | None:
        """Receive a message. None if it was received too often: it is a dead letter then."""
        if self.dead_letters is not None and message.times_received >= self.max_receive_count:
            del self.messages[message.id]
            message.visible_at, message.receipt = now, ""
            self.dead_letters.messages[message.id] = message
            return None
        message.times_received += 1
        message.visible_at = now + self.visibility_timeout
        message.receipt = f"{message.id}#{message.times_received}"
        return message


class Queues(Service):
    """The queues of an account. `clock` returns seconds since 1970. Policies are kept, and allow and deny nothing."""

    def __init__(self, clock: Callable[[], float], account: str, region: str) -> None:
        self._clock, self._account, self._region = clock, account, region
        self.queues: dict[str, Queue] = {}
        self._sent = 0

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
        name = params["QueueName"] if "QueueName" in params else params["QueueUrl"].rpartition("/")[2]
        if name not in self.queues:
            raise _rejected("QueueDoesNotExist", "The specified queue does not exist.")
        return self.queues[name]

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        given, name = params.get("Attributes", {}), params["QueueName"]
        queue = Queue(name, float(given.get("VisibilityTimeout", 30)), float(given.get("DelaySeconds", 0)))
        queue.policy = given.get("Policy", "")
        if "RedrivePolicy" in given:
            policy = json.loads(given["RedrivePolicy"])
            queue.dead_letters = self.queues.get(policy["deadLetterTargetArn"].rpartition(":")[2])
            queue.max_receive_count = int(policy["maxReceiveCount"])
            if queue.dead_letters is None:
                raise _invalid(given["RedrivePolicy"], "RedrivePolicy", "Dead letter target does not exist.")
        held, wanted = self._settings(self.queues.setdefault(name, queue)), self._settings(queue)
        if any(held.get(attribute) != wanted[attribute] for attribute in given):
            raise _rejected("QueueNameExists", "A queue already exists with the same name and other attributes.")
        return {"QueueUrl": self.url(name)}

    def _settings(self, queue: Queue) -> dict[str, str]:
        """Return the attributes that CreateQueue sets."""
        settings = {"VisibilityTimeout": f"{queue.visibility_timeout:.0f}", "DelaySeconds": f"{queue.delay:.0f}"}
        if queue.dead_letters is not None:
            target = {"deadLetterTargetArn": self.arn(queue.dead_letters.name)}
            settings["RedrivePolicy"] = json.dumps({**target, "maxReceiveCount": queue.max_receive_count})
        return {**settings, "Policy": queue.policy} if queue.policy else settings

    def _url(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": self.url(self._queue(params).name)}

    def _attributes(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, now = self._queue(params), self._clock()
        messages = queue.messages.values()
        hidden = [one.receipt for one in messages if one.visible_at > now]
        attributes: dict[str, Any] = {
            "QueueArn": self.arn(queue.name),
            **self._settings(queue),
            "ApproximateNumberOfMessages": len(messages) - len(hidden),
            "ApproximateNumberOfMessagesNotVisible": sum(receipt != "" for receipt in hidden),
            "ApproximateNumberOfMessagesDelayed": sum(receipt == "" for receipt in hidden),
        }
        wanted = params.get("AttributeNames", ())
        return {"Attributes": {name: str(one) for name, one in attributes.items() if {name, "All"} & {*wanted}}}

    def _send(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, body = self._queue(params), params["MessageBody"]
        if len(body.encode()) > _MAX_MESSAGE:
            raise RejectedError("InvalidParameterValue", "Message must be shorter than 1048576 bytes.")
        return {"MessageId": self.send(queue, body, _delay(params)).id}

    def _send_batch(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, entries = self._queue(params), params["Entries"]
        if not entries:
            raise _rejected("EmptyBatchRequest", "There should be at least one entry.")
        if len(entries) > _BATCH:
            raise _rejected("TooManyEntriesInBatchRequest", "Maximum number of entries is 10.")
        if len({entry["Id"] for entry in entries}) < len(entries):
            raise _rejected("BatchEntryIdsNotDistinct", "Ids are not distinct.")
        if sum(len(entry["MessageBody"].encode()) for entry in entries) > _MAX_MESSAGE:
            raise _rejected("BatchRequestTooLong", "The batch is too long.")
        sent = [(entry["Id"], self.send(queue, entry["MessageBody"], _delay(entry)).id) for entry in entries]
        return {"Successful": [{"Id": own, "MessageId": message} for own, message in sent]}

    def _receive(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queue, now = self._queue(params), self._clock()
        most, found = params.get("MaxNumberOfMessages", 1), list[Message]()
        for message in queue.visible(now):
            if len(found) == most:
                break
            if received := queue.receive(message, now):
                received.visible_at = now + params.get("VisibilityTimeout", queue.visibility_timeout)
                found.append(received)
        with_count = {"ApproximateReceiveCount", "All"} & {*params.get("MessageSystemAttributeNames", ())}
        messages = [
            {
                "MessageId": one.id,
                "ReceiptHandle": one.receipt,
                "Body": one.body,
                **({"Attributes": {"ApproximateReceiveCount": str(one.times_received)}} if with_count else {}),
            }
            for one in found
        ]
        return {"Messages": messages} if messages else {}

    def _delete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Delete a message. The receipt of an earlier reception does nothing."""
        queue = self._queue(params)
        message = _received(queue, params["ReceiptHandle"])
        if message is not None:
            del queue.messages[message.id]
        return {}

    def _change_visibility(self, params: Mapping[str, Any]) -> dict[str, Any]:
        message, timeout = _received(self._queue(params), params["ReceiptHandle"]), params["VisibilityTimeout"]
        if not 0 <= timeout <= _MAX_VISIBILITY_TIMEOUT:
            raise _invalid(timeout, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
        if message is None or message.visible_at <= self._clock():
            raise _rejected("MessageNotInflight", "The message is not in flight.")
        message.visible_at = self._clock() + timeout
        return {}

    operations: ClassVar[Operations] = {
        "ChangeMessageVisibility": _change_visibility,
        "CreateQueue": _create,
        "DeleteMessage": _delete,
        "GetQueueAttributes": _attributes,
        "GetQueueUrl": _url,
        "ReceiveMessage": _receive,
        "SendMessage": _send,
        "SendMessageBatch": _send_batch,
    }


def _received(queue: Queue, receipt: str) -> Message | None:
    """Return the message of a receipt, None if there is none or it was received again."""
    parts = _RECEIPT.fullmatch(receipt)
    if parts is None:
        raise RejectedError("ReceiptHandleIsInvalid", f'The input receipt handle "{receipt}" is not valid.')
    message = queue.messages.get(parts["message"])
    return message if message is not None and message.receipt == receipt else None


def _delay(entry: Mapping[str, Any]) -> float | None:
    delay = entry.get("DelaySeconds")
    if delay is not None and not 0 <= delay <= _MAX_DELAY:
        raise _invalid(delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
    return None if delay is None else float(delay)


def _rejected(name: str, text: str) -> RejectedError:
    """Return an error of the service's model, with its code of the query protocol."""
    return RejectedError(_QUERY_CODES.get(name, f"AWS.SimpleQueueService.{name}"), text, modeled=name)


_QUERY_CODES = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
}


def _invalid(value: Any, parameter: str, reason: str) -> RejectedError:
    return RejectedError(
        "InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    )
