"""Read a batch of queue messages; merge what they ask for, so that ten changes of one role are one look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from permission_guard.bus.events import SOURCE
from permission_guard.errors import MalformedEventError
from permission_guard.intake.cloudtrail import targets_of_record
from permission_guard.intake.cloudtrail_record import event_id_of, parse_record
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.findings import MAX_EVENT_IDS
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.state import DeniedCall
    from permission_guard.model.targets import JSON, Direction, Target


@record
class QueueMessage:
    """One message of a queue: its targets, or why there are none. `error` is set when it could not be read.

    `tool` is the infrastructure code that made the change, empty where none is known. `requested_at` is when a look was
    requested, in seconds since 1970, 0 for an event and where the request does not say. `causes` are the events that a
    requested look goes back to. `refusal` is the call, where the event tells of one that AWS refused because of the
    execution role.
    """

    message_id: str
    event_id: str
    targets: tuple[Target, ...] = ()
    reason: str = ""
    tool: str = ""
    requested_at: float = 0.0
    after_grace_period: bool = False
    full: bool = False
    causes: tuple[str, ...] = ()
    error: MalformedEventError | None = None
    # Part of what a message is, but not of its hash: a configuration has none.
    refusal: DeniedCall | None = field(default=None, hash=False)

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The events that it goes back to, itself where it is one."""
        return self.causes or (self.event_id,)


def read_batch(event: Mapping[str, JSON], direction: Direction) -> tuple[QueueMessage, ...]:
    """Read an SQS event as Lambda gets it; a message that cannot be read carries its error.

    MalformedEventError when it is no SQS event at all: somebody invoked the function with something else.
    """
    records = event.get("Records")
    if not isinstance(records, list):
        raise MalformedEventError("this function takes batches of its queue, and the event has no `Records`")
    return tuple(_read(record, direction) for record in records)


def merge(messages: Iterable[QueueMessage]) -> dict[Target, tuple[QueueMessage, ...]]:
    """Return every target once, with the messages that ask for it."""
    merged: dict[Target, tuple[QueueMessage, ...]] = {}
    for message in messages:
        for target in message.targets:
            merged[target] = (*merged.get(target, ()), message)
    return merged


def _read(record: Mapping[str, JSON], direction: Direction) -> QueueMessage:
    message_id = record["messageId"]
    try:
        event = json.loads(record["body"])
    except (ValueError, RecursionError):  # the latter from JSON that is nested without end
        return QueueMessage(message_id, "unknown", error=MalformedEventError("the message is not JSON"))
    event_id = event_id_of(event)
    try:
        if isinstance(event, Mapping) and event.get("source") == SOURCE:
            return _requested(event, message_id)
        look = targets_of_record(parse_record(event), direction)
    except MalformedEventError as error:
        return QueueMessage(message_id, event_id, error=error)
    return QueueMessage(message_id, event_id, look.targets, look.reason, look.tool, refusal=look.refusal)


def _requested(event: Mapping[str, JSON], message_id: str) -> QueueMessage:
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    arns, since = detail.get("functions"), detail.get("requested_at")
    if not isinstance(arns, list) or not all(isinstance(arn, str) for arn in arns):
        raise MalformedEventError("a look was requested without a list of function ARNs")
    try:
        targets = tuple(parse_function_arn(arn)[0] for arn in arns)
        requested_at = datetime.fromisoformat(since).timestamp() if since is not None else 0.0
        after_grace_period, full = (detail.get(name, True) is True for name in ("after_grace_period", "full"))
    except TypeError as error:
        raise MalformedEventError("the time of a look request is not a text") from error
    except (ValueError, OverflowError) as error:
        raise MalformedEventError(str(error)) from error
    causes, tool = detail.get("causes", []), detail.get("tool", "")
    if not isinstance(causes, list) or not all(isinstance(one, str) for one in (*causes, tool)):
        raise MalformedEventError("a look was requested without saying why in words")
    return QueueMessage(
        message_id,
        f"look-request/{message_id}",
        targets,
        tool=tool,
        requested_at=requested_at,
        after_grace_period=after_grace_period,
        full=full,
        causes=tuple(causes[:MAX_EVENT_IDS]),
    )
