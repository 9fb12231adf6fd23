"""The composition root of the function that publishes findings."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.aws.tables.findings_stream import transition_of
from permission_guard.bus.publisher import publish
from permission_guard.config.settings import PublishSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.model.targets import JSON


def publisher(
    environment: Mapping[str, str], logger: Logger, metrics: Metrics
) -> Callable[[Mapping[str, JSON]], dict[str, JSON]]:
    """Return what publishes a batch of the findings table's stream. ConfigurationError if a setting is missing."""
    bus = _bus(PublishSettings.from_environment(environment))
    return partial(publish, read=transition_of, bus=bus, logger=logger, metrics=metrics)


@cache
def _bus(settings: PublishSettings) -> EventBus:
    return EventBus(client("events"), settings.event_bus)
