"""Alerts and tickets: an event of the bus becomes one message to people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import botocore_stubber

from permission_guard.aws import clients
from permission_guard.model.findings import Status, Transition
from tests.fakes import FINDING_ID, a_finding
from tests.integration.conftest import sqs_event
from tests.integration.test_delivery_ops_items import OpsCenter

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.integration.conftest import Account

RESOLVED = a_finding(
    status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2, resolution="The role may read the queue."
)


def event(finding: Finding) -> dict[str, Any]:
    """Return the event of a finding's last transition, as the bus delivers it."""
    return {"source": "permission-guard", "detail-type": finding.transition, "detail": finding.to_document()}


@pytest.fixture
def alerted(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a topic and a subscribed queue."""
    topic = account.sns.create_topic(Name="alerts")["TopicArn"]
    url = account.queue("mailbox")
    arn = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    monkeypatch.setenv("TOPIC_ARN", topic)
    return account


def test_an_alert_reaches_the_subscribers_of_the_topic(alerted: Account) -> None:
    """The title is in the subject, the reason in the text."""
    run = alerted.run("send_alert", sqs_event(event(a_finding())))
    assert run.failed == []
    (mail,) = (json.loads(body) for body in alerted.received("mailbox"))
    assert "orders cannot read its SQS queue" in mail["Subject"]
    assert "The role is not allowed sqs:ReceiveMessage." in mail["Message"]
    line = run.line("delivered")
    assert (line["finding_id"], line["revision"], line["channel"]) == (FINDING_ID, 1, "sns")


def test_a_repeated_event_sends_no_second_alert_and_the_next_transition_does(alerted: Account) -> None:
    """Queues deliver at least once; a late message is superseded by a newer one."""
    for finding in (a_finding(), a_finding(), RESOLVED, a_finding()):
        assert alerted.run("send_alert", sqs_event(event(finding))).failed == []
    assert len(alerted.received("mailbox")) == 2


def test_a_message_for_a_deleted_topic_returns_to_its_queue(alerted: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does one that cannot be read; each is counted as failed."""
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:missing")
    run = alerted.run("send_alert", sqs_event(event(a_finding()), "{"))
    assert run.failed == ["m0", "m1"]
    assert run.counts == {"MessagesReceived": 2, "MessagesFailed": 2}


def test_without_a_channel_an_event_needs_no_call(account: Account) -> None:
    """The deployment has no alerts."""
    run = account.run("send_alert", sqs_event(event(a_finding())))
    assert run.failed == []
    assert run.calls == []


def test_a_finding_has_one_ticket_that_is_resolved_along_with_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened once, however often the event arrives."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    ssm = clients.client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # moto has no OpsCenter and rejects its calls
    center = OpsCenter(ssm)
    for finding in (a_finding(), a_finding()):
        assert account.run("open_ticket", sqs_event(event(finding))).failed == []
    ((reference, ticket),) = center.items.items()
    assert ticket["Status"] == "Open"
    assert "orders cannot read its SQS queue" in ticket["Title"]
    run = account.run("open_ticket", sqs_event(event(RESOLVED)))
    assert run.line("delivered")["ticket"] == reference
    assert center.items[reference]["Status"] == "Resolved"


def test_without_a_ticket_system_no_ticket_is_opened(account: Account) -> None:
    """No ticket system is the default."""
    run = account.run("open_ticket", sqs_event(event(a_finding())))
    assert run.failed == []
    assert run.calls == []


def test_an_unknown_ticket_system_is_logged_as_a_failure(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names the finding and the error."""
    monkeypatch.setenv("TICKET_SYSTEM", "jurassic")
    run = account.run("open_ticket", sqs_event(event(a_finding())))
    assert run.failed == ["m0"]
    line = run.line("message could not be handled")
    assert (line["finding_id"], line["error"]) == (FINDING_ID, "ConfigurationError")
