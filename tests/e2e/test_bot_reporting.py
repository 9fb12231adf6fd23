"""The deployed stack with FixMode=off: it reports findings and changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.client.engineer import LOGS_POLICY, SQS_POLICY
from sandbox.client.process import ACCOUNT, REGION, poll
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import Bot, envelope

AWS_CLI = Path(sys.executable).parent / "aws"


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


def aws_cli(bot: Bot, *arguments: str) -> None:
    """Run the AWS CLI in the sandbox, as an engineer would."""
    command = [str(AWS_CLI), *arguments]
    done = subprocess.run(command, env=bot.aws.env(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def is_open(finding: dict[str, Any]) -> bool:
    """Return whether a finding is open."""
    return bool(finding["status"] == "open")


def is_resolved(finding: dict[str, Any]) -> bool:
    """Return whether a finding is resolved."""
    return bool(finding["status"] == "resolved")


def function_reading(bot: Bot, name: str, source_arn: str, *policies: str) -> str:
    """Create a function that reads a source, wait until the bot has checked it, and return its ARN."""
    arn = bot.engineer.function(name, bot.engineer.role(f"{name}-role", *policies))
    seen = bot.watcher.checked(arn, "execution_role")
    bot.engineer.mapping(name, source_arn)
    bot.watcher.checked(arn, "execution_role", more_than=seen)
    return arn


def test_permission_without_a_source_is_found_within_five_seconds(bot: Bot, unique: str) -> None:
    """`aws lambda add-permission` for S3 without a source opens PG102; with bucket and account it opens none."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.watcher.checked(arn, "invoke_policy")
    bucket = bot.engineer.bucket(f"{unique}-bucket")
    base = ("lambda", "add-permission", "--function-name", unique, "--action", "lambda:InvokeFunction")
    s3 = (*base, "--principal", "s3.amazonaws.com")
    aws_cli(bot, *s3, "--statement-id", "good", "--source-arn", bucket, "--source-account", ACCOUNT)
    seen = bot.watcher.checked(arn, "invoke_policy", more_than=1)
    assert bot.watcher.findings(arn) == []

    aws_cli(bot, *s3, "--statement-id", "bad")
    finding = bot.watcher.finding(arn, "PG102", is_open)
    assert finding["subject"] == "statement/bad"
    assert finding["severity"] == "high"
    assert "s3.amazonaws.com" in finding["reason"]
    bot.watcher.checked(arn, "invoke_policy", more_than=seen)
    assert [one["subject"] for one in bot.watcher.findings(arn)] == ["statement/bad"]


