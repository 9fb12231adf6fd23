"""The deployed stack with FixMode=off: further rules for roles: denied calls, destinations, logs, who shares it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.engineer import DYNAMODB_POLICY, KINESIS_POLICY, LOGS_POLICY, NETWORK_POLICY, SQS_POLICY
from tests.e2e.bot import GRACE_PERIOD, Bot, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 4.0
"""Seconds from a call that AWS denied to the recorded finding: it has no grace period."""
NOT_ASSUMED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
ASSUMED = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def bot() -> Iterator[Bot]:
    """The stack in a sandbox of its own, reporting only."""
    with deployed(FixMode="off") as running:
        yield running


def is_open(finding: dict[str, Any]) -> bool:
    """Whether a finding stands."""
    return bool(finding["status"] == "open")


def is_resolved(finding: dict[str, Any]) -> bool:
    """Whether a finding is over."""
    return bool(finding["status"] == "resolved")


def trust(statement: dict[str, Any]) -> str:
    """Return a trust policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def rules_of(bot: Bot, function_arn: str) -> set[tuple[str, str]]:
    """Return which rules have a finding of a function, and whether it is over."""
    return {(one["rule_id"], one["status"]) for one in bot.watcher.findings(function_arn)}


def remedy(finding: dict[str, Any]) -> str:
    """Return every remedy of a finding, as one text."""
    return "\n".join(one["text"] for one in finding["remedies"])


def sweep(bot: Bot) -> None:
    """Have every function of the account checked, and wait until all were."""
    reply = bot.engineer.functions.invoke(FunctionName=bot.outputs["SweepAccountFunctionName"])
    assert "FunctionError" not in reply, reply["Payload"].read()
    all_done(bot)


def all_done(bot: Bot) -> None:
    """Wait until everything that was changed so far was checked, and its grace period is over."""
    bot.wait_for_delivery()
    bot.wait_until_empty("ExecutionRoleQueue")


def test_the_bot_finds_nothing_at_itself_and_knows_all_it_needs(bot: Bot) -> None:
    """Its own functions write their logs, share no role, and lack nothing; and nothing of theirs stays unknown."""
    sweep(bot)
    bot.wait_until_empty("InvokePolicyQueue")
    own = [one["FunctionArn"] for one in bot.engineer.functions.list_functions()["Functions"]]
    assert len(own) > 5
    for arn in own:
        bot.watcher.checked(arn, "execution_role")
        assert bot.watcher.findings(arn) == []
    failures = ("verdict is unknown", "state could not be read", "check failed")
    assert [line for line in bot.log_lines("CheckExecutionRole") if line.get("message") in failures] == []


