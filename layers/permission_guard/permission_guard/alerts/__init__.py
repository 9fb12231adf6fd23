"""Alert channels: who is told of a finding, and of which of its transitions.

Another channel is one file that formats (pure), one class that sends, and one line in `CHANNELS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from permission_guard.alerts.slack import SlackChannel
from permission_guard.errors import DeliveryError, PermissionGuardError
from permission_guard.findings.deliveries import DeliveryResult, Outcome, deliver
from permission_guard.model import Transition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.findings.deliveries import DeliveryLedger
    from permission_guard.model import Finding

__all__ = ["ALERTED", "CHANNELS", "AlertChannel", "AlertSettings", "channels_for", "send"]

ALERTED = frozenset(
    {
        Transition.OPENED,
        Transition.REOPENED,
        Transition.RESOLVED,
        Transition.SUPPRESSED,  # whoever relied on the alert learns that somebody switched it off
        Transition.FIX_PROPOSED,
        Transition.FIX_APPLIED,
        Transition.FIX_REFUSED,
        Transition.FIX_FAILED,
        Transition.FIX_UNDONE,
        # Not told: FIX_APPROVED and FIX_UNDO_REQUESTED. A person just did that, and what comes of it is told.
    }
)
"""The transitions that people are told of."""


class AlertChannel(Protocol):
    """A place where people are told of findings."""

    @property
    def name(self) -> str:
        """What the channel is called in the delivery ledger; never changed once it was used."""

    def send(self, finding: Finding, reference: str | None) -> str | None:
        """Tell people of a finding, once; DeliveryError when it did not go through.

        Takes the reference of the last delivery of the same finding, and returns that of this one, if there is one.
        """


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
    from permission_guard.aws.sns import SnsChannel  # noqa: PLC0415 - only `aws/` knows AWS, and only who uses SNS loads it

    return SnsChannel(client("sns"), settings.topic_arn)


def _slack(settings: AlertSettings, client: Callable[[Any], Any]) -> AlertChannel | None:
    if not settings.slack_secret_arn:
        return None
    from permission_guard.aws.secrets import WebhookSecret  # noqa: PLC0415 - as above

    secret = WebhookSecret(client("secretsmanager"), settings.slack_secret_arn, settings.slack_webhook_prefix)
    return SlackChannel(secret)


CHANNELS: Mapping[str, Callable[[AlertSettings, Callable[[Any], Any]], AlertChannel | None]] = {
    "sns": _sns,
    "slack": _slack,
}
"""Every channel by name: a function that makes it, or returns None when the settings leave it off."""


def channels_for(settings: AlertSettings, client: Callable[[Any], Any]) -> list[AlertChannel]:
    """Return the channels a deployment has.

    `client` makes a boto3 client of a service name (`permission_guard.aws.clients.client`); it is asked only for those
    that are used.
    """
    made = (make(settings, client) for make in CHANNELS.values())
    return [channel for channel in made if channel is not None]


def send(finding: Finding, channels: Sequence[AlertChannel], ledger: DeliveryLedger) -> list[DeliveryResult]:
    """Tell every channel of a finding, each once and apart from the others.

    Raises one DeliveryError that names the channels that failed, after all were tried. What did go through is in the
    ledger by then, so the retry only concerns the others.
    """
    if finding.transition not in ALERTED:
        return [DeliveryResult(channel=channel.name, outcome=Outcome.NOT_WANTED) for channel in channels]
    results: list[DeliveryResult] = []
    failures: list[tuple[str, Exception]] = []
    for channel in channels:
        try:
            results.append(deliver(ledger, channel.name, finding, channel.send))
        except Exception as error:  # noqa: BLE001 - one broken channel must not silence the others; raised below
            failures.append((channel.name, error))
    if failures:
        why = "; ".join(f"{name}: {_why(error)}" for name, error in failures)
        raise DeliveryError(
            f"revision {finding.revision} of finding {finding.id} was not delivered: {why}"
        ) from failures[0][1]
    return results


def _why(error: Exception) -> str:
    """Return the reason to show; only this package's own errors are sure to hold no secret."""
    return str(error) if isinstance(error, PermissionGuardError) else type(error).__name__
