"""Maintenance: from the schedule to the reopened finding and to the digest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.tables.maintenance import MaintenanceTable
from permission_guard.bus.digests import digest_body
from permission_guard.bus.events import event_body
from permission_guard.config.document import AlertLimit, Alerts, ExceptionEntry, GuardConfig
from permission_guard.errors import ConfigurationError, ConflictError
from permission_guard.findings.baseline import Baseline, BaselineStatus
from permission_guard.findings.lifecycle import Change
from permission_guard.maintenance import maintainer
from permission_guard.maintenance.state import ExceptionMemory, MaintenanceState
from permission_guard.model.digests import DigestKind, digest_id
from permission_guard.model.findings import Status, Transition
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.targets import Direction
from tests.fakes import FUNCTION_ARN, NOW, OTHER, ROLE_ARN, TARGET, a_finding
from tests.integration.conftest import EVENTS, sqs_event
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account

SCHEDULED = json.loads((EVENTS / "schedule" / "maintain_findings.json").read_text())
SWEEP = json.loads((EVENTS / "schedule" / "sweep_account.json").read_text())
PAST, FUTURE = "2020-01-01T00:00:00+00:00", (datetime.now(UTC) + timedelta(days=90)).isoformat()
UNKNOWN_DIGEST = digest_id(DigestKind.BASELINE, "forged")


def table_of(account: Account) -> MaintenanceTable:
    """Return the table with the state of maintenance."""
    return MaintenanceTable(account.dynamodb, TABLE_NAME)


def suppress(account: Account, until: str, **more: Any) -> None:
    """Record a suppressed finding."""
    suppression = Suppression(by=SuppressedBy.PERSON, reason="Migration", owner="jane", until=until)
    finding = a_finding(
        status=Status.SUPPRESSED, transition=Transition.SUPPRESSED, suppression=suppression, first_seen=NOW, **more
    )
    account.table.put_finding(Change(finding, None))


def test_a_suppression_whose_time_has_passed_ends(account: Account) -> None:
    """Of a function and of a role; the others stay."""
    suppress(account, PAST)
    suppress(account, PAST, id="role", function_arn="", role_arn=ROLE_ARN)
    suppress(account, FUTURE, id="later", function_arn=OTHER.arn)
    run = account.run("maintain_findings", SCHEDULED)
    assert run.answer == {"complete": True, "reopened": 2, "suppressed": 0}
    assert run.counts == {"MaintenanceCompleted": 1, "SuppressionsEnded": 2, "TicketReviewsRequested": 3}
    assert {one.id for one in account.findings if one.transition is Transition.REOPENED} == {a_finding().id, "role"}
    assert account.run("maintain_findings", SCHEDULED).answer["reopened"] == 0


def test_a_deployed_exception_suppresses_open_findings(account: Account) -> None:
    """No check is needed."""
    entry = ExceptionEntry(
        id="uploads", rules=("PG201",), reason="Migration", owner="team", expires=datetime.fromisoformat(FUTURE)
    )
    account.table.put_finding(Change(a_finding(), None))
    account.config = GuardConfig(exceptions=(entry,))
    assert account.run("maintain_findings", SCHEDULED).answer["suppressed"] == 1
    assert account.finding.suppression is not None
    assert account.finding.suppression.exception == "uploads"
    assert table_of(account).state().exceptions.keys() == {"uploads"}


def test_a_damaged_item_is_counted_and_keeps_nothing_else_back(account: Account) -> None:
    """Whoever can write the table hides no other finding."""
    suppress(account, PAST)
    suppress(account, PAST, id="damaged", function_arn=OTHER.arn)
    key = {"pk": {"S": f"FUNCTION#{OTHER.arn}"}, "sk": {"S": "FINDING#damaged"}}
    account.dynamodb.update_item(
        TableName=TABLE_NAME,
        Key=key,
        UpdateExpression="SET document = :text",
        ExpressionAttributeValues={":text": {"S": "[" * 100_000}},
    )
    run = account.run("maintain_findings", SCHEDULED)
    assert run.answer["reopened"] == 1
    assert run.counts["FindingsUnreadable"] == 1
    assert run.line("findings cannot be read or changed: left as they are")["unreadable"] == ["damaged"]


def test_the_baseline_ends_in_one_digest_that_every_channel_sends_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first sweep to the message at the topic; no alert of its own is sent for a finding."""
    topic = account.sns.create_topic(Name="alerts")["TopicArn"]
    account.sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=account.sqs.get_queue_attributes(QueueUrl=account.queue("inbox"), AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"],
    )
    monkeypatch.setenv("TOPIC_ARN", topic)
    monkeypatch.setenv("INVOKE_POLICY_QUEUE_URL", account.queue("invoke-policy"))
    monkeypatch.setenv("EXECUTION_ROLE_QUEUE_URL", account.queue("execution-role"))
    account.make_role()
    account.make_function()
    account.map_queue()
    account.run("sweep_account", SWEEP)
    account.run("maintain_findings", SCHEDULED)
    assert baseline_of(account).status is BaselineStatus.OPEN
    for checker, queue in (("check_invoke_policy", "invoke-policy"), ("check_execution_role", "execution-role")):
        account.run(checker, sqs_event(*account.received(queue)))
    account.run("maintain_findings", SCHEDULED)
    closing = baseline_of(account)
    assert (closing.status, closing.unchecked) == (BaselineStatus.CLOSING, 0)
    monkeypatch.setattr(maintainer, "SETTLE", timedelta())  # as a minute later
    run = account.run("maintain_findings", SCHEDULED)
    assert run.counts["DigestsDue"] == 1
    assert baseline_of(account).status is BaselineStatus.CLOSED
    messages = account.received("alerts")
    assert [json.loads(message)["detail-type"] for message in messages] == ["Digest Due"]
    for _ in range(2):
        assert account.run("send_alert", sqs_event(*messages)).failed == []
    (mail,) = [json.loads(text) for text in account.received("inbox")]
    assert mail["Subject"] == "First sweep: 1 finding in 123456789012, us-east-1"
    assert f"[HIGH] PG201 {FUNCTION_ARN}" in mail["Message"]


