"""What the identity policies of execution roles allow, what they no longer allow, and who changed them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from permission_guard.model.documents import known_fields
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON


MAX_ROLE_CHANGES = 10
"""How many changes of roles one check remembers."""


@record
class RoleChange:
    """A successful call to IAM that can remove a permission from a role of the account, from CloudTrail.

    It names the role, or the managed policy whose default version changed. `at` is ISO-8601 in UTC. `by` is the ARN of
    the caller, empty if the record has none.
    """

    event_id: str
    api: str
    at: str
    by: str
    role_name: str = ""
    policy_arn: str = ""


@record(order=True)
class Permission:
    """An action on a resource that a role's identity policies allow; the resource `*` stands for every resource."""

    role_arn: str
    action: str
    resource: str


@record
class LostPermission:
    """A permission that the identity policies allowed at the check of `seen_at`, and no more at that of `lost_at`.

    `change` is the call to IAM that removed it; None if no event names one.
    """

    permission: Permission
    seen_at: str
    lost_at: str
    change: RoleChange | None = None


@record
class RequiredPermissions:
    """What a function requires of its roles at a check, and what of that their identity policies allow.

    `needed` is what a need asks for, and `required` also what managed policies for such needs allow. `attached` are the
    managed policies of each role, by its ARN.
    """

    needed: frozenset[Permission]
    required: frozenset[Permission]
    allowed: frozenset[Permission]
    attached: dict[str, frozenset[str]]


def role_change(document: Mapping[str, JSON]) -> RoleChange:
    """Read a role change; one of UNREADABLE if the document is not one."""
    change = RoleChange(**known_fields(RoleChange, document))
    if datetime.fromisoformat(change.at).tzinfo is None:
        raise ValueError(f"not a time in UTC: {change.at!r:.50}")
    return change
