"""What every type of event source says: which actions Lambda takes with the execution role when it polls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from permission_guard.model import EventSourceMapping


@dataclass(frozen=True, slots=True)
class Need:
    """One action that the execution role must be allowed on one resource."""

    action: str
    resource: str


class EventSource(Protocol):
    """A type of event source. `managed_policy` is the path and name of the AWS managed policy that has its needs."""

    name: str
    managed_policy: str

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Tell whether the mapping reads from a source of this type."""

    def needs(self, mapping: EventSourceMapping) -> tuple[Need, ...]:
        """Return what the role must be allowed for this mapping."""


def source_service(mapping: EventSourceMapping) -> str:
    """Return the service of the mapping's source from its ARN, empty where it has none (self-managed Kafka)."""
    parts = (mapping.event_source_arn or "").split(":", 5)
    return parts[2] if len(parts) == 6 else ""  # noqa: PLR2004 - an ARN has six parts


def on(resource: str, *actions: str) -> tuple[Need, ...]:
    """Return one need an action, all on the same resource."""
    return tuple(Need(action, resource) for action in actions)
