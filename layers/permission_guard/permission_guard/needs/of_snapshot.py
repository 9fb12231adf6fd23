"""Everything that a function, its versions and its event source mappings take of roles, as far as it was read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model.state import DisabledBy, Function, Role, Unread
from permission_guard.needs.base import NeedKind
from permission_guard.needs.decision import decide, sources_in_question, states_in_question
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.destinations import invoke_config_needs
from permission_guard.needs.features import needs_of
from permission_guard.needs.mapping_health import said_of_permission
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import DeniedCall, EventSourceMapping, Snapshot
    from permission_guard.needs.base import Need


_POLLED = (NeedKind.READ, NeedKind.DEPENDENCY)


@record
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


def function_asked_for(refusal: DeniedCall, snapshot: Snapshot) -> Function | str | None:
    """Return the function with the role that was asked for, or why it is not known.

    None where there is no such function, version or alias: nobody can repeat the call.
    """
    arn, own = refusal.function_arn, snapshot.function
    if refusal.api == "CreateFunction":
        return Function(arn, snapshot.target.name, refusal.role_arn, refusal.configuration)
    if own is not None and (refusal.mapping or refusal.invoke_config) and arn != snapshot.target.arn:
        if arn not in snapshot.versions:
            return f"{arn} was not read."
        own = snapshot.versions[arn]
    if not isinstance(own, Function):
        return str(own) if own else None
    role_arn = refusal.role_arn or own.role_arn
    return replace(own, arn=arn, role_arn=role_arn, configuration={**own.configuration, **refusal.configuration})


def denied_by_aws(snapshot: Snapshot) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, by role, the actions and resources that a mapping takes of which AWS itself says that it is refused.

    They are only those that the role is not denied for all that was read, and whose resource is known: the cause is
    something else, such as a policy of the organization.
    """
    found: dict[str, dict[tuple[str, str], None]] = {}
    for mapping, role_arn, needs in _of_mappings(snapshot):
        role = snapshot.roles.get(role_arn)
        is_refused = said_of_permission(mapping) or mapping.disabled_by is DisabledBy.AWS
        if not is_refused or not isinstance(role, Role):
            continue
        for need in needs:
            is_asked = need.kind in _POLLED and not need.recommended and need.is_of_one
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
    runs_with = snapshot.role_arns
    for version in snapshot.versions.values():
        if isinstance(version, Function):
            yield version.arn, version.role_arn, needs_of(version, snapshot.sources)
    for mapping, role_arn, needs in _of_mappings(snapshot):
        yield mapping.function_arn, role_arn, needs
    for config in () if isinstance(snapshot.invoke_configs, Unread) else snapshot.invoke_configs:
        needs = invoke_config_needs(config, snapshot.sources)
        yield config.function_arn, runs_with.get(config.function_arn, ""), needs
    for refusal in snapshot.denied_calls:
        function = function_asked_for(refusal, snapshot)
        if isinstance(function, Function):
            yield function.arn, function.role_arn, _of_refusal(refusal, function, snapshot)


def _of_refusal(refusal: DeniedCall, function: Function, snapshot: Snapshot) -> tuple[Need, ...]:
    if refusal.mapping:
        return _of_mapping(refusal.mapping, snapshot)
    if refusal.invoke_config:
        return invoke_config_needs(refusal.invoke_config, snapshot.sources)
    return needs_of(function, snapshot.sources)


def _of_mappings(snapshot: Snapshot) -> Iterator[tuple[EventSourceMapping, str, tuple[Need, ...]]]:
    """Yield each mapping that is meant to be on, the role that it is polled with, and what it needs."""
    runs_with = snapshot.role_arns
    for mapping in () if isinstance(snapshot.mappings, Unread) else snapshot.mappings:
        if not mapping.is_disabled_on_purpose:
            yield mapping, runs_with.get(mapping.function_arn, ""), _of_mapping(mapping, snapshot)


def _of_mapping(mapping: EventSourceMapping, snapshot: Snapshot) -> tuple[Need, ...]:
    source = event_source_of(mapping)
    return source.needs(mapping, snapshot.sources) if source else ()
