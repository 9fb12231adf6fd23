"""What of a function's needs the identity policies of its roles allow by themselves.

A resource-based policy can allow a need too, and whoever owns the resource writes that policy. So only what identity
policies allow tells what the owner of the role granted.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from permission_guard.iam.logic import FALSE, TRUE
from permission_guard.iam.statements import ALLOW, DENY
from permission_guard.model.role_permissions import Permission, RequiredPermissions
from permission_guard.model.state import Role, Unread
from permission_guard.needs.decision import decide
from permission_guard.needs.managed_policies import EVERYWHERE, MANAGED_POLICIES
from permission_guard.needs.of_snapshot import role_needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.iam import Policy, Statement
    from permission_guard.model.state import Snapshot


def required_permissions(snapshot: Snapshot) -> RequiredPermissions | None:
    """Return the permissions that the function requires, None if a part that they depend on could not be read.

    Besides each need on its own resource there is what each managed policy for such needs allows, mostly on `*`: it is
    allowed if a statement without conditions allows it on exactly that resource or on every one and none denies it, in
    the identity policies and in the boundary.
    """
    read = replace(snapshot, denied_calls=())
    parts = (read.function, read.mappings, read.invoke_configs, *read.versions.values(), *read.roles.values())
    policies = (
        (*role.attached.values(), *role.inline.values()) for role in read.roles.values() if isinstance(role, Role)
    )
    if any(isinstance(part, Unread) for part in chain(parts, *policies)):
        return None
    needed: set[Permission] = set()
    allowed: set[Permission] = set()
    for item in role_needs(read):
        for need in item.needs:
            permission = Permission(item.role.arn, need.action, need.resource)
            needed.add(permission)
            if decide(need, item.role, item.function_arn, {}).allowed:
                allowed.add(permission)
    required = set(needed)
    for role, action, resource in _of_managed_policies(read):
        permission = Permission(role.arn, action, resource)
        if permission not in required and allows_as_a_whole(role, action, resource):
            allowed.add(permission)
        required.add(permission)
    attached = {arn: frozenset(role.attached) for arn, role in read.roles.items() if isinstance(role, Role)}
    return RequiredPermissions(frozenset(needed), frozenset(required), frozenset(allowed), attached)


def allows_as_a_whole(role: Role, action: str, resource: str) -> bool:
    """Return whether a role's policies allow an action without any condition, on a resource as it is written or on `*`.

    Those are its identity policies, and its permissions boundary where it has one.
    """
    identity = tuple(each for each in (*role.attached.values(), *role.inline.values()) if not isinstance(each, Unread))
    if role.boundary_arn is None and role.boundary is None:
        return _allow(identity, action, resource)
    boundary = role.boundary
    if boundary is None or isinstance(boundary, Unread):
        return False
    return _allow(identity, action, resource) and _allow((boundary,), action, resource)


def _allow(policies: Iterable[Policy], action: str, resource: str) -> bool:
    statements = [
        statement
        for policy in policies
        for statement in policy.statements
        if statement.match_action(action.lower()) != FALSE
    ]
    if any(statement.effect == DENY or statement.malformed for statement in statements):
        return False
    return any(_allows(statement, action, resource) for statement in statements)


def _allows(statement: Statement, action: str, resource: str) -> bool:
    return (
        statement.effect == ALLOW
        and statement.match_action(action.lower()) == TRUE
        and not statement.conditions
        and not statement.raw.get("Condition")
        and not statement.not_resource
        and any(pattern.text in {EVERYWHERE, resource} for pattern in statement.resources or ())
    )


def _of_managed_policies(snapshot: Snapshot) -> Iterator[tuple[Role, str, str]]:
    """Yield each role with what the managed policies for its needs allow: an action and a resource."""
    roles: dict[str, Role] = {}
    services: dict[str, set[str]] = {}
    for item in role_needs(snapshot):
        roles[item.role.arn] = item.role
        services.setdefault(item.role.arn, set()).update(need.action.partition(":")[0] for need in item.needs)
    for arn, role in roles.items():
        of_role = (policy for policy in MANAGED_POLICIES if policy.services <= services[arn])
        for action, resource in dict.fromkeys(one for policy in of_role for one in policy.permissions()):
            yield role, action, resource
