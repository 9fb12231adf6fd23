"""The alert channels that a configuration names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from permission_guard.config.destinations import ChannelType
from permission_guard.delivery.alerts.lazy import LazyChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.config.destinations import Channel
    from permission_guard.config.settings import AlertSettings
    from permission_guard.delivery.alerts.channel import AlertChannel

TYPES_WITH_THREADS: Final = frozenset({ChannelType.SLACK, ChannelType.AMAZON_Q})
"""The types of which later messages about a finding follow its first one, in a thread."""


def named_channels(
    named: Mapping[str, Channel],
    owners: Mapping[str, str],
    settings: AlertSettings,
    client: Callable[[Any], Any],
) -> list[LazyChannel]:
    """Return the channels of a configuration, in the order of their names. Each is made when it has a message.

    `owners` has the ID of a Slack user or user group for each owner. `client` returns the boto3 client of a service.
    """
    return [
        LazyChannel(
            name, partial(_make, name, one, owners, settings, client), has_threads=one.type in TYPES_WITH_THREADS
        )
        for name, one in sorted(named.items())
    ]


def _make(
    name: str,
    channel: Channel,
    owners: Mapping[str, str],
    settings: AlertSettings,
    client: Callable[[Any], Any],
) -> AlertChannel:
    # Each of them loads libraries that only its users need.
    match channel.type:
        case ChannelType.SNS:
            from permission_guard.delivery.alerts.sns.channel import SnsChannel  # noqa: PLC0415

            return SnsChannel(client("sns"), channel.topic or "", name=name)
        case ChannelType.AMAZON_Q:
            from permission_guard.delivery.alerts.amazon_q.channel import AmazonQChannel  # noqa: PLC0415

            return AmazonQChannel(client("sns"), channel.topic or "", name=name)
        case _:
            return _with_secret(name, channel, owners, settings, client("secretsmanager"))


def _with_secret(
    name: str, channel: Channel, owners: Mapping[str, str], settings: AlertSettings, secrets: Any
) -> AlertChannel:
    arn = channel.secret or ""
    match channel.type:
        case ChannelType.SLACK:
            from permission_guard.aws.readers.secrets import BotTokenSecret  # noqa: PLC0415
            from permission_guard.delivery.alerts.slack.bot import SlackBot  # noqa: PLC0415

            return SlackBot(BotTokenSecret(secrets, arn), channel.channel or "", name=name, owners=owners)
        case ChannelType.SLACK_WEBHOOK:
            from permission_guard.aws.readers.secrets import WebhookSecret  # noqa: PLC0415
            from permission_guard.delivery.alerts.slack.channel import SlackChannel  # noqa: PLC0415

            webhook = WebhookSecret(secrets, arn, settings.slack_webhook_prefix)
            return SlackChannel(webhook, name=name, owners=owners)
        case _:
            from permission_guard.aws.readers.secrets import AppriseSecret  # noqa: PLC0415
            from permission_guard.delivery.alerts.apprise.channel import AppriseChannel  # noqa: PLC0415

            return AppriseChannel(AppriseSecret(secrets, arn), name=name)
