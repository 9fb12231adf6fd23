"""The deployed stack with FixMode=off: more rules for roles: denied calls, destinations, logs, shared roles."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sandbox.client.engineer import DYNAMODB_POLICY, KINESIS_POLICY, LOGS_POLICY, NETWORK_POLICY, SQS_POLICY
from tests.e2e.bot import GRACE_PERIOD, Bot

NOT_ASSUMED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
ASSUMED = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


def is_open(finding: dict[str, Any]) -> bool:
    """Return whether a finding is open."""
    return bool(finding["status"] == "open")


def is_resolved(finding: dict[str, Any]) -> bool:
    """Return whether a finding is resolved."""
    return bool(finding["status"] == "resolved")


def trust(statement: dict[str, Any]) -> str:
    """Return a trust policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def rules_of(bot: Bot, function_arn: str) -> set[tuple[str, str]]:
    """Return the rules with a finding of a function, and whether it is resolved."""
    return {(one["rule_id"], one["status"]) for one in bot.watcher.findings(function_arn)}


def remedy(finding: dict[str, Any]) -> str:
    """Return every remedy of a finding, as one text."""
    return "\n".join(one["text"] for one in finding["remedies"])


def sweep(bot: Bot) -> None:
    """Run the sweep, and wait until every function was checked."""
    reply = bot.engineer.functions.invoke(FunctionName=bot.outputs["SweepAccountFunctionName"])
    assert "FunctionError" not in reply, reply["Payload"].read()
    bot.wait_until_empty("SweepExecutionRoleQueue")
    all_done(bot)


def all_done(bot: Bot) -> None:
    """Wait until all changes so far were checked and their grace periods are over."""
    bot.wait_for_delivery()
    bot.wait_until_empty("ExecutionRoleQueue")


def test_the_bot_has_no_findings_and_no_unknowns_for_its_own_functions(bot: Bot) -> None:
    """Its functions write their logs, share no role and lack no permission, and every outcome is known."""
    sweep(bot)
    bot.wait_until_empty("SweepInvokePolicyQueue")
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
def test_a_denied_mapping_is_reported_until_it_is_created(
    bot: Bot, unique: str, make: str, policy: str, action: str
) -> None:
    """Lambda's error names one action and no role. The finding names all actions, the role and the remedy."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    source = getattr(bot.engineer, make)(unique)
    with pytest.raises(bot.engineer.functions.exceptions.InvalidParameterValueException) as denied:
        bot.engineer.mapping(unique, source)
    finding = bot.watcher.finding(arn, "PG213", is_open)
    assert action in [one["action"] for one in finding["evidence"]["missing"]]
    assert finding["evidence"]["role_arn"].endswith(f":role/{unique}-role")
    assert denied.value.response["Error"]["Message"] in finding["reason"]
    assert f"aws iam attach-role-policy --region us-east-1 --role-name {unique}-role --policy-arn {policy}" in remedy(
        finding
    )

    bot.engineer.attach(f"{unique}-role", policy)
    bot.engineer.mapping(unique, source)
    bot.watcher.finding(arn, "PG213", is_resolved)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


def test_a_function_that_aws_denied_to_create_is_reported_though_it_does_not_exist(bot: Bot, unique: str) -> None:
    """The finding names the role whose trust policy is wrong. The later creation of the function resolves it."""
    role = bot.engineer.role(f"{unique}-role")
    bot.engineer.iam.update_assume_role_policy(RoleName=f"{unique}-role", PolicyDocument=trust(NOT_ASSUMED))
    with pytest.raises(bot.engineer.functions.exceptions.InvalidParameterValueException):
        bot.engineer.function(unique, role)
    arn = f"{role.replace(':iam::', ':lambda:us-east-1:').partition(':role/')[0]}:function:{unique}"
    finding = bot.watcher.finding(arn, "PG213", is_open)
    assert finding["subject"] == "denied-call/CreateFunction/role"
    assert finding["evidence"]["missing"] == [{"action": "sts:AssumeRole", "resource": role}]
    assert "update-assume-role-policy" in remedy(finding)

    bot.engineer.iam.update_assume_role_policy(RoleName=f"{unique}-role", PolicyDocument=trust(ASSUMED))
    assert bot.engineer.function(unique, role) == arn
    bot.watcher.finding(arn, "PG213", is_resolved)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


@pytest.mark.parametrize("feature", ["network", "dead-letter queue"])
def test_a_denied_configuration_is_reported_with_the_missing_permissions(bot: Bot, unique: str, feature: str) -> None:
    """The function exists. Its finding resolves once the role has the permissions that AWS requires."""
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
    finding = bot.watcher.finding(arn, "PG213", is_open)
    missing = [(one["action"], one["resource"]) for one in finding["evidence"]["missing"]]
    assert (action, resource) in missing

    bot.engineer.attach(f"{unique}-role", policy)
    bot.watcher.finding(arn, "PG213", is_resolved)
    functions.update_function_configuration(FunctionName=unique, **asked)
    all_done(bot)
    assert rules_of(bot, arn) == {("PG213", "resolved")}


@pytest.mark.parametrize("of", ["function", "alias"])
def test_a_denied_destination_is_reported_until_it_is_configured(bot: Bot, unique: str, of: str) -> None:
    """The finding names the role, which AWS's error does not, and the statement that it needs."""
    functions, queue = bot.engineer.functions, bot.engineer.queue(unique)
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    asked: dict[str, Any] = {"FunctionName": unique, "DestinationConfig": {"OnFailure": {"Destination": queue}}}
    if of == "alias":
        version = functions.publish_version(FunctionName=unique)["Version"]
        arn = functions.create_alias(FunctionName=unique, Name="live", FunctionVersion=version)["AliasArn"]
        asked["Qualifier"] = "live"
    with pytest.raises(functions.exceptions.InvalidParameterValueException) as denied:
        functions.put_function_event_invoke_config(**asked)
    finding = bot.watcher.finding(arn, "PG213", is_open)
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
def test_a_destination_that_the_role_may_no_longer_send_to_is_reported_until_it_is_fixed(
    bot: Bot, unique: str, remedy: str
) -> None:
    """AWS rejects such a destination, but reports no error if the role loses the permission later."""
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


