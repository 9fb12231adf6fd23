"""The composition root of the alert channels."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from permission_guard.aws.clients import client
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.maintenance import DigestReader
from permission_guard.aws.tables.quotas import QuotaTable
from permission_guard.aws.tables.target_findings import TargetFindings
from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.bootstrap.commands import list_command
from permission_guard.bootstrap.configuration import latest
from permission_guard.bootstrap.named_channels import named_channels
from permission_guard.bootstrap.patience import patience
from permission_guard.config.settings import AlertSettings
from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.alerts.digests import send_digest
from permission_guard.delivery.alerts.routed import AlertRoutes
from permission_guard.delivery.alerts.slack.channel import SlackChannel
from permission_guard.delivery.alerts.waiting import WaitingSender
from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult
from permission_guard.delivery.limits import ChannelLimits
from permission_guard.delivery.patience import PatientChannel
from permission_guard.delivery.transitions import deliver_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.bus.events import BusEvent
    from permission_guard.config.document import GuardConfig
    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.findings import Finding

    AlertSender = Callable[[BusEvent], Sequence[DeliveryResult]]

_NO_OWNERS: Mapping[str, str] = {}


def _sns(settings: AlertSettings, client: Callable[[Any], Any], _owners: Mapping[str, str]) -> AlertChannel | None:
    if not settings.topic_arn:
        return None
    from permission_guard.delivery.alerts.sns.channel import SnsChannel  # noqa: PLC0415 - loads botocore, which only users of SNS need

    return SnsChannel(client("sns"), settings.topic_arn)


def _slack(settings: AlertSettings, client: Callable[[Any], Any], owners: Mapping[str, str]) -> AlertChannel | None:
    if not settings.slack_secret_arn:
        return None
    from permission_guard.aws.readers.secrets import WebhookSecret  # noqa: PLC0415 - as above

    secret = WebhookSecret(client("secretsmanager"), settings.slack_secret_arn, settings.slack_webhook_prefix)
    return SlackChannel(secret, owners=owners)


CHANNELS: Mapping[str, Callable[[AlertSettings, Callable[[Any], Any], Mapping[str, str]], AlertChannel | None]] = {
    "sns": _sns,
    "slack": _slack,
}
"""Every channel by name: a function that creates it, or returns None if the settings do not enable it."""


def alert_sender(environment: Mapping[str, str], config: GuardConfig) -> AlertSender:
    """Return what sends the alerts of an event's transition. ConfigurationError if a setting is missing."""
    return _sender(AlertSettings.from_environment(environment), config)


def digest_sender(environment: Mapping[str, str], config: GuardConfig) -> Callable[[str], Sequence[DeliveryResult]]:
    """Return what sends the digest with an id. ConfigurationError if a setting is missing."""
    settings = AlertSettings.from_environment(environment)
    return partial(
        send_digest,
        digests=DigestReader(client("dynamodb"), settings.findings_table),
        channels=_channels(settings),
        ledger=DeliveryTable(client("dynamodb"), settings.deliveries_table),
        limits=channel_limits(settings, config),
    )


def waiting_sender(
    environment: Mapping[str, str], config: GuardConfig, account: str, region: str
) -> Callable[[str], Sequence[DeliveryResult]]:
    """Return what sends the messages that wait for the channel with a name. ConfigurationError if a setting is missing.

    Nothing is sent if there is no such channel any more.
    """
    settings = AlertSettings.from_environment(environment)
    dynamodb = client("dynamodb")
    sender = WaitingSender(
        config.alerts.limit,
        channel_limits(settings, config),
        DeliveryTable(dynamodb, settings.deliveries_table),
        WaitingForDigestsTable(dynamodb, settings.deliveries_table),
        DigestReader(dynamodb, settings.findings_table),
        account=account,
        region=region,
        command=list_command(settings.stack_name, region),
        has_time=patience().has_time,
    )

    def send_to(name: str) -> Sequence[DeliveryResult]:
        channel = next((one for one in all_channels(settings, config) if one.name == name), None)
        if channel is None:
            return [DeliveryResult(channel=name, outcome=DeliveryOutcome.NO_CHANNEL)]
        return sender.send(channel)

    return send_to


def channel_limits(settings: AlertSettings, config: GuardConfig) -> ChannelLimits:
    """Return the limits of all channels."""
    dynamodb, table = client("dynamodb"), settings.deliveries_table
    return ChannelLimits(config.alerts.limit, QuotaTable(dynamodb, table), WaitingForDigestsTable(dynamodb, table))


@latest
def _sender(settings: AlertSettings, config: GuardConfig) -> AlertSender:
    findings = FindingReader(client("dynamodb"), settings.findings_table)
    ledger = DeliveryTable(client("dynamodb"), settings.deliveries_table)
    channels = {one.name: one for one in all_channels(settings, config)}
    routes = AlertRoutes(config.routes, channels, [name for name in CHANNELS if name in channels])
    alert = partial(
        send,
        min_severity=config.alerts.min_severity,
        baseline=DigestReader(client("dynamodb"), settings.findings_table).baseline,
        limits=channel_limits(settings, config),
        groups=TargetFindings(client("dynamodb"), settings.findings_table),
    )

    def send_event(event: BusEvent) -> Sequence[DeliveryResult]:
        def to_channels(finding: Finding, current: Current) -> Sequence[DeliveryResult]:
            return alert(
                finding, current, patience().ordered(routes.channels(finding)), ledger, is_routed=routes.is_routed
            )

        return deliver_event(event, findings, to_channels)

    return send_event


@latest
def all_channels(settings: AlertSettings, config: GuardConfig) -> list[AlertChannel]:
    """Return the channels of a deployment: its own, which are the default ones, and those that `config` names."""
    own = channels_for(settings, client, config.owners)
    return _patient([*own, *named_channels(config.channels, config.owners, settings, client)])


@cache
def _channels(settings: AlertSettings) -> list[AlertChannel]:
    """Create the default channels once per execution environment: the Slack channel caches its webhook."""
    return _patient(channels_for(settings, client))


def _patient(channels: Sequence[AlertChannel]) -> list[AlertChannel]:
    return [PatientChannel(one, patience()) for one in channels]


def channels_for(
    settings: AlertSettings, client: Callable[[Any], Any], owners: Mapping[str, str] = _NO_OWNERS
) -> list[AlertChannel]:
    """Return the stack's own channels.

    `client` returns the boto3 client of a service, such as `permission_guard.aws.clients.client`. It is called only for
    the services that are used. `owners` has the ID of a Slack user or user group for each owner.
    """
    created = (make(settings, client, owners) for make in CHANNELS.values())
    return [channel for channel in created if channel is not None]