def test_a_ticket_follows_its_finding(bot: Bot, unique: str) -> None:
    """One OpsItem is opened, resolved with the finding, and opened again when the finding reopens."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    finding = bot.watcher.finding(arn, "PG102", is_open)
    item = bot.watcher.ops_item(finding["id"], "Open")
    assert item["Source"] == "permission-guard"
    assert unique in item["Title"]
    # Each is delivered before the next change: an overtaken transition is not delivered after it.
    bot.watcher.alert(finding["id"], "Finding Opened")

    bot.engineer.forbid(unique, "broad")
    resolved = bot.watcher.finding(arn, "PG102", is_resolved)
    assert resolved["revision"] == 2
    assert bot.watcher.ops_item(finding["id"], "Resolved")["OpsItemId"] == item["OpsItemId"]
    bot.watcher.alert(finding["id"], "Finding Resolved")

    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    bot.watcher.finding(arn, "PG102", lambda one: one["transition"] == "Finding Reopened")
    assert bot.watcher.ops_item(finding["id"], "Open")["OpsItemId"] == item["OpsItemId"]
    assert len(bot.watcher.ops_items(finding["id"])) == 1
    bot.watcher.alert(finding["id"], "Finding Reopened")
    assert len(bot.watcher.alerts(finding["id"])) == 3


def test_a_lost_read_permission_is_reported_and_not_fixed(bot: Bot, unique: str) -> None:
    """With FixMode off, PG201 opens with the missing actions when the policy is detached; nothing is attached."""
    arn = function_reading(bot, unique, bot.engineer.queue(unique), SQS_POLICY)
    assert bot.watcher.findings(arn) == []

    bot.engineer.detach(f"{unique}-role", SQS_POLICY)
    finding = bot.watcher.finding(arn, "PG201", is_open)
    assert "sqs:ReceiveMessage" in [one["action"] for one in finding["evidence"]["missing"]]
    bot.watcher.alert(finding["id"], "Finding Opened")
    bot.watcher.ops_item(finding["id"], "Open")
    bot.wait_until_empty("FixQueue")
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]
    assert bot.watcher.finding(arn, "PG201")["fix"] is None

    bot.engineer.attach(f"{unique}-role", SQS_POLICY)
    assert bot.watcher.finding(arn, "PG201", is_resolved)["revision"] == 2


def test_an_event_delivered_three_times_is_one_finding(bot: Bot, unique: str) -> None:
    """Repeated events change nothing: one finding at its first revision, one alert, one OpsItem."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    seen = bot.watcher.checked(arn, "invoke_policy")
    since = bot.aws.last_record()
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    record = bot.aws.wait_for_record("AddPermission20150331v2", since)
    bot.watcher.checked(arn, "invoke_policy", more_than=seen)
    bot.send("InvokePolicyQueue", envelope(record), envelope(record), envelope(record))
    bot.wait_until_empty("InvokePolicyQueue")

    finding = bot.watcher.finding(arn, "PG102")
    bot.watcher.alert(finding["id"], "Finding Opened")
    bot.watcher.ops_item(finding["id"], "Open")
    assert finding["revision"] == 1
    assert len(bot.watcher.findings(arn)) == 1
    assert len(bot.watcher.alerts(finding["id"])) == 1
    assert len(bot.watcher.ops_items(finding["id"])) == 1


def test_events_in_the_wrong_order_end_in_the_current_state(bot: Bot, unique: str) -> None:
    """The removal's event comes first. The finding follows the state in AWS, not the last event."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    seen = bot.watcher.checked(arn, "invoke_policy")
    since = bot.aws.last_record()
    with bot.events_lost():
        bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
        bot.engineer.forbid(unique, "broad")
    added = bot.aws.wait_for_record("AddPermission20150331v2", since)
    removed = bot.aws.wait_for_record("RemovePermission20150331v2", since)
    for record in (removed, added):
        bot.send("InvokePolicyQueue", envelope(record))
        seen = bot.watcher.checked(arn, "invoke_policy", more_than=seen)
    assert bot.watcher.findings(arn) == []


def test_a_function_deleted_meanwhile_resolves_its_findings(bot: Bot, unique: str) -> None:
    """A deleted function needs no remedy: finding and ticket are resolved, and a late event does not reopen them."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    since = bot.aws.last_record()
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    finding = bot.watcher.finding(arn, "PG102", is_open)
    record = bot.aws.wait_for_record("AddPermission20150331v2", since)
    bot.watcher.ops_item(finding["id"], "Open")
    bot.engineer.delete(unique)
    resolved = bot.watcher.finding(arn, "PG102", is_resolved)
    assert resolved["resolution"] == "The function was deleted."
    bot.watcher.ops_item(finding["id"], "Resolved")

    bot.wait_until_empty("InvokePolicyQueue")
    bot.send("InvokePolicyQueue", envelope(record))
    line = bot.wait_for_log("CheckInvokePolicy", event_id=record["eventID"], function_arn=arn)
    assert "deleted" in line["message"] or line["message"].startswith("Finding")
    bot.wait_until_empty("InvokePolicyQueue")
    assert bot.watcher.finding(arn, "PG102")["status"] == "resolved"


