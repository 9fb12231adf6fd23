"""Shared parts of the rules on event source mappings: which mappings they check, and what AWS reports on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model.state import DisabledBy, Unread, subject
from permission_guard.needs.base import required
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.access import part
from permission_guard.records import record
from permission_guard.rules.base import known
from permission_guard.rules.execution_role.need_rule import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Function, Snapshot, Sources
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict
    from permission_guard.needs.base import Need, NeedKind
    from permission_guard.needs.event_sources import EventSource
    from permission_guard.rules.base import Rule


@record
class Polled:
    """A mapping of a known type that no user disabled, and the function or version that it invokes.

    The function has the ARN that the mapping contains, which can be that of an alias.
    """

    mapping: EventSourceMapping
    source: EventSource
    function: Function

    def needs(self, kind: NeedKind, sources: Sources) -> tuple[Need, ...]:
        """Return the mapping's needs of one kind."""
        return required(self.source.needs(self.mapping, sources), kind)

    def requirement(self, needs: tuple[Need, ...], purpose: str, managed_policy: str = "", **more: JSON) -> Requirement:
        """Return some needs of the mapping as a requirement; `more` are facts."""
        mapping = self.mapping
        facts = {
            "event_source_mapping": mapping.uuid,
            "event_source_arn": mapping.event_source_arn,
            "event_source_type": self.source.name,
            "disabled_by_aws": mapping.disabled_by is DisabledBy.AWS,
            "state": mapping.state,
            "state_transition_reason": mapping.state_transition_reason,
            "last_processing_result": mapping.last_processing_result,
            **more,
        }
        return Requirement(self.function, subject(mapping), needs, purpose, managed_policy, facts, mapping)


def polled(rule: Rule, snapshot: Snapshot) -> Iterator[Polled | Verdict]:
    """Yield each mapping of a known type, or the rule's verdict if the mapping is disabled or its function is unread.

    UnknownStateError when the mappings could not be read.
    """
    for mapping in known(snapshot.mappings):
        source, function = event_source_of(mapping), snapshot.versions.get(mapping.function_arn)
        if source is None or function is None:  # the alias or version was deleted after the mapping was listed
            continue
        if isinstance(function, Unread):
            yield rule.unknown(mapping.function_arn, subject(mapping), str(function))
        elif mapping.is_disabled_on_purpose:
            reason = "A user disabled the event source mapping: Lambda does not poll."
            yield rule.passed(mapping.function_arn, subject(mapping), reason)
        else:
            yield Polled(mapping, source, replace(function, arn=mapping.function_arn))


def name_of(mapping: EventSourceMapping) -> str:
    """Return the name of the source for users: its ARN, or the servers of a cluster without an ARN."""
    if mapping.event_source_arn:
        return mapping.event_source_arn
    endpoints = part(mapping.configuration["SelfManagedEventSource"], "Endpoints")
    servers = (server for servers in endpoints.values() if isinstance(servers, list) for server in servers)
    return ", ".join(map(str, servers)) or "its cluster"


def short_type(name: str) -> str:
    """Return the name of a type of event sources for a title: `SQS queue` for `Amazon SQS queue`."""
    return name.removeprefix("Amazon ").removeprefix("self-managed Apache ").replace(" data stream", " stream")


def reason_of_aws(mapping: EventSourceMapping) -> Iterator[str]:
    """Yield AWS's reason for disabling the mapping, if AWS did."""
    if mapping.disabled_by is DisabledBy.AWS:
        messages = filter(None, (mapping.state_transition_reason, mapping.last_processing_result))
        yield f'AWS disabled the event source mapping: "{"; ".join(messages)}".'
