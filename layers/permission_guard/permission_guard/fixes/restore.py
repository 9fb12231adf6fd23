"""Restore, do not grant: a fix that nobody approved only brings back what the owner of a role had allowed.

Whoever can create an event source mapping on their own queue, without any permission on IAM, would otherwise have the
bot attach a policy to the function's role that reads every queue of the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.findings.role_permissions import RolePermissions
    from permission_guard.fixes.base import Plan
    from permission_guard.model.role_permissions import Permission, RoleChange


def reasons_to_wait(plan: Plan, permissions: RolePermissions) -> tuple[str, ...]:
    """Return why a plan grants more than it restores, nothing if it only restores.

    It restores if an earlier check saw the role's identity policies allow each missing permission, an event names a
    call to IAM after that check which can have removed it, and the plan allows nothing that they did not allow.
    """
    return tuple(_reasons(plan, permissions))


def removals(plan: Plan, permissions: RolePermissions) -> tuple[RoleChange, ...]:
    """Return the calls to IAM that removed what a plan brings back, each once."""
    losses = (permissions.loss_of(permission) for permission in plan.missing)
    return tuple(dict.fromkeys(loss.change for loss in losses if loss and loss.change))


def _reasons(plan: Plan, permissions: RolePermissions) -> Iterator[str]:
    if not plan.missing:
        yield "the plan names no permission that is missing"
    never = [each for each in plan.missing if each not in permissions.allowed and not permissions.loss_of(each)]
    if never:
        yield f"no check of the last day saw the role's own policies allow {_listed(never)}"
    seen = [each for each in plan.missing if each not in never]
    unexplained = [each for each in seen if not ((loss := permissions.loss_of(each)) and loss.change)]
    if unexplained:
        yield f"no event names a change of the role that removed {_listed(unexplained)}"
    if plan.grants is None:
        yield "what the change would allow cannot be listed"
        return
    more = [each for each in plan.grants if not permissions.knows(each)]
    if more:
        yield f"the change would also allow {_listed(more)}, which the role's own policies did not allow"


def _listed(permissions: Iterable[Permission]) -> str:
    """Return the actions on each resource, for a sentence."""
    by_resource: dict[str, list[str]] = {}
    for permission in permissions:
        by_resource.setdefault(permission.resource, []).append(permission.action)
    return "; ".join(
        f"{', '.join(actions)} on {'every resource' if resource == '*' else resource}"
        for resource, actions in by_resource.items()
    )
