"""Find what a snapshot's functions, versions, mappings and denied calls require of roles, and what to read for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.state import DisabledBy, Function, Role, Unread
from permission_guard.needs.decision import decide, relevant_policies, relevant_states, requests_of, tags_to_read
from permission_guard.needs.denied_calls import needs_of_denied_call, possible_needs, requested_function
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.destinations import invoke_config_needs
from permission_guard.needs.features import needs_of
from permission_guard.needs.function_health import reported_needs
from permission_guard.needs.mapping_health import permission_error_of
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Snapshot
    from permission_guard.needs.base import Need


@record
class RoleNeeds:
    """The needs of one function or version of its role."""

    needs: tuple[Need, ...]
    role: Role
    function_arn: str


def states_to_read(snapshot: Snapshot) -> set[str]:
    """Return the ARNs of the resources whose state is required to decide, and was not read yet."""
    return {
        arn
        for item in role_needs(snapshot)
        for arn in relevant_states(item.needs, item.role, item.function_arn)
        if arn not in snapshot.sources
    }


def policies_to_read(snapshot: Snapshot) -> set[str]:
    """Return the resources whose own policies can change the decisions of the roles' policies."""
    return {
        resource
        for item in role_needs(snapshot)
        for resource in relevant_policies(item.needs, item.role, item.function_arn)
    }


def tagged_resources(snapshot: Snapshot) -> set[str]:
    """Return the resources whose tags the roles' policies depend on."""
    return {arn for item in role_needs(snapshot) for arn in tags_to_read(item.needs, item.role)}


def denied_by_aws(snapshot: Snapshot) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, by the ARN with which the snapshot names a role, actions and resources of what AWS reports as denied.

    AWS reports event source mappings, functions and calls. The result has only actions that the policies that were read
    do not deny: another policy, such as one of the organization, denies them.
    """
    found: dict[str, dict[tuple[str, str], None]] = {}
    for function_arn, role_arn, needs in _reported(snapshot):
        role = snapshot.roles.get(role_arn)
        if not isinstance(role, Role):
            continue
        for need in needs:
            if need.recommended:
                continue
            if not decide(need, role, function_arn, snapshot.source_policies, snapshot.resource_tags).denied:
                found.setdefault(role_arn, {}).update(dict.fromkeys(requests_of(need)))
    return {role_arn: tuple(denied) for role_arn, denied in found.items()}


def _reported(snapshot: Snapshot) -> Iterator[tuple[str, str, tuple[Need, ...]]]:
    """Yield the function, the role and the needs of what AWS reports as denied."""
    for mapping, role_arn, needs in _of_mappings(snapshot):
        if permission_error_of(mapping) or mapping.disabled_by is DisabledBy.AWS:
            yield mapping.function_arn, role_arn, needs
    for version in snapshot.versions.values():
        if isinstance(version, Function):
            yield version.arn, version.role_arn, reported_needs(version, snapshot.sources)
    for call in snapshot.denied_calls:
        function = requested_function(call, snapshot)
        if isinstance(function, Function):
            yield function.arn, function.role_arn, needs_of_denied_call(call, function, snapshot.sources)


def role_needs(snapshot: Snapshot) -> Iterator[RoleNeeds]:
    """Yield the needs of each function, version, mapping and denied call whose role was read."""
    for arn, role_arn, needs in _needs(snapshot):
        role = snapshot.roles.get(role_arn)
        if isinstance(role, Role):
            yield RoleNeeds(needs, role, arn)


def _needs(snapshot: Snapshot) -> Iterator[tuple[str, str, tuple[Need, ...]]]:
    """Yield the ARN of each function, the ARN of the role, and the needs."""
    runs_with = snapshot.role_arns
    for version in snapshot.versions.values():
        if isinstance(version, Function):
            yield version.arn, version.role_arn, needs_of(version, snapshot.sources)
    for mapping, role_arn, needs in _of_mappings(snapshot):
        yield mapping.function_arn, role_arn, needs
    for config in () if isinstance(snapshot.invoke_configs, Unread) else snapshot.invoke_configs:
        needs = invoke_config_needs(config, snapshot.sources)
        yield config.function_arn, runs_with.get(config.function_arn, ""), needs
    for call in snapshot.denied_calls:
        function = requested_function(call, snapshot)
        if isinstance(function, Function):
            yield function.arn, function.role_arn, possible_needs(call, function, snapshot.sources)


def _of_mappings(snapshot: Snapshot) -> Iterator[tuple[EventSourceMapping, str, tuple[Need, ...]]]:
    """Yield each mapping that no user disabled, the ARN of the role that polls it, and its needs."""
    runs_with = snapshot.role_arns
    for mapping in () if isinstance(snapshot.mappings, Unread) else snapshot.mappings:
        if not mapping.is_disabled_on_purpose:
            yield mapping, runs_with.get(mapping.function_arn, ""), _of_mapping(mapping, snapshot)


def _of_mapping(mapping: EventSourceMapping, snapshot: Snapshot) -> tuple[Need, ...]:
    source = event_source_of(mapping)
    return source.needs(mapping, snapshot.sources) if source else ()
