"""What a check leaves for the next check of the same function and direction."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from permission_guard.errors import UNREADABLE
from permission_guard.findings.callers import Caller, caller_of
from permission_guard.findings.role_permissions import RolePermissions, time_of_check
from permission_guard.model import limits
from permission_guard.model.arns import finding_target
from permission_guard.model.documents import known_fields
from permission_guard.model.role_permissions import RoleChange, role_change
from permission_guard.model.state import DeniedCall
from permission_guard.model.targets import RoleTarget
from permission_guard.needs.aws_messages import named_actions
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

KEEP_DENIED_CALLS = timedelta(days=1)
_MAX_DENIED_CALLS = 10


@record
class Checkpoint:
    """What the last recorded check found.

    `roles` are those that the function and its versions ran with. `denied_calls` are the calls about it that AWS denied
    within a day. `permissions` are what the roles' identity policies allowed, and `role_changes` the calls of a day
    that can have changed that. `role_digests` has an entry for each role whose findings this function's checks record:
    a digest of what was recorded, by the rule's id. `callers` are the principals and tools that changed the function or
    one of its roles. `is_complete` is whether the check could read what the permissions depend on, and the checkpoint
    itself can be read; it is not part of the JSON.
    """

    roles: frozenset[RoleTarget] = frozenset()
    denied_calls: tuple[DeniedCall, ...] = ()
    permissions: RolePermissions = RolePermissions()
    role_changes: tuple[RoleChange, ...] = ()
    role_digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    callers: tuple[Caller, ...] = ()
    is_complete: bool = field(default=True, compare=False)

    def to_json(self) -> str:
        """Return the checkpoint as JSON: equal checkpoints give equal text."""
        roles = sorted((role.account, role.name) for role in self.roles)
        document = {
            "roles": roles,
            "denied_calls": [asdict(denied_call) for denied_call in self.denied_calls],
            "permissions": self.permissions.to_document(),
            "role_changes": [asdict(change) for change in self.role_changes],
            "role_digests": {arn: dict(digests) for arn, digests in self.role_digests.items()},
            "callers": [asdict(caller) for caller in self.callers],
        }
        return json.dumps(document, sort_keys=True)

    def within(self, limit: int = limits.CHECKPOINT) -> Self:
        """Return the checkpoint without what makes it longer than `limit` bytes.

        Names in IAM and the calls that removed permissions can make the permissions longer than a table item. Without
        them, a fix waits for an approval. A function can have versions with hundreds of roles. Without the digests, the
        next full check records the findings of the roles again. The other parts are bounded.
        """
        if len(self.to_json()) <= limit:
            return self
        smaller = replace(self, permissions=RolePermissions())
        return smaller if len(smaller.to_json()) <= limit else replace(smaller, role_digests={})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a checkpoint; one of UNREADABLE when the text is not from `to_json`.

        Keys that a newer version added are ignored, and an older version has no permissions and no callers.
        """
        document = json.loads(text)
        permissions = document.get("permissions")
        return cls(
            roles=frozenset(
                RoleTarget(**known_fields(RoleTarget, {"account": account, "name": name}))
                for account, name in document["roles"]
            ),
            denied_calls=tuple(map(_denied_call, document["denied_calls"])),
            permissions=RolePermissions.from_document(permissions) if permissions else RolePermissions(),
            role_changes=tuple(map(role_change, document.get("role_changes", ()))),
            role_digests={
                _role_arn(arn): {_text(rule_id): _text(digest) for rule_id, digest in digests.items()}
                for arn, digests in document.get("role_digests", {}).items()
            },
            callers=tuple(map(caller_of, document.get("callers", ()))),
        )


@record
class StoredFindings:
    """The recorded findings of a function or a role. `unreadable` are the ids of those that cannot be read."""

    findings: tuple[Finding, ...] = ()
    unreadable: frozenset[str] = frozenset()


@record
class CheckRun:
    """A check that was started: what the last one left, and what was recorded.

    `number` counts the checks of the function and direction that were written before. `seen_at` is the time of the last
    one that could read what the permissions depend on, empty if it is unknown.
    """

    number: int
    checkpoint: Checkpoint = Checkpoint()
    seen_at: str = ""
    recorded: StoredFindings = StoredFindings()

    @classmethod
    def after(cls, number: int, text: str, seen_at: str, recorded: StoredFindings = StoredFindings()) -> Self:  # noqa: B008 - a record is immutable
        """Return a check run with the checkpoint in a text; what cannot be read is dropped, and overwritten."""
        checkpoint, time = Checkpoint(is_complete=not text), ""
        with suppress(*UNREADABLE):
            checkpoint = Checkpoint.from_json(text)
        with suppress(*UNREADABLE):
            time = time_of_check(seen_at)
        return cls(number, checkpoint, time, recorded)


def still_relevant(known: Iterable[DeniedCall], new: Iterable[DeniedCall], now: str) -> tuple[DeniedCall, ...]:
    """Return the denied calls of the last day, the last of each call, the oldest first.

    The time comes from an event: missing or future times are replaced by `now`. Only the last ten are kept: an attacker
    who tries a hundred names causes ten findings.
    """
    last: dict[tuple[str, ...], DeniedCall] = {}
    for denied_call in (*known, *(_timed(denied_call, now) for denied_call in new)):
        if _time(now) - _time(denied_call.at) < KEEP_DENIED_CALLS:
            last.pop(_identity(denied_call), None)
            last[_identity(denied_call)] = denied_call
    return tuple(last.values())[-_MAX_DENIED_CALLS:]


def _identity(denied_call: DeniedCall) -> tuple[str, ...]:
    """Return what identifies a call: its source, or, for calls about the function itself, the services it needs."""
    requested = denied_call.configuration
    source = requested.get("EventSourceArn") or requested.get("SelfManagedEventSource")
    services = {action.partition(":")[0] for action in named_actions(denied_call.message)}
    about = (json.dumps(source, sort_keys=True),) if denied_call.mapping else tuple(sorted(services))
    return denied_call.api, denied_call.function_arn, denied_call.role_arn, *about


def _role_arn(text: JSON) -> str:
    return finding_target(_text(text)).arn


def _text(value: JSON) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r:.50}")
    return value


def _denied_call(document: Mapping[str, JSON]) -> DeniedCall:
    denied_call = DeniedCall(**known_fields(DeniedCall, document))
    # What a check reads of it has to be readable: its time, its mapping, its destinations.
    _ = _time(denied_call.at), denied_call.mapping, denied_call.invoke_config
    return denied_call


def _timed(denied_call: DeniedCall, now: str) -> DeniedCall:
    try:
        is_past = _time(denied_call.at) <= _time(now)
    except ValueError:
        is_past = False
    return denied_call if is_past else replace(denied_call, at=now)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
