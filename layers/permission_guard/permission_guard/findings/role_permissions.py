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
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.model.role_permissions import RequiredPermissions
    from permission_guard.model.targets import JSON

KEEP_ROLE_CHANGES = timedelta(days=1)
IAM_DELAY = timedelta(minutes=5)
"""How much earlier than the last check that saw a permission the call that removed it can be: IAM propagates changes
within two minutes, so a check may still see what was removed just before."""

_MAX_PERMISSIONS = 200


@record
class RolePermissions:
    """The permissions that the last check saw, and those that were lost since they were seen."""

    allowed: frozenset[Permission] = frozenset()
    lost: tuple[LostPermission, ...] = ()

    def after(self, found: RequiredPermissions | None, changes: Iterable[RoleChange], seen_at: str) -> Self:
        """Return the permissions after a check. `seen_at` is the time of the check before, which left these.

        Nothing changes if the check could not read everything (`found` is None). A permission that is no longer
        required is forgotten, and so are those beyond the 200th: a fix of them waits for an approval.
        """
        if found is None:
            return self
        known = tuple(changes)
        lost = {each.permission: each for each in self.lost}
        lost |= {
            permission: LostPermission(permission, seen_at) for permission in self.allowed if permission not in lost
        }
        still_lost = (each for each in lost.values() if each.permission in found.required - found.allowed)
        kept = sorted(still_lost, key=lambda each: each.permission)[:_MAX_PERMISSIONS]
        allowed = sorted(found.allowed)[: _MAX_PERMISSIONS - len(kept)]
        return type(self)(frozenset(allowed), tuple(_with_change(each, known, found.attached) for each in kept))

    def loss_of(self, permission: Permission) -> LostPermission | None:
        """Return the loss of a permission, None if it was never seen or is still there.

        A role that was allowed an action on every resource was allowed it on each.
        """
        everywhere = Permission(permission.role_arn, permission.action, "*")
        return next((each for each in self.lost if each.permission in (permission, everywhere)), None)

    def knows(self, permission: Permission) -> bool:
        """Return whether a check saw the permission, whether or not it was lost since."""
        everywhere = Permission(permission.role_arn, permission.action, "*")
        return not self.allowed.isdisjoint((permission, everywhere)) or self.loss_of(permission) is not None

    def to_document(self) -> dict[str, JSON]:
        """Return the permissions as JSON values; equal ones give equal values. Each call to IAM is there once."""
        changes = list(dict.fromkeys(each.change for each in self.lost if each.change))
        allowed: JSON = defaultdict(lambda: defaultdict(list))
        for permission in sorted(self.allowed):
            allowed[permission.role_arn][permission.resource].append(permission.action)
        lost: JSON = defaultdict(lambda: defaultdict(dict))
        for each in self.lost:
            number = changes.index(each.change) if each.change else None
            lost[each.permission.role_arn][each.permission.resource][each.permission.action] = [each.seen_at, number]
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
            LostPermission(_permission(role_arn, action, resource), time_of_check(seen_at), _numbered(changes, number))
            for role_arn, resources in document["lost"].items()
            for resource, actions in resources.items()
            for action, (seen_at, number) in actions.items()
        )
        return cls(allowed, tuple(sorted(lost, key=lambda each: each.permission)))


def time_of_check(text: str) -> str:
    """Return the time of a check as it is, empty where it is unknown.

    One of UNREADABLE if the time of a call to IAM cannot be compared with it.
    """
    if text and (datetime.fromisoformat(text) - IAM_DELAY).tzinfo is None:
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


def recent_changes(known: Iterable[RoleChange], new: Iterable[RoleChange], now: str) -> tuple[RoleChange, ...]:
    """Return the changes of the last day, each once, the oldest first; at most the last ten."""
    oldest = datetime.fromisoformat(now) - KEEP_ROLE_CHANGES
    changes = {each.event_id: each for each in (*known, *new)}
    recent = [each for each in changes.values() if datetime.fromisoformat(each.at) >= oldest]
    return tuple(sorted(recent, key=lambda each: (each.at, each.event_id)))[-MAX_ROLE_CHANGES:]


def _with_change(
    lost: LostPermission, changes: Iterable[RoleChange], attached: Mapping[str, frozenset[str]]
) -> LostPermission:
    """Return the loss with the last call that can have caused it, if it has none yet."""
    if lost.change is not None or not lost.seen_at:
        return lost
    role_arn = lost.permission.role_arn
    earliest = datetime.fromisoformat(lost.seen_at) - IAM_DELAY
    causes = [
        change
        for change in changes
        if datetime.fromisoformat(change.at) >= earliest
        if change.role_name == role_arn.rsplit("/", 1)[-1] or change.policy_arn in attached.get(role_arn, ())
    ]
    return LostPermission(lost.permission, lost.seen_at, causes[-1]) if causes else lost
