"""The composition root of test messages: one to each alert channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.aws.clients import client
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.bootstrap.alerts import CHANNELS, all_channels, channel_limits
from permission_guard.bootstrap.configuration import configuration_or_reason
from permission_guard.bootstrap.threads import thread_pool
from permission_guard.config.destinations import ChannelType
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import AlertSettings
from permission_guard.delivery.samples import failed, log_results, send_test
from permission_guard.model.destinations import Destination, DestinationKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.model.destinations import DestinationResult

_TYPES: Final = {"sns": ChannelType.SNS, "slack": ChannelType.SLACK_WEBHOOK}
"""What the stack's own channels are."""

_NAMED: Final = Destination(name="guard.yaml", type="configuration", kind=DestinationKind.ALERTS)
"""Stands for the channels of a configuration that cannot be read."""


def message_results(
    test: AlertTest, environment: Mapping[str, str], logger: Logger, metrics: Metrics
) -> list[DestinationResult]:
    """Send a test message to every channel; return what became of it at each.

    If the configuration cannot be read, the default channels are tried, and one more result says why the others are
    not. ConfigurationError if a setting is missing.
    """
    settings = AlertSettings.from_environment(environment)
    read, problem = configuration_or_reason(environment, logger, metrics)
    config = read or GuardConfig()
    channels = [(_destination(one.name, config), one) for one in all_channels(settings, config)]
    ledger = DeliveryTable(client("dynamodb"), settings.deliveries_table)
    results = send_test(test, channels, ledger, channel_limits(settings, config), thread_pool)
    if read is None:
        results.append(failed(_NAMED, f"the channels that it names were not tried: {problem}"))
    log_results(test, results, logger)
    return results


def _destination(name: str, config: GuardConfig) -> Destination:
    named = config.channels.get(name)
    return Destination(
        name=name,
        type=str(named.type if named else _TYPES[name]),
        kind=DestinationKind.ALERTS,
        is_default=name in CHANNELS,
        routes=tuple(route.id for route in config.routes if name in route.channels),
    )
