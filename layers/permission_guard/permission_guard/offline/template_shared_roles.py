"""Return the checks of the roles that several functions of a template share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from permission_guard.iam import unread_policy
from permission_guard.model.state import Function, Role, Snapshot
from permission_guard.offline.scenarios import RULES_ON_SHARED_ROLES, OfflineCheck, Scenario
from permission_guard.offline.template import FUNCTION, OFFLINE_ORGANIZATION, TOO_MANY, Template, TooManyConditionsError
from permission_guard.offline.template_roles import Bound, TemplateRole, role_id_of
from permission_guard.offline.unresolved import fill, text, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.offline.intrinsics import Resolver


def shared_role_checks(template: Template) -> list[OfflineCheck]:
    """Return a check for each role that several functions of the template can have.

    Functions with the same expression for their role share that role, also if it is not in the file. A function with
    another expression than a reference can share the role that is referred to.
    """
    groups: dict[str, list[str]] = {}
    others: list[str] = []
    for name in template.ids_of(FUNCTION):
        raw = template.raw(name, "Role")
        groups.setdefault(written(raw), []).append(name)
        if not (isinstance(raw, dict) and "Fn::GetAtt" in raw):
            others.append(name)
    return [
        OfflineCheck(
            _scenarios(template, users, others),
            rules=RULES_ON_SHARED_ROLES,
            from_template=True,
            source_id=users[0],
            by_sam=users[0] not in template.source_ids,
        )
        for users in groups.values()
        if len({*users, *others}) > 1
    ]


def _scenarios(template: Template, users: Sequence[str], others: Sequence[str]) -> tuple[Scenario, ...]:
    functions = list(dict.fromkeys([*users, *others]))
    try:
        return tuple(template.explored(users[0], partial(_scenario, template, functions)))
    except TooManyConditionsError:
        return (Scenario(Snapshot(template.target_of(template.resolver(), users[0]), TOO_MANY)),)


def _scenario(template: Template, functions: Sequence[str], resolver: Resolver) -> Scenario | None:
    """Return the functions with the role of the first one, as the state of the first by name."""
    role_arn = text(resolver.properties(functions[0]).get("Role", ""))
    users = [
        name
        for name in functions
        if template.is_created(resolver, name) and text(resolver.properties(name).get("Role", "")) == role_arn
    ]
    if not (role_arn and users):
        return None
    role_id = role_id_of(template, resolver, functions[0])
    role = TemplateRole(template, resolver, role_id) if role_id else None
    targets = sorted({template.target_of(resolver, name) for name in users}, key=lambda target: target.name)
    fills = template.tokens_in(resolver)
    arn = fill(role_arn, fills)
    function = Function(targets[0].arn, targets[0].name, arn)
    snapshot = Snapshot(
        targets[0],
        function,
        own_organization=OFFLINE_ORGANIZATION,
        versions={function.arn: function},
        roles={arn: role.role(arn, Bound(broadest=False, fills=fills)) if role else _outside(arn)},
        role_users={arn: tuple(targets)},
    )
    return Scenario(snapshot, resolver.assumed, template.shown(fills))


def _outside(arn: str) -> Role:
    """Return a role that is not in the file: its policies are unknown, and that functions share it is certain."""
    unread = unread_policy("trust policy", "the role is not in the file")
    name = arn.rpartition("/")[2]
    return Role(arn, name, "/", {}, unread, {}, {}, None, None)
