"""Everything that a function, its versions and its event source mappings take of roles, as far as it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.event_sources import NeedKind, event_source_of
from permission_guard.event_sources.destinations import invoke_config_needs
from permission_guard.event_sources.health import said_of_permission
from permission_guard.execution_role import decide, sources_in_question, states_in_question
from permission_guard.features import needs_of
from permission_guard.model import Function, Role, SwitchedOffBy, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.event_sources import Need
    from permission_guard.model import EventSourceMapping, Refusal, Snapshot


_POLLED = (NeedKind.READ, NeedKind.DEPENDENCY)


@record(frozen=True, slots=True)
class Asked:
    """What is needed of a role by one function or version, for one of the things that it does."""

    needs: tuple[Need, ...]
    role: Role
    function_arn: str


def states_to_read(snapshot: Snapshot) -> set[str]:
    """Return the ARNs of what would have to be read to tell what is needed, and was not."""
    return {
        arn
        for asked in _asked(snapshot)
        for arn in states_in_question(asked.needs, asked.role, asked.function_arn)
        if arn not in snapshot.sources
    }


def policies_to_read(snapshot: Snapshot) -> set[str]:
    """Return the resources whose own policies may turn what the policies of the roles say."""
    return {
        resource
        for asked in _asked(snapshot)
        for resource in sources_in_question(asked.needs, asked.role, asked.function_arn)
    }


def refused_by_aws(snapshot: Snapshot) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, by role, the actions and resources that a mapping takes of which AWS itself says that it is refused.

    They are only those that the role is not denied for all that was read, and whose resource is known: the cause is
    something else, such as a policy of the organization.
    """
    found: dict[str, dict[tuple[str, str], None]] = {}
    runs_with = {arn: part.role_arn for arn, part in snapshot.versions.items() if isinstance(part, Function)}
    for mapping in () if isinstance(snapshot.mappings, Unread) else snapshot.mappings:
        role = snapshot.roles.get(runs_with.get(mapping.function_arn, ""))
        is_refused = said_of_permission(mapping) or mapping.switched_off_by is SwitchedOffBy.AWS
        if not is_refused or not isinstance(role, Role):
            continue
        for need in _of_mapping(mapping, snapshot):
            is_one = need.resource == "*" or not {"*", "?"} & set(need.resource)
            is_asked = need.kind in _POLLED and not need.recommended and is_one
            if is_asked and not decide(need, role, mapping.function_arn, snapshot.source_policies).denied:
                found.setdefault(role.arn, {})[need.action, need.resource] = None
    return {role_arn: tuple(asked) for role_arn, asked in found.items()}


def _asked(snapshot: Snapshot) -> Iterator[Asked]:
    """Yield what is asked of the roles that were read."""
    for arn, role_arn, needs in _needs(snapshot):
        role = snapshot.roles.get(role_arn)
        if isinstance(role, Role):
            yield Asked(needs, role, arn)


def _needs(snapshot: Snapshot) -> Iterator[tuple[str, str, tuple[Need, ...]]]:
    """Yield the ARN of each function, the role that it is about, and what is needed."""
    runs_with = {arn: part.role_arn for arn, part in snapshot.versions.items() if isinstance(part, Function)}
    for version in snapshot.versions.values():
        if isinstance(version, Function):
            yield version.arn, version.role_arn, needs_of(version, snapshot.sources)
    for mapping in () if isinstance(snapshot.mappings, Unread) else snapshot.mappings:
        if not mapping.is_off_on_purpose:
            yield mapping.function_arn, runs_with.get(mapping.function_arn, ""), _of_mapping(mapping, snapshot)
    for config in () if isinstance(snapshot.invoke_configs, Unread) else snapshot.invoke_configs:
        needs = invoke_config_needs(config, snapshot.sources)
        yield config.function_arn, runs_with.get(config.function_arn, ""), needs
    for refusal in snapshot.refusals:
        arn, role_arn = refusal.function_arn, refusal.role_arn or runs_with.get(refusal.function_arn, "")
        if refusal.mapping:
            yield arn, role_arn, _of_mapping(refusal.mapping, snapshot)
        elif refusal.invoke_config:
            yield arn, role_arn, invoke_config_needs(refusal.invoke_config, snapshot.sources)
        else:
            yield arn, role_arn, needs_of(_as_asked_for(refusal, snapshot), snapshot.sources)


def _as_asked_for(refusal: Refusal, snapshot: Snapshot) -> Function:
    """Return the function as a call that AWS refused would have made it."""
    own = snapshot.versions.get(refusal.function_arn)
    configuration = own.configuration if isinstance(own, Function) else {}
    name = snapshot.target.name
    return Function(refusal.function_arn, name, refusal.role_arn, {**configuration, **refusal.configuration})


def _of_mapping(mapping: EventSourceMapping, snapshot: Snapshot) -> tuple[Need, ...]:
    source = event_source_of(mapping)
    return source.needs(mapping, snapshot.sources) if source else ()
