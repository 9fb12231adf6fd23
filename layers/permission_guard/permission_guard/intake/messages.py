"""Read a batch of queue messages, and merge their targets: ten changes of one role need one check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from permission_guard.bus.events import SOURCE
from permission_guard.errors import UNREADABLE, MalformedEventError
from permission_guard.intake.cloudtrail import REMOVING, targets_of_record
from permission_guard.intake.cloudtrail_record import (
    CLOUDFORMATION,
    TERRAFORM,
    event_id_of,
    is_principal_or_unknown,
    parse_record,
    short_event_id,
    shown_text,
)
from permission_guard.model.arns import is_policy_arn, parse_function_arn
from permission_guard.model.findings import CHECK_REQUEST, MAX_EVENT_IDS
from permission_guard.model.names import ROLE_NAME
from permission_guard.model.role_permissions import role_change
from permission_guard.model.targets import PolicyTarget, RoleTarget
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.role_permissions import RoleChange
    from permission_guard.model.state import DeniedCall
    from permission_guard.model.targets import JSON, Direction, Target


@record
class QueueMessage:
    """One message of a queue: its targets, or why there are none. `error` is set when it could not be read.

    `tool` is the infrastructure code that made the change, empty where it is unknown. `requested_at` is when a check
    was requested, in seconds since 1970; 0 for an event, and where the request has no time. `causes` are the events
    that led to a requested check. `denied_call` is the call that AWS denied because of the execution role, if there was
    one. `times_received` is how often SQS has delivered the message, this time included. `after_iam_change` is true for
    a check request that a change of a role or a policy led to. `changed_by`, `changed_from` and `changed_with` are who
    made the change, from where and with which user agent; `changed_event` is the id of that event and `changed_in` its
    region. `baseline` is true for a request of the first sweep.
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
    times_received: int = 1
    # Compared, but not hashed: a configuration is a mapping.
    denied_call: DeniedCall | None = field(default=None, hash=False)
    changed_by: str = ""
    changed_from: str = ""
    changed_with: str = ""
    changed_in: str = ""
    changed_event: str = ""
    baseline: bool = False
    role_changes: tuple[RoleChange, ...] = ()
    after_iam_change: bool = False

    @property
    def is_of_iam(self) -> bool:
        """Whether a role or a policy was changed, which IAM still has to propagate."""
        return self.after_iam_change or any(isinstance(target, RoleTarget | PolicyTarget) for target in self.targets)

    @property
    def is_change(self) -> bool:
        """Whether `changed_by` and `tool` are of a change: a denied call has a caller too, and so has its recheck."""
        if self.event_id.startswith(CHECK_REQUEST):
            return bool(self.tool or self.role_changes or self.after_iam_change)
        return self.denied_call is None

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The ids of the events that led to this message: its own id where it is an event."""
        return self.causes or (self.event_id,)


def read_batch(event: Mapping[str, JSON], direction: Direction) -> tuple[QueueMessage, ...]:
    """Read an SQS event as Lambda receives it; a message that cannot be read carries its error.

    MalformedEventError when it is not an SQS event: the function was invoked with something else.
    """
    records = event.get("Records")
    if not isinstance(records, list):
        raise MalformedEventError("the event has no `Records`: this function takes batches of its SQS queue")
    return tuple(_read(record, direction) for record in records)


def merge(messages: Iterable[QueueMessage]) -> dict[Target, tuple[QueueMessage, ...]]:
    """Return each target once, with the messages that name it."""
    merged: dict[Target, tuple[QueueMessage, ...]] = {}
    for message in messages:
        for target in message.targets:
            merged[target] = (*merged.get(target, ()), message)
    return merged


def _read(record: Mapping[str, JSON], direction: Direction) -> QueueMessage:
    message_id = record["messageId"]
    try:
        event = json.loads(record["body"])
    except (ValueError, RecursionError):  # RecursionError: JSON that is nested too deeply
        return QueueMessage(message_id, "unknown", error=MalformedEventError("the message is not JSON"))
    event_id = event_id_of(event)
    try:
        if isinstance(event, Mapping) and event.get("source") == SOURCE:
            return _requested(event, message_id, _times_received(record))
        found = targets_of_record(parse_record(event), direction)
    except MalformedEventError as error:
        return QueueMessage(message_id, event_id, error=error)
    return QueueMessage(
        message_id,
        event_id,
        found.targets,
        found.reason,
        found.tool,
        times_received=_times_received(record),
        denied_call=found.denied_call,
        changed_by=found.changed_by,
        changed_from=found.changed_from,
        changed_with=found.changed_with,
        changed_in=found.changed_in,
        changed_event=found.event_id if found.targets else "",
        role_changes=(found.role_change,) if found.role_change else (),
    )


def _times_received(record: Mapping[str, JSON]) -> int:
    """Return how often SQS has delivered a message; 1 where it does not say so, as in a test event of the console."""
    try:
        return int(record["attributes"]["ApproximateReceiveCount"])
    except (KeyError, TypeError, ValueError):
        return 1


def _is_valid_change(change: RoleChange) -> bool:
    """Return whether a change names an API, a caller, and a role or a policy as AWS does."""
    is_named = ROLE_NAME.match(change.role_name) if change.role_name else is_policy_arn(change.policy_arn)
    return change.api in REMOVING and is_principal_or_unknown(change.by) and bool(is_named)


def _requested(event: Mapping[str, JSON], message_id: str, times_received: int) -> QueueMessage:
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    arns, since = detail.get("functions"), detail.get("requested_at")
    if not isinstance(arns, list) or not all(isinstance(arn, str) for arn in arns):
        raise MalformedEventError("a check request has no list of function ARNs in `functions`")
    try:
        targets = tuple(parse_function_arn(arn)[0] for arn in arns)
        requested_at = datetime.fromisoformat(since).timestamp() if since is not None else 0.0
        after_grace_period, full = (detail.get(name, True) is True for name in ("after_grace_period", "full"))
    except TypeError as error:
        raise MalformedEventError("a check request has a `requested_at` that is not a string") from error
    except (ValueError, OverflowError) as error:
        raise MalformedEventError(str(error)) from error
    causes, tool, changed_by = detail.get("causes", []), detail.get("tool", ""), detail.get("changed_by", "")
    if not isinstance(causes, list) or not all(isinstance(one, str) for one in causes):
        raise MalformedEventError("a check request has `causes` that are not strings")
    if tool not in ("", CLOUDFORMATION, TERRAFORM):
        raise MalformedEventError("a check request has an unknown `tool`")
    if not is_principal_or_unknown(changed_by):
        raise MalformedEventError("a check request has a `changed_by` that is not the ARN of a principal")
    try:
        role_changes = tuple(map(role_change, detail.get("role_changes", ())))
    except UNREADABLE as error:
        raise MalformedEventError(f"a check request has invalid `role_changes`: {error!r:.200}") from error
    if not all(map(_is_valid_change, role_changes)):
        raise MalformedEventError("a check request has `role_changes` with invalid names")
    return QueueMessage(
        message_id,
        f"{CHECK_REQUEST}{message_id}",
        targets,
        tool=tool,
        requested_at=requested_at,
        after_grace_period=after_grace_period,
        full=full,
        causes=tuple(map(short_event_id, causes[:MAX_EVENT_IDS])),
        changed_by=changed_by,
        changed_from=shown_text(detail.get("changed_from")),
        changed_with=shown_text(detail.get("changed_with")),
        changed_in=shown_text(detail.get("changed_in")),
        changed_event=short_event_id(shown_text(detail.get("changed_event"))),
        baseline=detail.get("baseline") is True,
        role_changes=role_changes,
        after_iam_change=detail.get("iam_change") is True,
        times_received=times_received,
    )