def test_what_a_limit_keeps_back_is_one_mail_of_the_next_run(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second alert, over the request of maintenance, to the digest. A removed channel keeps what waits."""
    topic = account.sns.create_topic(Name="alerts")["TopicArn"]
    queue = account.sqs.get_queue_attributes(QueueUrl=account.queue("inbox"), AttributeNames=["QueueArn"])
    account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue["Attributes"]["QueueArn"])
    monkeypatch.setenv("TOPIC_ARN", topic)
    account.config = GuardConfig(alerts=Alerts(limit=AlertLimit(messages=2, minutes=10)))
    for number in range(4):
        finding = a_finding(id=f"{number:032x}", function_arn=f"{FUNCTION_ARN}-{number}")
        account.table.put_finding(Change(finding, None))
        run = account.run("send_alert", sqs_event(event_body(finding)))
    assert (run.failed, run.counts["DeliveriesWaiting"]) == ([], 1)
    run = account.run("maintain_findings", SCHEDULED)
    assert run.counts["ChannelsWaiting"] == 1
    request = account.received("alerts")
    with monkeypatch.context() as without_a_channel:
        without_a_channel.delenv("TOPIC_ARN")
        run = account.run("send_alert", sqs_event(*request))
        assert run.line("not sent: messages wait for a channel that does not exist")["waiting_for"] == "sns"
    assert account.run("send_alert", sqs_event(*request)).failed == []
    _, mail = [json.loads(text) for text in account.received("inbox")]
    assert mail["Subject"] == "[HIGH] 3 findings waited: more than 2 messages in 10 minutes"
    assert "permission-guard findings list --stack-name permission-guard --region us-east-1" in mail["Message"]
    assert all(f"{number:032x}" in mail["Message"] for number in (1, 2, 3))
    assert "ChannelsWaiting" not in account.run("maintain_findings", SCHEDULED).counts


def test_a_periodic_digest_has_what_is_open_what_is_unknown_and_what_is_in_dead_letter_queues(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made of what the tables and the queues have, and stored."""
    url = account.queue("AlertDeadLetterQueue")
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URLS", url)
    account.sqs.send_message(QueueUrl=url, MessageBody="{}")
    monkeypatch.setenv("INVOKE_POLICY_QUEUE_URL", account.queue("invoke-policy"))
    monkeypatch.setenv("EXECUTION_ROLE_QUEUE_URL", account.queue("execution-role"))
    account.make_role()
    account.make_function()
    account.run("sweep_account", SWEEP)
    account.table.put_finding(Change(a_finding(first_seen=NOW), None))
    for direction in Direction:
        item: dict[str, Any] = {
            "pk": {"S": f"FUNCTION#{TARGET.arn}"},
            "sk": {"S": f"CHECK#{direction}"},
            "written": {"N": "1"},
            "unknowns": {"L": [{"S": f"PG202: access denied for {FUNCTION_ARN}"}]},
        }
        account.dynamodb.put_item(TableName=TABLE_NAME, Item=item)
    account.run("maintain_findings", SCHEDULED)
    table = table_of(account)
    table.put_state(replace(table.state(), summarized="2020-01-06"))
    assert account.run("maintain_findings", SCHEDULED).counts["DigestsDue"] == 1
    assert "DigestsDue" not in account.run("maintain_findings", SCHEDULED).counts
    (request,) = account.received("alerts")
    digest = table.digest(json.loads(request)["detail"]["digest_id"])
    assert digest is not None
    assert digest.title == "1 open finding in 123456789012, us-east-1"
    lists = {part.title: part.lines for part in digest.parts}
    assert lists["Could not be evaluated, by cause"] == ("2: PG202: access denied for (ARN)",)
    assert lists["Messages in dead-letter queues"] == ("AlertDeadLetterQueue: 1",)


def baseline_of(account: Account) -> Baseline:
    """Return the baseline."""
    baseline = table_of(account).baseline()
    assert baseline is not None
    return baseline


def test_a_message_about_a_digest_that_was_never_recorded_is_refused(account: Account) -> None:
    """It is counted for the alarm, and not retried."""
    run = account.run("send_alert", sqs_event(digest_body(UNKNOWN_DIGEST)))
    assert (run.failed, run.counts["EventsRefused"]) == ([], 1)


def test_without_a_setting_the_run_fails(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    monkeypatch.delenv("STACK_NAME")
    with (
        pytest.warns(UserWarning, match="No application metrics"),
        pytest.raises(ConfigurationError, match="STACK_NAME is not set"),
    ):
        account.run("maintain_findings", SCHEDULED)


# ── The items ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_state_is_stored_and_of_two_writers_one_goes_on(account: Account) -> None:
    """The other one has read an older revision."""
    table = table_of(account)
    state = MaintenanceState(open_after=TARGET.arn, exceptions={"a": ExceptionMemory(first_seen=NOW)})
    assert table.put_state(state) == table.state()
    assert table.state().exceptions == state.exceptions
    with pytest.raises(ConflictError, match="MAINTENANCE"):
        table.put_state(state)
    table.put_state(table.state())
    assert table.state().revision == 2


@pytest.mark.parametrize("document", ["", "[]", "{", '{"revision": 7}', '{"revision": 1, "exceptions": {"a": {}}}'])
def test_a_state_that_cannot_be_read_is_replaced(account: Account, document: str) -> None:
    """Another version wrote it, or somebody damaged it: maintenance starts anew."""
    table = table_of(account)
    item = {"pk": {"S": "MAINTENANCE"}, "sk": {"S": "STATE"}, "revision": {"N": "1"}, "document": {"S": document}}
    account.dynamodb.put_item(TableName=TABLE_NAME, Item=item)
    table.put_state(table.state())
    assert table.put_state(table.state()).revision == 2


@pytest.mark.parametrize("document", ["", "[]", '{"status": "open"}', '{"status": "open", "opened_at": "now"}'])
def test_a_baseline_that_cannot_be_read_is_closed(account: Account, document: str) -> None:
    """Findings send alerts: nobody hides them with a damaged item."""
    item = {"pk": {"S": "BASELINE"}, "sk": {"S": "STATE"}, "revision": {"N": "1"}, "document": {"S": document}}
    account.dynamodb.put_item(TableName=TABLE_NAME, Item=item)
    baseline = baseline_of(account)
    assert baseline.status is BaselineStatus.CLOSED
    assert not baseline.reports(a_finding(baseline=True, first_seen=NOW))


def test_a_function_is_unchecked_until_both_directions_were_written(account: Account) -> None:
    """The item of a check without a count is of an older version."""
    table = table_of(account)
    assert table.unchecked([TARGET, OTHER]) == (TARGET, OTHER)
    for target, direction, more in (
        (TARGET, "invoke_policy", {"written": {"N": "1"}}),
        (TARGET, "execution_role", {"written": {"N": "3"}}),
        (OTHER, "invoke_policy", {"written": {"N": "1"}}),
        (OTHER, "execution_role", {"begun": {"N": "1"}}),
    ):
        key = {"pk": {"S": f"FUNCTION#{target.arn}"}, "sk": {"S": f"CHECK#{direction}"}}
        account.dynamodb.put_item(TableName=TABLE_NAME, Item={**key, **more})
    assert table.unchecked([TARGET, OTHER]) == (OTHER,)