def test_a_destination_is_checked_because_of_its_own_event(bot: Bot, unique: str) -> None:
    """Only the event of PutFunctionEventInvokeConfig arrives, and at the check the role lacks the permission."""
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


def test_a_role_shared_by_two_functions_is_one_finding_that_names_both(bot: Bot, unique: str) -> None:
    """It is about the role, and resolves when the other function gets its own role.

    Before the first sweep only a full check knows who shares a role.
    """
    sweep(bot)
    role = bot.engineer.role(f"{unique}-role")
    first = bot.engineer.function(f"{unique}-a", role)
    bot.watcher.checked(first, "execution_role")
    second = bot.engineer.function(f"{unique}-b", role)
    finding = bot.watcher.finding(role, "PG209", is_open)
    assert finding["functions"] == [first, second]
    all_done(bot)
    assert rules_of(bot, first) == rules_of(bot, second) == set()

    own = bot.engineer.role(f"{unique}-own-role")
    bot.engineer.functions.update_function_configuration(FunctionName=f"{unique}-b", Role=own)
    bot.watcher.finding(role, "PG209", is_resolved)
    all_done(bot)
    assert rules_of(bot, role) == {("PG209", "resolved")}
    assert rules_of(bot, first) == rules_of(bot, second) == set()


def test_after_a_sweep_the_functions_of_a_changed_role_come_from_the_index(bot: Bot, unique: str) -> None:
    """Listing functions is denied here, so the functions must come from the role index."""
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


def test_a_function_that_cannot_write_its_logs_is_reported_after_the_grace_period(bot: Bot, unique: str) -> None:
    """Detaching the basic policy opens PG204 with severity medium and a remedy; attaching it again resolves it."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.watcher.checked(arn, "execution_role")
    all_done(bot)
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


def test_a_problem_fixed_within_the_grace_period_is_not_reported(bot: Bot, unique: str) -> None:
    """A deployment that replaces one policy with another opens no finding.

    On a busy machine the second change can come after the grace period. Then it is tried again with another function.
    """
    for number in range(10):
        name = f"{unique}-{number}"
        arn = bot.engineer.function(name, bot.engineer.role(f"{name}-role"))
        all_done(bot)
        seen = bot.watcher.checked(arn, "execution_role")
        called = time.monotonic()
        bot.engineer.detach(f"{name}-role", LOGS_POLICY)
        bot.watcher.checked(arn, "execution_role", more_than=seen)
        bot.engineer.attach(f"{name}-role", SQS_POLICY)
        is_in_time = time.monotonic() - called < GRACE_PERIOD
        all_done(bot)
        if is_in_time:
            assert bot.watcher.findings(arn) == []
            return
    pytest.fail("the machine is too busy: no change came within the grace period")
