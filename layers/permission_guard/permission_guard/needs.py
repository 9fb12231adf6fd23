"""Everything that a function, its versions and its event source mappings take of roles, as far as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from permission_guard.event_sources import event_source_of
from permission_guard.event_sources.destinations import invoke_config_needs
from permission_guard.execution_role import sources_in_question, states_in_question
from permission_guard.features import needs_of
from permission_guard.model import Function, Role, Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.event_sources import Need
    from permission_guard.model import EventSourceMapping, Refusal, Snapshot


@dataclass(frozen=True, slots=True)
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