def test_throttled_reads_are_retried(bot: Bot, unique: str) -> None:
    """A throttled GetPolicy delays a finding but never loses it."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.watcher.checked(arn, "invoke_policy")
    bot.aws.inject_fault("lambda", "GetPolicy", count=2)
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    bot.watcher.finding(arn, "PG102", is_open)


def test_a_denied_read_is_unknown_and_not_a_pass(bot: Bot, unique: str) -> None:
    """If a read is denied, the bot logs it, keeps the finding, and the message is retried."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    bot.watcher.finding(arn, "PG102", is_open)
    sqs, queue = bot.aws.client("sqs"), bot.resource("InvokePolicyQueue")
    # The retry follows soon, so that no later test waits six minutes for it.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})
    role = bot.resource("CheckInvokePolicyRole")
    deny = {"Effect": "Deny", "Action": "lambda:GetPolicy", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    bot.engineer.iam.put_role_policy(RoleName=role, PolicyName="test-deny", PolicyDocument=document)
    try:
        since = bot.aws.last_record()
        bot.engineer.forbid(unique, "broad")
        event_id = bot.aws.wait_for_record("RemovePermission20150331v2", since)["eventID"]
        line = bot.wait_for_log("CheckInvokePolicy", message="state could not be read", event_id=event_id)
        assert line["action"] == "lambda:GetPolicy"
        assert line["level"] == "ERROR"
        assert bot.wait_for_log("CheckInvokePolicy", message="verdict is unknown", event_id=event_id)
        assert bot.watcher.finding(arn, "PG102")["status"] == "open"
        assert bot.waiting("InvokePolicyQueue") >= 1
    finally:
        bot.engineer.iam.delete_role_policy(RoleName=role, PolicyName="test-deny")
        bot.wait_until_empty("InvokePolicyQueue")
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "360"})
    bot.watcher.finding(arn, "PG102", is_resolved)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("this is not JSON", "MalformedEventError"),
        (
            json.dumps(
                {
                    "source": "aws.lambda",
                    "detail": {
                        "eventID": "11111111-2222-3333-4444-555555555555",
                        "eventSource": "lambda.amazonaws.com",
                        "eventName": "AddPermissionOfTomorrow",
                        "awsRegion": REGION,
                        "recipientAccountId": ACCOUNT,
                    },
                }
            ),
            "UnknownEventError",
        ),
    ],
)
def test_malformed_messages_end_in_the_dead_letter_queue(bot: Bot, body: str, error: str) -> None:
    """Malformed messages and unknown events are logged with their event id and kept for the operator."""
    sqs = bot.aws.client("sqs")
    queue = bot.resource("InvokePolicyQueue")
    # The retries follow at once.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    try:
        bot.send("InvokePolicyQueue", body)
        line = bot.wait_for_log("CheckInvokePolicy", message="message cannot be read", error=error)
        expected = "unknown" if error == "MalformedEventError" else "11111111-2222-3333-4444-555555555555"
        assert line["cloudtrail_event_id"] == expected

        def dead() -> list[dict[str, Any]]:
            reply = sqs.receive_message(QueueUrl=bot.resource("InvokePolicyDeadLetterQueue"), MaxNumberOfMessages=10)
            return [message for message in reply.get("Messages", []) if message["Body"] == body]

        assert poll(dead, deadline=DEADLINE, what="message in the dead-letter queue")
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "360"})


def test_the_sweep_finds_changes_without_an_event(bot: Bot, unique: str) -> None:
    """The sweep finds a change and a deletion whose events were lost."""
    kept = bot.engineer.function(f"{unique}-kept", bot.engineer.role(f"{unique}-kept-role"))
    deleted = bot.engineer.function(f"{unique}-deleted", bot.engineer.role(f"{unique}-deleted-role"))
    bot.engineer.permit(f"{unique}-deleted", "broad", "s3.amazonaws.com")
    bot.watcher.finding(deleted, "PG102", is_open)
    with bot.events_lost():
        bot.engineer.permit(f"{unique}-kept", "broad", "s3.amazonaws.com")
        bot.engineer.delete(f"{unique}-deleted")
    assert bot.watcher.findings(kept) == []

    reply = bot.engineer.functions.invoke(FunctionName=bot.outputs["SweepAccountFunctionName"])
    assert "FunctionError" not in reply, reply["Payload"].read()
    answer = json.loads(reply["Payload"].read())
    assert answer["complete"]
    assert answer["deleted"] >= 1
    bot.watcher.finding(kept, "PG102", is_open)
    bot.watcher.finding(deleted, "PG102", is_resolved)
