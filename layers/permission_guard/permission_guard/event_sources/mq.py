"""Amazon MQ brokers: ActiveMQ and RabbitMQ.

https://docs.aws.amazon.com/lambda/latest/dg/process-mq-messages-with-lambda.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.event_sources.access import network_interfaces, secrets
from permission_guard.event_sources.base import NOTHING_READ, on, source_service
from permission_guard.event_sources.destinations import destinations

if TYPE_CHECKING:
    from permission_guard.event_sources.base import Need, Sources
    from permission_guard.model import EventSourceMapping


class Mq:
    """A broker, whichever its engine: RabbitMQ's VIRTUAL_HOST is a name and needs nothing.

    AWS's example allows all of it on `*`; there is no AWS managed policy.
    """

    name = "Amazon MQ broker"
    managed_policy = ""

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Tell whether the mapping reads a broker's queue."""
        return source_service(mapping) == "mq"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return describing the broker, reaching it, and reading the secret to sign in with."""
        return (
            *on(mapping.event_source_arn or "", "mq:DescribeBroker"),
            *network_interfaces(),
            *secrets(mapping, sources),
            *destinations(mapping, sources),
        )
