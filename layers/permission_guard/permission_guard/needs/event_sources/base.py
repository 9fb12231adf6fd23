"""What every type of event source says: which actions Lambda takes with the execution role, on what, and what for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.needs.base import NOTHING_READ, Need

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources


class EventSource(Protocol):
    """A type of event source.

    `managed_policy` is the path and name of the AWS managed policy with what it takes to read one; empty where AWS has
    none.
    """

    name: str
    managed_policy: str

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Tell whether the mapping reads from a source of this type."""

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return what the role must be allowed for this mapping, of every kind."""


def source_service(mapping: EventSourceMapping) -> str:
    """Return the service of the mapping's source from its ARN, empty where it has none (self-managed Kafka)."""
    parts = (mapping.event_source_arn or "").split(":", 5)
    return parts[2] if len(parts) == 6 else ""  # noqa: PLR2004 - an ARN has six parts
