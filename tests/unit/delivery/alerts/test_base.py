"""Each channel gets an alert independently of the others, and a failed delivery is retried."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from permission_guard.bootstrap.alerts import CHANNELS, channels_for
from permission_guard.config.settings import AlertSettings
from permission_guard.delivery.alerts.base import ALERTED, send
from permission_guard.delivery.ledger import Delivery, DeliveryOutcome
from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Finding, Transition
from permission_guard.model.verdicts import Severity
from tests.paths import FINDINGS
from tests.unit.delivery.channels import Channel
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))


def settings_of(topic_arn: str | None = None, slack_secret_arn: str | None = None) -> AlertSettings:
    """Return the settings of a deployment that has these channels."""
    return AlertSettings("findings", "deliveries", topic_arn, slack_secret_arn, "https://hooks.slack.com/")


def test_every_channel_gets_the_alert() -> None:
    """There is one result for each channel."""
    sns, slack = Channel("sns"), Channel("slack")
    results = send(OPENED, unread, [sns, slack], MemoryLedger())
    assert [(result.channel, result.outcome) for result in results] == [
        ("sns", DeliveryOutcome.DELIVERED),
        ("slack", DeliveryOutcome.DELIVERED),
    ]
    assert sns.revisions == slack.revisions == [1]


def test_the_retry_sends_only_to_the_channel_that_failed() -> None:
    """A failure of Slack does not repeat the mail."""
    sns, slack = Channel("sns"), Channel("slack", DeliveryError("HTTP 500"))
    ledger = MemoryLedger()
    with pytest.raises(DeliveryError, match="was not delivered: slack: HTTP 500"):
        send(OPENED, unread, [slack, sns], ledger)
    assert sns.revisions == [1]
    send(OPENED, unread, [slack, sns], ledger)
    assert sns.revisions == [1]
    assert slack.revisions == [1]


def test_one_error_names_every_channel_that_failed_without_texts_of_other_packages() -> None:
    """The text of another package's error may contain the webhook's URL."""
    slack = Channel("slack", OSError("https://hooks.slack.com/services/T0/B0/secret"))
    with pytest.raises(DeliveryError) as raised:
        send(OPENED, unread, [Channel("sns", DeliveryError("throttled")), slack], MemoryLedger())
    assert str(raised.value) == (f"revision 1 of finding {OPENED.id} was not delivered: sns: throttled; slack: OSError")


@pytest.mark.parametrize("transition", [Transition.FIX_APPROVED, Transition.FIX_UNDO_REQUESTED])
def test_no_alert_is_sent_for_what_a_person_did(transition: Transition) -> None:
    """The result of it is alerted."""
    channel = Channel("sns")
    results = send(replace(OPENED, transition=transition), unread, [channel], MemoryLedger())
    assert [result.outcome for result in results] == [DeliveryOutcome.NOT_ALERTED]
    assert channel.revisions == []
    assert transition not in ALERTED


def test_a_deployment_has_the_channels_that_its_settings_name() -> None:
    """It creates no client for the others."""
    clients: list[str] = []
    assert channels_for(settings_of(), clients.append) == []
    assert clients == []
    settings = settings_of(topic_arn="arn:aws:sns:us-east-1:123456789012:alerts", slack_secret_arn="arn:secret")
    assert [channel.name for channel in channels_for(settings, clients.append)] == list(CHANNELS)
    assert clients == ["sns", "secretsmanager"]


def test_a_repaired_ledger_sends_no_alert_for_a_transition_that_has_none() -> None:
    """The finding as it is now was approved by a person."""
    ledger, channel = MemoryLedger(), Channel("sns")
    ledger.held[OPENED.id, "sns"] = Delivery(revision=99)
    approved = replace(OPENED, revision=3, transition=Transition.FIX_APPROVED)
    (result,) = send(OPENED, lambda: approved, [channel], ledger)
    assert (result.outcome, result.repaired, channel.revisions) == (DeliveryOutcome.DELIVERED, True, [])


def test_below_the_severity_threshold_nothing_is_sent() -> None:
    """The finding is a high one."""
    channel, ledger = Channel("sns"), MemoryLedger()
    (result,) = send(OPENED, lambda: OPENED, [channel], ledger, min_severity=Severity.CRITICAL)
    assert result.outcome is DeliveryOutcome.BELOW_THRESHOLD
    assert channel.revisions == []


@pytest.mark.parametrize("threshold", [Severity.LOW, Severity.MEDIUM, Severity.HIGH])
def test_at_the_severity_threshold_an_alert_is_sent(threshold: Severity) -> None:
    """It is the lowest severity that sends one."""
    channel = Channel("sns")
    assert OPENED.severity is Severity.HIGH
    (result,) = send(OPENED, unread, [channel], MemoryLedger(), min_severity=threshold)
    assert (result.outcome, channel.revisions) == (DeliveryOutcome.DELIVERED, [1])


def test_a_finding_whose_severity_rises_is_sent() -> None:
    """With its next transition, or when the same one is published again."""
    channel, ledger = Channel("sns"), MemoryLedger()
    low = replace(OPENED, severity=Severity.LOW)
    send(low, lambda: low, [channel], ledger, min_severity=Severity.HIGH)
    (again,) = send(low, lambda: OPENED, [channel], ledger, min_severity=Severity.HIGH)
    assert (again.outcome, channel.revisions) == (DeliveryOutcome.DELIVERED, [1])
    send(
        replace(OPENED, revision=2, transition=Transition.REOPENED),
        unread,
        [channel],
        ledger,
        min_severity=Severity.HIGH,
    )
    assert channel.revisions == [1, 2]


def test_an_older_transition_is_not_sent_after_one_below_the_threshold() -> None:
    """Its severity was another one then."""
    channel, ledger = Channel("sns"), MemoryLedger()
    newer = replace(OPENED, revision=3, severity=Severity.LOW)
    send(newer, lambda: newer, [channel], ledger, min_severity=Severity.HIGH)
    (late,) = send(replace(OPENED, revision=2), lambda: newer, [channel], ledger, min_severity=Severity.HIGH)
    assert (late.outcome, channel.revisions) == (DeliveryOutcome.ALREADY_DELIVERED, [])
