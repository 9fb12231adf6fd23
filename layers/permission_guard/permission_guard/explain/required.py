"""What a function polls and needs of its execution role, and whether the role allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.explain.callers import answer_of
from permission_guard.explain.explanation import NeedExplanation, Requirement
from permission_guard.model.state import Function, Role, Unread
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.destinations import invoke_config_needs
from permission_guard.needs.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.state import EventSourceMapping, Snapshot
    from permission_guard.needs.base import Need


def requirements(snapshot: Snapshot, qualifier: str | None) -> Iterator[Requirement]:
    """Yield what needs the execution role: the mappings, then the features of each version, then the destinations.

    A `qualifier` limits this to a version or an alias.
    """
    for mapping in () if isinstance(snapshot.mappings, Unread) else snapshot.mappings:
        if _is_in_question(mapping.function_arn, snapshot, qualifier):
            yield _of_mapping(mapping, snapshot)
    for arn, version in snapshot.versions.items():
        if _is_in_question(arn, snapshot, qualifier):
            yield from _of_version(arn, version, snapshot)
    for config in () if isinstance(snapshot.invoke_configs, Unread) else snapshot.invoke_configs:
        needs = invoke_config_needs(config, snapshot.sources)
        if needs and _is_in_question(config.function_arn, snapshot, qualifier):
            role_arn = snapshot.role_arns.get(config.function_arn, "")
            what = "destinations of asynchronous invocations"
            yield _requirement(what, config.function_arn, role_arn, needs, snapshot)


def _is_in_question(arn: str, snapshot: Snapshot, qualifier: str | None) -> bool:
    wanted = snapshot.target.arn if qualifier == "$LATEST" else f"{snapshot.target.arn}:{qualifier}"
    return qualifier is None or arn.removesuffix(":$LATEST") == wanted


def _of_mapping(mapping: EventSourceMapping, snapshot: Snapshot) -> Requirement:
    source = event_source_of(mapping)
    kind = source.name if source else "event source"
    what = f"{kind} {mapping.event_source_arn or ''}".strip()
    role_arn = snapshot.role_arns.get(mapping.function_arn, "")
    if mapping.is_disabled_on_purpose:
        note = "It needs nothing while it is disabled."
        return Requirement(what, mapping.function_arn, role_arn, state=mapping.state, note=note)
    if source is None:
        note = "This type of event source is not known: what it needs is unknown."
        return Requirement(what, mapping.function_arn, role_arn, note=note)
    needs = source.needs(mapping, snapshot.sources)
    return _requirement(what, mapping.function_arn, role_arn, needs, snapshot, mapping.state)


def _of_version(arn: str, version: Function | Unread | None, snapshot: Snapshot) -> Iterator[Requirement]:
    if isinstance(version, Unread):
        yield Requirement("configuration", arn, "", note=str(version))
        return
    if version is None:
        yield Requirement("configuration", arn, "", state="deleted", note="It does not exist.")
        return
    if version.dropped:
        note = f"This version of the AWS SDK does not read {', '.join(version.dropped)}: what it needs is unknown."
        yield Requirement("configuration", arn, version.role_arn, note=note)
    for feature in FEATURES:
        needs = feature.needs(version, snapshot.sources)
        if needs:
            yield _requirement(feature.name, arn, version.role_arn, needs, snapshot)


def _requirement(  # noqa: PLR0917 - each is a part of it
    what: str, arn: str, role_arn: str, needs: Iterable[Need], snapshot: Snapshot, state: str = ""
) -> Requirement:
    role = snapshot.roles.get(role_arn)
    if not isinstance(role, Role):
        note = str(role) if isinstance(role, Unread) else _without_role(role_arn, snapshot)
        return Requirement(what, arn, role_arn, note=note)
    return Requirement(what, arn, role_arn, tuple(_need(need, role, arn, snapshot) for need in needs), state)


def _without_role(role_arn: str, snapshot: Snapshot) -> str:
    if role_arn and role_arn in snapshot.roles:
        return "The role does not exist: Lambda can do nothing with it."
    return "Which role it runs with was not read: what the role allows is unknown."


def _need(need: Need, role: Role, arn: str, snapshot: Snapshot) -> NeedExplanation:
    decision = decide(need, role, arn, snapshot.source_policies, snapshot.resource_tags)
    return NeedExplanation(
        need.action,
        need.resource,
        need.purpose,
        answer_of(decision),
        decision.explain(),
        instead=need.instead,
        elsewhere=need.elsewhere,
        recommended=need.recommended,
        statement=decision.statement,
    )
