"""Remember what the identity policies of a function's roles allowed, what they lost since, and who removed it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from permission_guard.model.documents import known_fields
from permission_guard.model.role_permissions import (
    MAX_ROLE_CHANGES,
    LostPermission,
    Permission,
    RoleChange,
    role_change,
)
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.model.role_permissions import RequiredPermissions
    from permission_guard.model.targets import JSON

KEEP_ROLE_CHANGES = timedelta(days=1)
KEEP_LOST = timedelta(days=1)
"""How long a loss is remembered. Whoever has not restored it by then has decided, or must: a fix then waits."""

IAM_DELAY = timedelta(minutes=5)
"""How much earlier than the last check that saw a permission the call that removed it can be: IAM propagates changes
within two minutes, so a check may still see what was removed just before."""

CLOCK_SKEW = timedelta(minutes=1)
"""How much the times of CloudTrail and of the functions may differ."""

_MAX_PERMISSIONS = 1_000
_EVERYWHERE = "*"


@record
class RolePermissions:
    """The permissions that the last check saw, and those that were lost since they were seen."""

    allowed: frozenset[Permission] = frozenset()
    lost: tuple[LostPermission, ...] = ()

    def after(self, found: RequiredPermissions | None, changes: Iterable[RoleChange], seen_at: str, now: str) -> Self:
        """Return the permissions after a check. `seen_at` is the time of the last check that read everything.

        Nothing changes if this check could not (`found` is None). What is no longer required is forgotten, and so is a
        loss after a day. What a managed policy allows besides is lost only along with what a need asks for: whoever
        narrows a role to what it needs takes nothing away. At most a thousand are kept, those on every resource first.
        """
        if found is None:
            return self
        known = tuple(changes)
        lost = {each.permission: each for each in self.lost if -CLOCK_SKEW <= _age(each.lost_at, now) <= KEEP_LOST}
        forgotten = {each.permission for each in self.lost} - lost.keys()
        lost |= {
            permission: LostPermission(permission, seen_at, now)
            for permission in self.allowed
            if permission not in lost and permission not in forgotten
        }
        lost = {name: each for name, each in lost.items() if name in found.required and name not in found.allowed}
        roles = {name.role_arn for name in lost if name in found.needed}
        kept = [each for name, each in lost.items() if name.role_arn in roles]
        kept.sort(key=lambda each: _order(each.permission))
        allowed = sorted(found.allowed, key=_order)[: max(0, _MAX_PERMISSIONS - len(kept))]
        with_change = (_with_change(each, known, found.attached) for each in kept[:_MAX_PERMISSIONS])
        return type(self)(frozenset(allowed), tuple(with_change))

    def loss_of(self, permission: Permission) -> LostPermission | None:
        """Return the loss of exactly this permission, None if it was never seen or is still there."""
        return next((each for each in self.lost if each.permission == permission), None)

    def knows(self, permission: Permission) -> bool:
        """Return whether a check saw the permission, on its resource or on every one, and no day passed since."""
        everywhere = Permission(permission.role_arn, permission.action, _EVERYWHERE)
        return any(each in self.allowed or self.loss_of(each) is not None for each in (permission, everywhere))

    def to_document(self) -> dict[str, JSON]:
        """Return the permissions as JSON values; equal ones give equal values. Each call to IAM is there once."""
        changes = list(dict.fromkeys(each.change for each in self.lost if each.change))
        allowed: JSON = defaultdict(lambda: defaultdict(list))
        for permission in sorted(self.allowed):
            allowed[permission.role_arn][permission.resource].append(permission.action)
        lost: JSON = defaultdict(lambda: defaultdict(dict))
        for each in self.lost:
            number = changes.index(each.change) if each.change else None
            seen = [each.seen_at, each.lost_at, number]
            lost[each.permission.role_arn][each.permission.resource][each.permission.action] = seen
        return {"allowed": allowed, "lost": lost, "changes": [asdict(change) for change in changes]}

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read what `to_document` wrote; one of UNREADABLE if it is not that."""
        changes = [role_change(change) for change in document["changes"]]
        allowed = frozenset(
            _permission(role_arn, action, resource)
            for role_arn, resources in document["allowed"].items()
            for resource, actions in resources.items()
            for action in actions
        )
        lost = (
            LostPermission(
                _permission(role_arn, action, resource),
                time_of_check(seen_at),
                _known(time_of_check(lost_at)),
                _numbered(changes, number),
            )
            for role_arn, resources in document["lost"].items()
            for resource, actions in resources.items()
            for action, (seen_at, lost_at, number) in actions.items()
        )
        return cls(allowed, tuple(sorted(lost, key=lambda each: _order(each.permission))))


def time_of_check(text: str) -> str:
    """Return the time of a check as it is, empty where it is unknown.

    One of UNREADABLE if the time of a call to IAM cannot be compared with it.
    """
    if text:
        time = datetime.fromisoformat(text)
        if any((time + delay).tzinfo is None for delay in (-IAM_DELAY, CLOCK_SKEW)):
            raise ValueError(f"not a time in UTC: {text!r:.50}")
    return text


def _permission(role_arn: JSON, action: JSON, resource: JSON) -> Permission:
    return Permission(**known_fields(Permission, {"role_arn": role_arn, "action": action, "resource": resource}))


def _numbered(changes: Sequence[RoleChange], number: JSON) -> RoleChange | None:
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise TypeError(f"not the number of a change: {number!r:.50}")
    return changes[number]


def recent_changes(
    known: Iterable[RoleChange],
    new: Iterable[RoleChange],
    now: str,
    *,
    is_relevant: Callable[[RoleChange], bool] = lambda _: True,
) -> tuple[RoleChange, ...]:
    """Return the relevant changes of the last day, each once, the oldest first; at most the last ten.

    The time comes from an event: a change in the future is dropped.
    """
    changes = {each.event_id: each for each in (*known, *new) if is_relevant(each)}
    recent = [each for each in changes.values() if -CLOCK_SKEW <= _age(each.at, now) <= KEEP_ROLE_CHANGES]
    return tuple(sorted(recent, key=lambda each: (each.at, each.event_id)))[-MAX_ROLE_CHANGES:]


def _with_change(
    lost: LostPermission, changes: Iterable[RoleChange], attached: Mapping[str, frozenset[str]]
) -> LostPermission:
    """Return the loss with the last call that can have caused it, if it has none yet."""
    if lost.change is not None or not lost.seen_at:
        return lost
    role_arn = lost.permission.role_arn
    earliest = datetime.fromisoformat(lost.seen_at) - IAM_DELAY
    latest = datetime.fromisoformat(lost.lost_at) + CLOCK_SKEW
    causes = [
        change
        for change in changes
        if earliest <= datetime.fromisoformat(change.at) <= latest
        if change.role_name == role_arn.rsplit("/", 1)[-1] or change.policy_arn in attached.get(role_arn, ())
    ]
    return LostPermission(lost.permission, lost.seen_at, lost.lost_at, causes[-1]) if causes else lost


def _age(time: str, now: str) -> timedelta:
    return datetime.fromisoformat(now) - datetime.fromisoformat(time)


def _order(permission: Permission) -> tuple[bool, Permission]:
    return permission.resource != _EVERYWHERE, permission


def _known(time: str) -> str:
    if not time:
        raise ValueError("the time of a loss is unknown")
    return time
