"""Needs for Amazon MQ brokers: ActiveMQ and RabbitMQ.

https://docs.aws.amazon.com/lambda/latest/dg/process-mq-messages-with-lambda.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.needs.base import NOTHING_READ, on, state_of
from permission_guard.needs.event_sources.access import network_interfaces, secrets
from permission_guard.needs.event_sources.base import source_service
from permission_guard.needs.event_sources.destinations import destinations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.needs.base import Need


class Mq:
    """A broker of either engine: RabbitMQ's VIRTUAL_HOST is a name and requires no permission.

    AWS's example allows all actions on `*`. There is no AWS managed policy.
    """

    name = "Amazon MQ broker"
    managed_policy = ""

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping reads a broker's queue."""
        return source_service(mapping) == "mq"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for describing the broker, reaching it, and reading the sign-in secret."""
        broker = mapping.event_source_arn or ""
        return (
            *on(broker, "mq:DescribeBroker"),
            *_reaching(broker, sources),
            *secrets(mapping, sources),
            *destinations(mapping, sources),
        )


def _reaching(broker: str, sources: Sources) -> Iterator[Need]:
    """Yield the needs for network interfaces: a publicly accessible broker needs none, though AWS lists them for all.

    https://docs.aws.amazon.com/lambda/latest/dg/process-mq-messages-with-lambda.html
    """
    state = state_of(broker, sources)
    is_public = state.is_public if state else None
    unclear = "it depends on whether the broker is publicly accessible, which was not read"
    doubt = unclear if is_public is None else ""
    for need in network_interfaces():
        yield replace(need, recommended=is_public is True, doubt=doubt, unread=broker if doubt else "")