@pytest.mark.parametrize(
    ("make", "policy", "action"),
    [
        ("queue", SQS_POLICY, "sqs:ReceiveMessage"),
        ("stream", KINESIS_POLICY, "kinesis:GetRecords"),
        ("table", DYNAMODB_POLICY, "dynamodb:GetRecords"),
    ],
)
def test_a_denied_mapping_is_reported_at_once_until_it_is_created(
    bot: Bot, unique: str, make: str, policy: str, action: str
) -> None:
    """Lambda names one action of a role that it does not name; the finding names all, the role, and the remedy."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    source = getattr(bot.engineer, make)(unique)
    with pytest.raises(bot.engineer.functions.exceptions.InvalidParameterValueException) as denied:
        bot.engineer.mapping(unique, source)
    finding = bot.watcher.finding(arn, "PG213", is_open, deadline=AT_ONCE)
    assert action in [one["action"] for one in finding["evidence"]["missing"]]
    assert finding["evidence"]["role_arn"].endswith(f":role/{unique}-role")
    assert denied.value.response["Error"]["Message"] in finding["reason"]
    assert f"aws iam attach-role-policy --role-name {unique}-role --policy-arn {policy}" in remedy(finding)

    bot.engineer.attach(f"{unique}-role", policy)
    bot.engineer.mapping(unique, source)
    bot.watcher.finding(arn, "PG213", is_resolved)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


def test_a_function_that_aws_denied_to_create_is_reported_though_it_does_not_exist(bot: Bot, unique: str) -> None:
    """The finding says whose trust policy is at fault; the function that is created after all resolves it."""
    role = bot.engineer.role(f"{unique}-role")
    bot.engineer.iam.update_assume_role_policy(RoleName=f"{unique}-role", PolicyDocument=trust(NOT_ASSUMED))
    with pytest.raises(bot.engineer.functions.exceptions.InvalidParameterValueException):
        bot.engineer.function(unique, role)
    arn = f"{role.replace(':iam::', ':lambda:us-east-1:').partition(':role/')[0]}:function:{unique}"
    finding = bot.watcher.finding(arn, "PG213", is_open, deadline=AT_ONCE)
    assert finding["subject"] == "denied-call/CreateFunction/role"
    assert finding["evidence"]["missing"] == [{"action": "sts:AssumeRole", "resource": role}]
    assert "update-assume-role-policy" in remedy(finding)

    bot.engineer.iam.update_assume_role_policy(RoleName=f"{unique}-role", PolicyDocument=trust(ASSUMED))
    assert bot.engineer.function(unique, role) == arn
    bot.watcher.finding(arn, "PG213", is_resolved)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


@pytest.mark.parametrize("feature", ["network", "dead-letter queue"])
def test_a_configuration_that_aws_denied_names_what_the_role_lacks(bot: Bot, unique: str, feature: str) -> None:
    """Of a function that exists: its finding is over once the role has what AWS asked for."""
    functions, queue = bot.engineer.functions, bot.engineer.queue(unique)
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    asked: dict[str, Any]
    if feature == "network":
        asked = {"VpcConfig": {"SubnetIds": ["subnet-0a"], "SecurityGroupIds": ["sg-0a"]}}
        action, resource, policy = "ec2:CreateNetworkInterface", "*", NETWORK_POLICY
    else:
        asked = {"DeadLetterConfig": {"TargetArn": queue}}
        action, resource = "sqs:SendMessage", queue
        policy = bot.engineer.policy(unique, {"Effect": "Allow", "Action": action, "Resource": queue})
    with pytest.raises(functions.exceptions.InvalidParameterValueException):
        functions.update_function_configuration(FunctionName=unique, **asked)
    finding = bot.watcher.finding(arn, "PG213", is_open, deadline=AT_ONCE)
    missing = [(one["action"], one["resource"]) for one in finding["evidence"]["missing"]]
    assert (action, resource) in missing

    bot.engineer.attach(f"{unique}-role", policy)
    bot.watcher.finding(arn, "PG213", is_resolved)
    functions.update_function_configuration(FunctionName=unique, **asked)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


@pytest.mark.parametrize("of", ["function", "alias"])
def test_a_destination_that_aws_denied_is_reported_at_once_until_results_go_there(
    bot: Bot, unique: str, of: str
) -> None:
    """The finding names the role, which AWS does not, and the statement that it takes."""
    functions, queue = bot.engineer.functions, bot.engineer.queue(unique)
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    asked: dict[str, Any] = {"FunctionName": unique, "DestinationConfig": {"OnFailure": {"Destination": queue}}}
    if of == "alias":
        version = functions.publish_version(FunctionName=unique)["Version"]
        arn = functions.create_alias(FunctionName=unique, Name="live", FunctionVersion=version)["AliasArn"]
        asked["Qualifier"] = "live"
    with pytest.raises(functions.exceptions.InvalidParameterValueException) as denied:
        functions.put_function_event_invoke_config(**asked)
    finding = bot.watcher.finding(arn, "PG213", is_open, deadline=AT_ONCE)
    assert finding["subject"] == f"denied-call/PutFunctionEventInvokeConfig/{queue}"
    assert [(one["action"], one["resource"]) for one in finding["evidence"]["missing"]] == [("sqs:SendMessage", queue)]
    assert finding["evidence"]["role_arn"].endswith(f":role/{unique}-role")
    assert denied.value.response["Error"]["Message"] in finding["reason"]

    sending = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}
    bot.engineer.attach(f"{unique}-role", bot.engineer.policy(unique, sending))
    functions.put_function_event_invoke_config(**asked)
    bot.watcher.finding(arn, "PG213", is_resolved)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


@pytest.mark.parametrize("remedy", ["another destination", "no destination", "none at all"])
def test_a_destination_that_the_role_may_no_longer_send_to_is_found_until_it_is_not_sent_to(
    bot: Bot, unique: str, remedy: str
) -> None:
    """AWS rejects such a destination, but reports no error when one becomes such: results would be lost."""
    functions, queue, other = bot.engineer.functions, bot.engineer.queue(unique), bot.engineer.queue(f"{unique}-other")
    sending = {"Effect": "Allow", "Action": "sqs:SendMessage"}
    policy = bot.engineer.policy(unique, {**sending, "Resource": queue})
    rest = bot.engineer.policy(f"{unique}-other", {**sending, "Resource": other})
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role", policy, rest))
    failed = {"OnFailure": {"Destination": queue}}
    functions.put_function_event_invoke_config(FunctionName=unique, DestinationConfig=failed)
    all_done(bot)
    assert bot.watcher.findings(arn) == []

    bot.engineer.detach(f"{unique}-role", policy)
    finding = bot.watcher.finding(arn, "PG203", is_open)
    missing = [(one["action"], one["resource"]) for one in finding["evidence"]["missing"]]
    assert missing == [("sqs:SendMessage", queue)]

    if remedy == "another destination":
        failed = {"OnFailure": {"Destination": other}}
        functions.update_function_event_invoke_config(FunctionName=unique, DestinationConfig=failed)
    elif remedy == "no destination":
        functions.put_function_event_invoke_config(FunctionName=unique, MaximumRetryAttempts=1)
    else:
        functions.delete_function_event_invoke_config(FunctionName=unique)
    bot.watcher.finding(arn, "PG203", is_resolved)
    assert rules_of(bot, arn) == {("PG203", "resolved")}


def test_a_destination_that_was_put_before_anyone_looked_is_found_by_its_own_event(bot: Bot, unique: str) -> None:
    """Nothing but PutFunctionEventInvokeConfig is heard of; the role lacks the permission by the time of the check."""
    functions, queue = bot.engineer.functions, bot.engineer.queue(unique)
    policy = bot.engineer.policy(unique, {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue})
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role", policy))
    bot.watcher.checked(arn, "execution_role")
    with bot.events_lost():
        since = bot.aws.last_record()
        failed = {"OnFailure": {"Destination": queue}}
        functions.put_function_event_invoke_config(FunctionName=unique, DestinationConfig=failed)
        bot.engineer.detach(f"{unique}-role", policy)
        record = bot.aws.wait_for_record("PutFunctionEventInvokeConfig", since)
    bot.aws.replay(record)
    bot.watcher.finding(arn, "PG203", is_open)


def test_two_functions_with_one_role_are_one_finding_that_names_both(bot: Bot, unique: str) -> None:
    """It is at the first by name, and over when the other gets a role of its own."""
    role = bot.engineer.role(f"{unique}-role")
    first = bot.engineer.function(f"{unique}-a", role)
    bot.watcher.checked(first, "execution_role")
    second = bot.engineer.function(f"{unique}-b", role)
    finding = bot.watcher.finding(first, "PG209", is_open)
    assert finding["evidence"]["functions"] == [f"{unique}-a", f"{unique}-b"]
    all_done(bot)
    assert rules_of(bot, second) == set()

    own = bot.engineer.role(f"{unique}-own-role")
    bot.engineer.functions.update_function_configuration(FunctionName=f"{unique}-b", Role=own)
    bot.watcher.finding(first, "PG209", is_resolved)
    all_done(bot)
    assert rules_of(bot, first) == {("PG209", "resolved")}
    assert rules_of(bot, second) == set()


def test_after_a_sweep_a_change_of_a_role_finds_its_functions_without_listing_them(bot: Bot, unique: str) -> None:
    """Whoever lists functions now is denied it: what the change concerns comes from the index of roles."""
    bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    sweep(bot)
    bot.aws.inject_fault("lambda", "ListFunctions", code="AccessDeniedException", status=403, count=1_000)
    try:
        arn = bot.engineer.function(f"{unique}-later", bot.engineer.role(f"{unique}-later-role"))
        bot.watcher.checked(arn, "execution_role")
        bot.engineer.detach(f"{unique}-later-role", LOGS_POLICY)
        bot.engineer.detach(f"{unique}-role", LOGS_POLICY)
        bot.watcher.finding(arn, "PG204", is_open)
        bot.watcher.finding(arn.removesuffix("-later"), "PG204", is_open)
        bot.engineer.attach(f"{unique}-role", LOGS_POLICY)
        bot.watcher.finding(arn.removesuffix("-later"), "PG204", is_resolved)
    finally:
        bot.aws.clear_faults()


def test_a_function_that_may_not_write_its_logs_is_found_after_the_grace_period(bot: Bot, unique: str) -> None:
    """Detaching the basic policy opens PG204, medium and with its remedy; attaching it again resolves it."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    seen = bot.watcher.checked(arn, "execution_role")
    called = time.monotonic()
    bot.engineer.detach(f"{unique}-role", LOGS_POLICY)
    bot.watcher.checked(arn, "execution_role", more_than=seen)
    finding = bot.watcher.finding(arn, "PG204", is_open)
    assert time.monotonic() - called >= GRACE_PERIOD
    assert f"/aws/lambda/{unique}" in finding["title"] + finding["reason"]
    assert LOGS_POLICY in remedy(finding)
    bot.engineer.attach(f"{unique}-role", LOGS_POLICY)
    bot.watcher.finding(arn, "PG204", is_resolved)
    assert rules_of(bot, arn) == {("PG204", "resolved")}


def test_what_is_fixed_within_the_grace_period_is_not_reported(bot: Bot, unique: str) -> None:
    """A deployment that takes a policy away and gives another in its place opens nothing."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    seen = bot.watcher.checked(arn, "execution_role")
    bot.engineer.detach(f"{unique}-role", LOGS_POLICY)
    bot.watcher.checked(arn, "execution_role", more_than=seen)
    bot.engineer.attach(f"{unique}-role", SQS_POLICY)
    all_done(bot)
    assert bot.watcher.findings(arn) == []
