"""The composition root of the alert channels."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from permission_guard import config
from permission_guard.aws.clients import client
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.alerts.slack.channel import SlackChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.delivery.alerts.base import AlertChannel
    from permission_guard.delivery.ledger import DeliveryResult
    from permission_guard.model.findings import Finding


class AlertSettings(Protocol):
    """Which channels a deployment has; one that is None is off. `config.AlertSettings` is what is deployed."""

    @property
    def topic_arn(self) -> str | None:
        """The topic that the SNS channel publishes to."""

    @property
    def slack_secret_arn(self) -> str | None:
        """The secret that holds the Slack webhook's URL."""

    @property
    def slack_webhook_prefix(self) -> str:
        """What that URL has to begin with."""


def _sns(settings: AlertSettings, client: Callable[[Any], Any]) -> AlertChannel | None:
    if not settings.topic_arn:
        return None
    from permission_guard.delivery.alerts.sns.channel import SnsChannel  # noqa: PLC0415 - only `aws/` knows AWS, and only who uses SNS loads it

    return SnsChannel(client("sns"), settings.topic_arn)


def _slack(settings: AlertSettings, client: Callable[[Any], Any]) -> AlertChannel | None:
    if not settings.slack_secret_arn:
        return None
    from permission_guard.aws.readers.secrets import WebhookSecret  # noqa: PLC0415 - as above

    secret = WebhookSecret(client("secretsmanager"), settings.slack_secret_arn, settings.slack_webhook_prefix)
    return SlackChannel(secret)


CHANNELS: Mapping[str, Callable[[AlertSettings, Callable[[Any], Any]], AlertChannel | None]] = {
    "sns": _sns,
    "slack": _slack,
}
"""Every channel by name: a function that makes it, or returns None when the settings leave it off."""


def alert_sender(environment: Mapping[str, str]) -> Callable[[Finding], list[DeliveryResult]]:
    """Return what sends the alerts of a finding's last transition; ConfigurationError when a setting is missing."""
    return _sender(config.AlertSettings.from_environment(environment))


@cache
def _sender(settings: config.AlertSettings) -> Callable[[Finding], list[DeliveryResult]]:
    """Connect once an execution environment: the Slack channel remembers its webhook."""
    ledger = DeliveryTable(client("dynamodb"), settings.deliveries_table)
    return partial(send, channels=channels_for(settings, client), ledger=ledger)


def channels_for(settings: AlertSettings, client: Callable[[Any], Any]) -> list[AlertChannel]:
    """Return the channels a deployment has.

    `client` makes a boto3 client of a service name (`permission_guard.aws.clients.client`); it is asked only for those
    that are used.
    """
    made = (make(settings, client) for make in CHANNELS.values())
    return [channel for channel in made if channel is not None]
