"""Read a batch of queue messages; merge what they ask for, so that ten changes of one role are one look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from permission_guard.arns import parse_function_arn
from permission_guard.bus import SOURCE
from permission_guard.cloudtrail import event_id_of, look_for, parse_record
from permission_guard.errors import MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from permission_guard.model import JSON, FunctionTarget, Scope, Target

LOOK_DETAIL_TYPE = "Look Requested"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a queue: its targets, or why there are none. `error` is set when it could not be read."""

    message_id: str
    event_id: str
    targets: tuple[Target, ...] = ()
    reason: str = ""
    error: MalformedEventError | None = None


def read_batch(event: Mapping[str, JSON], scope: Scope) -> tuple[Message, ...]:
    """Read an SQS event as Lambda gets it; a message that cannot be read carries its error.

    MalformedEventError when it is no SQS event at all: somebody invoked the function with something else.
    """
    records = event.get("Records")
    if not isinstance(records, list):
        raise MalformedEventError("this function takes batches of its queue, and the event has no `Records`")
    return tuple(_read(record, scope) for record in records)


def merge(messages: Iterable[Message]) -> dict[Target, tuple[Message, ...]]:
    """Return every target once, with the messages that ask for it."""
    merged: dict[Target, tuple[Message, ...]] = {}
    for message in messages:
        for target in message.targets:
            merged[target] = (*merged.get(target, ()), message)
    return merged


def look_request(targets: Sequence[FunctionTarget]) -> str:
    """Return the body of a message that asks for some functions to be looked at."""
    detail = {"functions": [target.arn for target in targets]}
    return json.dumps({"source": SOURCE, "detail-type": LOOK_DETAIL_TYPE, "detail": detail})


def _read(record: Mapping[str, JSON], scope: Scope) -> Message:
    message_id = record["messageId"]
    try:
        event = json.loads(record["body"])
    except (ValueError, RecursionError):  # the latter from JSON that is nested without end
        return Message(message_id, "unknown", error=MalformedEventError("the message is not JSON"))
    event_id = event_id_of(event)
    try:
        if isinstance(event, Mapping) and event.get("source") == SOURCE:
            return Message(message_id, f"look-request/{message_id}", _requested(event))
        look = look_for(parse_record(event), scope)
    except MalformedEventError as error:
        return Message(message_id, event_id, error=error)
    return Message(message_id, event_id, look.targets, look.reason)


def _requested(event: Mapping[str, JSON]) -> tuple[Target, ...]:
    detail = event.get("detail")
    arns = detail.get("functions") if isinstance(detail, Mapping) else None
    if not isinstance(arns, list) or not all(isinstance(arn, str) for arn in arns):
        raise MalformedEventError("a look was requested without a list of function ARNs")
    try:
        return tuple(parse_function_arn(arn)[0] for arn in arns)
    except ValueError as error:
        raise MalformedEventError(str(error)) from error
