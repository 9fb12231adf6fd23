"""Find what a call that AWS denied requires of the execution role."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model.state import Function
from permission_guard.needs.aws_messages import named_actions
from permission_guard.needs.base import NeedKind, required
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.destinations import invoke_config_needs
from permission_guard.needs.features import needs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.state import DeniedCall, Snapshot, Sources
    from permission_guard.needs.base import Need


def requested_function(call: DeniedCall, snapshot: Snapshot) -> Function | str | None:
    """Return the function as a denied call requested it, with its role, or the reason why it is unknown.

    Return None if the function, version or alias does not exist: the call cannot be repeated.
    """
    arn, own = call.function_arn, snapshot.function
    if call.api == "CreateFunction":
        return Function(arn, snapshot.target.name, call.role_arn, call.configuration)
    if own is not None and (call.mapping or call.invoke_config) and arn != snapshot.target.arn:
        if arn not in snapshot.versions:
            return f"{arn} was not read."
        own = snapshot.versions[arn]
    if not isinstance(own, Function):
        return str(own) if own else None
    role_arn = call.role_arn or own.role_arn
    return replace(own, arn=arn, role_arn=role_arn, configuration={**own.configuration, **call.configuration})


def needs_of_denied_call(call: DeniedCall, function: Function, sources: Sources) -> tuple[Need, ...]:
    """Return what a denied call requires of the role, by AWS's message; empty if that is unknown."""
    needs, named = possible_needs(call, function, sources), named_actions(call.message)
    if call.invoke_config:
        return required(needs, NeedKind.DESTINATION)
    # If AWS names none of a mapping's actions, the message is about reading the source.
    return _of_the_kind(needs, named) or (required(needs, NeedKind.READ) if call.mapping else ())


def possible_needs(call: DeniedCall, function: Function, sources: Sources) -> tuple[Need, ...]:
    """Return all that the configuration in a denied call requires of the role."""
    if call.mapping:
        source = event_source_of(call.mapping)
        return source.needs(call.mapping, sources) if source else ()
    if call.invoke_config:
        return invoke_config_needs(call.invoke_config, sources)
    return needs_of(function, sources)


def _of_the_kind(needs: Sequence[Need], named: Sequence[str]) -> tuple[Need, ...]:
    """Return the needs that AWS names, and all others of the same kind and service: AWS names only the first."""
    wanted = {(need.kind, service_of(need.action)) for need in needs if need.action in named}
    return tuple(need for need in needs if (need.kind, service_of(need.action)) in wanted and not need.recommended)


def service_of(action: str) -> str:
    """Return the service prefix of an action."""
    return action.partition(":")[0]
