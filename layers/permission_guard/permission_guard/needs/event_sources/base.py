"""Protocol of the types of event sources: the actions that Lambda performs with the execution role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.iam.arn import parse_arn
from permission_guard.needs.base import NOTHING_READ, Need

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources


class EventSource(Protocol):
    """A type of event source.

    `managed_policy` is the path and name of the AWS managed policy for reading it, empty if AWS has none.
    """

    name: str
    managed_policy: str

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping reads from a source of this type."""

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs of every kind for this mapping."""


def source_service(mapping: EventSourceMapping) -> str:
    """Return the service in the ARN of the mapping's source; empty if it has no ARN (self-managed Kafka)."""
    arn = parse_arn(mapping.event_source_arn or "")
    return arn.service if arn else ""
