"""A new configuration document takes effect in the functions, with their events and tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.bootstrap import configuration
from permission_guard.config.document import Alerts, GuardConfig, RuleConfig, Tickets, Trust
from permission_guard.errors import ConfigurationUnavailableError
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from tests.integration.conftest import cloudtrail, sqs_event

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.integration.conftest import Account

PARTNER = "111122223333"


@pytest.fixture
def open_to_partner(account: Account) -> Account:
    """Return an account with a function that another account may invoke."""
    account.make_role()
    account.make_function()
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId="partner",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{PARTNER}:root",
    )
    return account


def check(account: Account, **config: Any) -> Finding:
    """Check the function with a configuration; return its finding."""
    account.config = GuardConfig(grace_period_seconds=0, **config)
    assert account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission"))).failed == []
    return account.finding


def bus_event(finding: Finding) -> dict[str, Any]:
    """Return a batch with the event of a finding's last transition."""
    detail = finding.to_document()
    return sqs_event({"source": "permission-guard", "detail-type": finding.transition, "detail": detail})


def test_an_account_is_trusted_as_soon_as_the_document_says_so(open_to_partner: Account) -> None:
    """The rules of a new document are used without a new execution environment."""
    assert check(open_to_partner).status is Status.OPEN
    trusted = check(open_to_partner, trust=Trust(accounts=(PARTNER,)))
    assert (trusted.rule_id, trusted.status) == ("PG106", Status.RESOLVED)


def test_the_finding_of_a_disabled_rule_is_resolved_with_the_reason(open_to_partner: Account) -> None:
    """It reopens when the rule is enabled again."""
    assert check(open_to_partner).status is Status.OPEN
    disabled = check(open_to_partner, rules={"PG106": RuleConfig(enabled=False)})
    assert disabled.status is Status.RESOLVED
    assert disabled.resolution == "The rule PG106 is disabled in the configuration."
    assert check(open_to_partner).status is Status.OPEN


def test_a_severity_applies_to_the_finding_that_exists(open_to_partner: Account) -> None:
    """It is no transition: nothing is published."""
    before = check(open_to_partner)
    after = check(open_to_partner, rules={"PG106": RuleConfig(severity=Severity.LOW)})
    assert (before.severity, after.severity) == (Severity.HIGH, Severity.LOW)
    assert after.revision == before.revision


def test_alerts_and_tickets_below_the_threshold_are_not_sent(
    open_to_partner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function says so in its log."""
    topic = boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
    monkeypatch.setenv("TOPIC_ARN", topic)
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    event = bus_event(check(open_to_partner))
    open_to_partner.config = GuardConfig(
        alerts=Alerts(min_severity=Severity.CRITICAL), tickets=Tickets(min_severity=Severity.CRITICAL)
    )
    for function, channel in (("send_alert", "sns"), ("open_ticket", "ticket:opsitem")):
        run = open_to_partner.run(function, event)
        assert run.failed == []
        assert run.line("below the severity threshold")["channel"] == channel
        assert not [call for call in run.calls if call.startswith(("sns:", "ssm:"))]
    open_to_partner.config = GuardConfig(alerts=Alerts(min_severity=Severity.HIGH))
    assert open_to_partner.run("send_alert", event).line("delivered")["channel"] == "sns"


@pytest.mark.parametrize(
    "function", ["check_invoke_policy", "check_execution_role", "send_alert", "open_ticket", "apply_fix"]
)
def test_without_a_configuration_nothing_is_read_and_nothing_is_written(
    open_to_partner: Account, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """All messages stay in the queue, also those that cannot be read."""
    finding = check(open_to_partner)

    def read() -> None:
        raise ConfigurationUnavailableError("AppConfig could not be read: denied")

    monkeypatch.setattr(configuration, "_deployed", lambda _settings: SimpleNamespace(read=read))
    monkeypatch.setenv("FIX_MODE", "auto")
    event = bus_event(finding) if function in {"send_alert", "open_ticket", "apply_fix"} else None
    event = event or sqs_event(cloudtrail("add_permission"), "not JSON")
    run = open_to_partner.run(function, event)
    assert run.failed == [record["messageId"] for record in event["Records"]]
    assert run.calls == []
    assert run.counts == {"ConfigurationUnread": 1}
    assert run.line("configuration not read: the messages stay in the queue")["message_ids"] == run.failed
