"""A pushed configuration takes effect; a broken one does not; without one nothing is checked, sent or fixed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.client import configuration
from sandbox.client.engineer import SQS_POLICY, document
from sandbox.client.process import poll
from tests.e2e.bot import CONFIGURATION, STACK, Bot, deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client.watcher import Finding

PARTNER = "111122223333"
WITHIN = 60.0
_DENY = {"Effect": "Deny", "Action": ["appconfig:StartConfigurationSession"], "Resource": "*"}
_NOT_READ = "configuration not read: the messages stay in the queue"


@pytest.fixture(scope="module")
def bot() -> Iterator[Bot]:
    """The stack in a sandbox of its own, in the mode that fixes by itself."""
    with deployed(FixMode="auto", TicketSystem="opsitem") as running:
        yield running


@pytest.fixture
def changed(bot: Bot) -> Iterator[None]:
    """Leave the configuration as it was."""
    yield
    push_at_once(bot)


def push_at_once(bot: Bot, **changes: Any) -> None:
    """Deploy a configuration, and let every function read it at once."""
    configuration.push(bot.aws, bot.outputs, {**CONFIGURATION, **changes})
    bot.aws.end_environments()


def finding_of(bot: Bot, arn: str, rule: str, **values: Any) -> Finding:
    """Wait for a finding that has these values. Every function starts anew, also on a busy machine."""
    return bot.watcher.finding(
        arn, rule, lambda finding: all(finding[name] == value for name, value in values.items()), deadline=WITHIN
    )


def line_of(bot: Bot, function: str, **values: Any) -> dict[str, Any]:
    """Wait for a line in the log of a function that has these values."""

    def probe() -> dict[str, Any]:
        lines = bot.log_lines(function)
        return next((line for line in lines if all(line.get(name) == value for name, value in values.items())), {})

    return poll(probe, deadline=WITHIN, what=f"line of {function} with {values}")


def push_by_command(bot: Bot, tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    path = tmp_path / "guard.yaml"
    path.write_text(text)
    command = [str(Path(sys.executable).parent / "permission-guard"), "config", "push", str(path)]
    return subprocess.run(
        [*command, "--stack-name", STACK, "--yes"],
        env=bot.aws.env(),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def wait_until_unread(bot: Bot, function: str, reason: str) -> None:
    """Wait until a function says that it left messages in its queue for a reason."""

    def probe() -> bool:
        lines = [line for line in bot.log_lines(function) if line.get("message") == _NOT_READ]
        return any(reason in line["reason"] for line in lines)

    poll(probe, deadline=WITHIN, what=f"line of {function} about {reason}")


@contextmanager
def denied(bot: Bot, function: str, queue: str) -> Iterator[Callable[[], None]]:
    """Deny a function to read the configuration, until what is yielded is called.

    Messages of its queue are delivered again after seconds.
    """
    iam, sqs, role = bot.engineer.iam, bot.aws.client("sqs"), bot.resource(f"{function}Role")
    sqs.set_queue_attributes(QueueUrl=bot.resource(queue), Attributes={"VisibilityTimeout": "15"})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=document(_DENY))
    bot.aws.end_environments()

    def allow() -> None:
        with suppress(iam.exceptions.NoSuchEntityException):
            iam.delete_role_policy(RoleName=role, PolicyName="denied")

    try:
        yield allow
    finally:
        allow()
        sqs.set_queue_attributes(QueueUrl=bot.resource(queue), Attributes={"VisibilityTimeout": "360"})


@pytest.mark.usefixtures("changed")
def test_a_pushed_configuration_takes_effect(bot: Bot, unique: str, tmp_path: Path) -> None:
    """With the command, from a file in YAML: a rule is disabled, another one has a severity, an account is trusted."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    bot.engineer.permit(unique, "partner", PARTNER)
    for rule in ("PG102", "PG106"):
        finding_of(bot, arn, rule, status="open")
    text = f"""
        grace_period_seconds: 1
        trust:
          accounts: ["{PARTNER}"]
        rules:
          PG102: {{enabled: false}}
          PG103: {{severity: critical}}
    """
    done = push_by_command(bot, tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is in place. Every function reads it within a minute." in done.stdout
    bot.aws.end_environments()

    bot.engineer.permit(unique, "owner", "s3.amazonaws.com", SourceArn=f"arn:aws:s3:::{unique}")
    disabled = finding_of(bot, arn, "PG102", status="resolved")
    assert disabled["resolution"] == "The rule PG102 is disabled in the configuration."
    finding_of(bot, arn, "PG106", status="resolved")
    finding_of(bot, arn, "PG103", status="open", severity="critical")
    bot.watcher.alert(disabled["id"], "Finding Resolved", deadline=WITHIN)


@pytest.mark.usefixtures("changed")
def test_alerts_and_tickets_begin_at_their_severities(bot: Bot, unique: str) -> None:
    """A high finding has an alert, and no ticket."""
    push_at_once(bot, alerts={"min_severity": "high"}, tickets={"min_severity": "critical"})
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    finding = finding_of(bot, arn, "PG102", severity="high")
    bot.watcher.alert(finding["id"], "Finding Opened", deadline=WITHIN)
    line_of(bot, "OpenTicket", message="below the severity threshold", finding_id=finding["id"])
    assert bot.watcher.ops_items(finding["id"]) == []


@pytest.mark.usefixtures("changed")
def test_a_broken_push_is_refused_and_the_last_good_document_stays(bot: Bot, unique: str) -> None:
    """The validator runs in AppConfig, so a document that no command has validated is refused too."""
    push_at_once(bot, rules={"PG102": {"severity": "low"}})
    for broken in ('{"version": 1, "rules": {"PG102": {"severity": "urgent"}}}', '{"version": 1, "rulez": {}}', "{"):
        with pytest.raises(ClientError) as refused:
            configuration.push(bot.aws, bot.outputs, broken)
        assert refused.value.response["Error"]["Code"] == "BadRequestException"
    assert line_of(bot, "ValidateConfig", message="configuration refused")["reason"]
    bot.aws.end_environments()
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    finding_of(bot, arn, "PG102", severity="low")


def test_a_push_is_rolled_back_by_an_alarm_of_the_stack(bot: Bot, unique: str, tmp_path: Path) -> None:
    """The command names the alarm, and the document before is served again."""
    cloudwatch, alarm = bot.aws.client("cloudwatch"), bot.resource("ConfigurationUnreadAlarm")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    try:
        done = push_by_command(bot, tmp_path, "rules:\n  PG102: {enabled: false}\n")
    finally:
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    assert done.returncode == 1
    assert "Rolled back: the stack uses the document before this one again." in done.stderr
    assert alarm in done.stderr
    bot.aws.end_environments()
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    finding_of(bot, arn, "PG102", status="open")


def test_a_mistake_never_leaves_the_machine(bot: Bot, tmp_path: Path) -> None:
    """The command says where it is, and what to write."""
    done = push_by_command(bot, tmp_path, "grace_period_seconds: soon\n")
    assert done.returncode == 2
    assert "guard.yaml:1:23: grace_period_seconds: " in done.stderr


def test_while_appconfig_is_unreachable_messages_stay_in_the_queue(bot: Bot, unique: str) -> None:
    """Nothing was read before: the defaults are no substitute. The check is made as soon as AppConfig answers."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    # A check of the other direction would fail, too, and its message stay in flight during the next tests.
    bot.wait_for_checks()
    sqs, queue = bot.aws.client("sqs"), bot.resource("InvokePolicyQueue")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "20"})
    fault = {"code": "InternalServerException", "message": "unreachable", "status": 500, "count": 1_000}
    bot.aws.inject_fault("appconfigdata", "StartConfigurationSession", **fault)
    bot.aws.end_environments()
    try:
        bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
        wait_until_unread(bot, "CheckInvokePolicy", "InternalServerException")
        assert bot.watcher.findings(arn) == []
        assert bot.waiting("InvokePolicyQueue") > 0
    finally:
        bot.aws.clear_faults()
    try:
        finding_of(bot, arn, "PG102", status="open")
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "360"})


def test_a_configuration_that_was_read_is_kept_through_an_outage(bot: Bot, unique: str) -> None:
    """The checks go on."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "account", "s3.amazonaws.com", SourceArn=f"arn:aws:s3:::{unique}")
    finding_of(bot, arn, "PG103", status="open")
    bot.wait_for_checks()  # so that the environment that has read the configuration makes the next check
    bot.aws.inject_fault("appconfigdata", "GetLatestConfiguration", count=1_000)
    try:
        bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
        finding_of(bot, arn, "PG102", status="open")
    finally:
        bot.aws.clear_faults()


def test_a_sender_that_may_not_read_the_configuration_sends_nothing(bot: Bot, unique: str) -> None:
    """The alert comes when the permission is back. The finding has no fix, so there is no later alert of it."""
    with denied(bot, "SendAlert", "AlertQueue") as allow:
        arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
        bot.engineer.permit(unique, "account", "999999999999")
        finding = finding_of(bot, arn, "PG106", status="open")
        wait_until_unread(bot, "SendAlert", "AccessDenied")
        assert bot.watcher.alerts(finding["id"]) == []
        allow()
        bot.watcher.alert(finding["id"], "Finding Opened", deadline=WITHIN)


def test_the_fixer_refuses_without_a_configuration(bot: Bot, unique: str) -> None:
    """It writes nothing, and fixes when it can read the trusted accounts again."""
    role = f"{unique}-role"
    arn = bot.engineer.function(unique, bot.engineer.role(role, SQS_POLICY))
    bot.engineer.mapping(unique, bot.engineer.queue(f"{unique}-queue"))
    bot.wait_for_checks()  # a restore needs a check that has seen the permission
    with denied(bot, "ApplyFix", "FixQueue") as allow:
        bot.engineer.detach(role, SQS_POLICY)
        finding = finding_of(bot, arn, "PG201", status="open")
        wait_until_unread(bot, "ApplyFix", "AccessDenied")
        assert SQS_POLICY not in bot.engineer.attached(role)
        assert bot.watcher.finding(arn, "PG201")["fix"] is None
        allow()
        poll(lambda: SQS_POLICY in bot.engineer.attached(role), deadline=WITHIN, what=f"fix of {finding['id']}")
