"""Message movement tasks: the redrive of a dead-letter queue, for a caller that may send to the destination.

A task ends before the response, so none is ever active. Messages in flight stay.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sandbox.server import inside
from sandbox.server.authorization import require_allowed
from sandbox.server.own_service import Item, OwnService
from sandbox.server.queue_policy import SEND, put_message
from sandbox.server.reply import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
_ALSO_NEEDED = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_NO_SOURCE = "CouldNotDetermineMessageSource"
_NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
_FASTEST = 500
_MOST_RESULTS = 10


class MessageMoves(OwnService):
    """The message movement tasks of every account and region."""

    service = "sqs"

    def operations(self) -> Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return the handler of each operation."""
        return {
            "StartMessageMoveTask": self._start,
            "ListMessageMoveTasks": self._list,
            "CancelMessageMoveTask": self._cancel,
        }

    def _start(self, params: Mapping[str, Any]) -> dict[str, Any]:
        source_arn, destination_arn = params["SourceArn"], params.get("DestinationArn")
        source = _queue(source_arn, "SourceArn")
        if not _is_dead_letter_queue(source_arn):
            raise _invalid("Source queue must be configured as a Dead Letter Queue.")
        if not 1 <= params.get("MaxNumberOfMessagesPerSecond", 1) <= _FASTEST:
            raise _invalid(f"MaxNumberOfMessagesPerSecond must be between 1 and {_FASTEST}.")
        if destination_arn == source_arn:
            raise _invalid("Source queue arn and destination queue arn cannot be the same.")
        if destination_arn and _queue(destination_arn, "DestinationArn")["is_fifo"] != source["is_fifo"]:
            raise _invalid("The source queue and destination queue must be of the same queue type.")
        now = time.time()
        moving = [(one, destination_arn or _origin(one)) for one in source["messages"] if one["visible_at"] <= now]
        for action in _ALSO_NEEDED:
            require_allowed(action, source_arn)
        for arn in sorted({arn for _, arn in moving if arn} | ({destination_arn} if destination_arn else set())):
            require_allowed(SEND, arn)
        moved, reason = _move(source, moving)
        name = json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source_arn})
        handle = base64.b64encode(name.encode()).decode()
        given = {key: value for key, value in params.items() if value is not None}
        self.here()[handle] = {
            **given,
            "Status": "FAILED" if reason else "COMPLETED",
            "FailureReason": reason or None,
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": len(moving),
            "StartedTimestamp": int(now * 1000),
        }
        return {"TaskHandle": handle}

    def _list(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _queue(params["SourceArn"], "SourceArn")
        size = params.get("MaxResults", 1)
        if not 1 <= size <= _MOST_RESULTS:
            raise _invalid(f"Value for parameter MaxResults is invalid. Reason: Must be between 1 and {_MOST_RESULTS}.")
        tasks: list[Item] = [one for one in self.here().values() if one["SourceArn"] == params["SourceArn"]]
        return {"Results": tasks[::-1][:size]}

    def _cancel(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["TaskHandle"] not in self.here():
            raise ApiError("ResourceNotFoundException", "Task does not exist.", HTTPStatus.NOT_FOUND)
        raise ApiError("AWS.SimpleQueueService.UnsupportedOperation", "Only active tasks can be cancelled.")


def _queue(arn: str, parameter: str) -> dict[str, Any]:
    found: dict[str, Any] | None = inside.queue_by_arn(arn)
    if found is None:
        text = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise ApiError("ResourceNotFoundException", text, HTTPStatus.NOT_FOUND)
    return found


def _is_dead_letter_queue(arn: str) -> bool:
    policies = [queue["attributes"].get("RedrivePolicy") for queue in inside.queues.values()]
    return any(json.loads(policy)["deadLetterTargetArn"] == arn for policy in policies if policy)


def _invalid(text: str) -> ApiError:
    return ApiError("InvalidParameterValue", text)


def _origin(message: Mapping[str, Any]) -> str:
    """Return the queue from which a message came to the dead-letter queue, empty if it was sent there."""
    return str(message["sys"].get("DeadLetterQueueSourceArn", ""))


def _move(source: dict[str, Any], moving: list[tuple[dict[str, Any], str]]) -> tuple[int, str]:
    """Move messages until one has no destination. Return how many were moved, and the reason of a failure."""
    for moved, (message, arn) in enumerate(moving):
        destination = inside.queue_by_arn(arn) if arn else None
        if destination is None:
            return moved, _NO_QUEUE if arn else _NO_SOURCE
        put_message(destination, message["body"], message["message_attributes"], message)
        source["messages"].remove(message)
    return len(moving), ""
