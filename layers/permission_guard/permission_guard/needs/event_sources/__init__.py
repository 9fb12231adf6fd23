"""List the types of event sources: what each requires of the execution role, and which managed policy contains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.state import Sources, SourceState
from permission_guard.needs.base import NOTHING_READ, Need, NeedKind, required
from permission_guard.needs.event_sources.base import EventSource
from permission_guard.needs.event_sources.documentdb import DocumentDB
from permission_guard.needs.event_sources.dynamodb import DynamoDB
from permission_guard.needs.event_sources.kinesis import Kinesis
from permission_guard.needs.event_sources.mq import Mq
from permission_guard.needs.event_sources.msk import Msk
from permission_guard.needs.event_sources.self_managed_kafka import SelfManagedKafka
from permission_guard.needs.event_sources.sqs import Sqs

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping

EVENT_SOURCES: tuple[EventSource, ...] = (
    DocumentDB(),
    DynamoDB(),
    Kinesis(),
    Mq(),
    Msk(),
    SelfManagedKafka(),
    Sqs(),
)


def event_source_of(mapping: EventSourceMapping) -> EventSource | None:
    """Return the type of a mapping's source, None if it is unknown."""
    return next((source for source in EVENT_SOURCES if source.matches(mapping)), None)


__all__ = [
    "EVENT_SOURCES",
    "NOTHING_READ",
    "EventSource",
    "Need",
    "NeedKind",
    "SourceState",
    "Sources",
    "event_source_of",
    "required",
]
