"""The deployed stack with FixMode=off: versions of policies, inline denies, aliases that move."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.engineer import SQS_POLICY
from tests.e2e.bot import Bot, deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 5.0
"""Seconds from the call to the recorded finding; on AWS the trail adds its own."""

READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


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


def document(*actions: str, effect: str = "Allow") -> str:
    """Return a policy of one statement, on everything."""
    statement = {"Sid": "Reading", "Effect": effect, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def made_policy(bot: Bot, name: str) -> str:
    """Make a customer managed policy that lets a queue be read, under a path, and return its ARN."""
    iam = bot.engineer.iam
    return str(iam.create_policy(PolicyName=name, Path="/shop/", PolicyDocument=document(*READ))["Policy"]["Arn"])


def reading(bot: Bot, name: str, role_arn: str) -> str:
    """Make a function that reads a queue, wait until the bot has seen it, and return its ARN."""
    arn = bot.engineer.function(name, role_arn)
    seen = bot.watcher.looked_at(arn, "execution_role")
    bot.engineer.mapping(name, bot.engineer.queue(name))
    bot.watcher.looked_at(arn, "execution_role", more_than=seen)
    assert bot.watcher.findings(arn) == []
    return arn


def found_at_once(bot: Bot, arn: str, change: Callable[[], object], expected: Callable[[dict[str, Any]], bool]) -> None:
    """Make a change and hold the time until PG201 is as expected to `AT_ONCE`."""
    called = time.monotonic()
    change()
    bot.watcher.finding(arn, "PG201", expected, deadline=AT_ONCE)
    assert time.monotonic() - called <= AT_ONCE


def all_done(bot: Bot) -> None:
    """Wait until everything that was changed so far was looked at."""
    bot.settle()
    bot.wait_until_empty("ExecutionRoleQueue")


def attached(bot: Bot, unique: str) -> tuple[str, str]:
    """Make a function that reads a queue by a policy of its own; return the ARNs of function and policy."""
    policy = made_policy(bot, unique)
    return reading(bot, unique, bot.engineer.role(f"{unique}-role", policy)), policy


def limiting(bot: Bot, unique: str) -> tuple[str, str]:
    """Make a function that reads a queue as far as its boundary lets it; return the ARNs of function and boundary."""
    policy = made_policy(bot, unique)
    role = bot.engineer.role(f"{unique}-role", SQS_POLICY)
    bot.engineer.iam.put_role_permissions_boundary(RoleName=f"{unique}-role", PermissionsBoundary=policy)
    return reading(bot, unique, role), policy


@pytest.mark.parametrize(("make", "cause"), [(attached, "no identity-based policy"), (limiting, "boundary")])
def test_a_new_version_of_a_policy_is_seen_at_once_at_whoever_has_it_or_is_limited_by_it(
    bot: Bot, unique: str, make: Callable[[Bot, str], tuple[str, str]], cause: str
) -> None:
    """Without the permission PG201 opens; a version with it resolves it; making the old one the default reopens it."""
    arn, policy = make(bot, unique)
    iam = bot.engineer.iam

    def version(*actions: str) -> Callable[[], object]:
        return lambda: iam.create_policy_version(PolicyArn=policy, PolicyDocument=document(*actions), SetAsDefault=True)

    found_at_once(bot, arn, version("logs:PutLogEvents"), is_open)
    finding = bot.watcher.finding(arn, "PG201")
    assert [one["action"] for one in finding["evidence"]["missing"]] == READ
    assert cause in finding["reason"]
    assert finding["revision"] == 1

    found_at_once(bot, arn, version(*READ), is_resolved)
    found_at_once(bot, arn, lambda: iam.set_default_policy_version(PolicyArn=policy, VersionId="v2"), is_open)
    assert bot.watcher.finding(arn, "PG201")["revision"] == 3


def test_a_version_that_is_not_the_default_wakes_nobody(bot: Bot, unique: str) -> None:
    """Its event comes, and says that nothing has changed; that of its deletion does not even come."""
    arn, policy = attached(bot, unique)
    all_done(bot)
    seen = bot.watcher.looked_at(arn, "execution_role")
    since = bot.aws.last_record()
    bot.engineer.iam.create_policy_version(PolicyArn=policy, PolicyDocument=document("logs:*"))
    event_id = bot.aws.wait_for_record("CreatePolicyVersion", since)["eventID"]
    line = bot.wait_for_log("CheckExecutionRole", message="nothing to look at", cloudtrail_event_id=event_id)
    assert line["reason"] == "the new version is not the policy's default"
    bot.engineer.iam.delete_policy_version(PolicyArn=policy, VersionId="v2")
    all_done(bot)
    assert bot.watcher.looked_at(arn, "execution_role") == seen
    assert bot.watcher.findings(arn) == []


def test_an_inline_deny_opens_at_once_and_resolves_when_it_goes(bot: Bot, unique: str) -> None:
    """The finding names the statement."""
    arn = reading(bot, unique, bot.engineer.role(f"{unique}-role", SQS_POLICY))
    iam, policy = bot.engineer.iam, {"RoleName": f"{unique}-role", "PolicyName": "deny"}
    deny = document("sqs:Receive*", effect="Deny")
    found_at_once(bot, arn, lambda: iam.put_role_policy(**policy, PolicyDocument=deny), is_open)
    assert "Reading" in bot.watcher.finding(arn, "PG201")["reason"]
    found_at_once(bot, arn, lambda: iam.delete_role_policy(**policy), is_resolved)


def test_an_alias_that_moves_to_a_version_with_another_role_is_judged_by_it(bot: Bot, unique: str) -> None:
    """A version keeps the role with which it was published; the mapping is on the alias."""
    engineer, functions = bot.engineer, bot.engineer.functions
    arn = engineer.function(unique, engineer.role(f"{unique}-role", SQS_POLICY))
    functions.publish_version(FunctionName=unique)
    functions.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    seen = bot.watcher.looked_at(arn, "execution_role")
    engineer.mapping(f"{unique}:live", engineer.queue(unique))
    bot.watcher.looked_at(arn, "execution_role", more_than=seen)
    functions.update_function_configuration(FunctionName=unique, Role=engineer.role(f"{unique}-other"))
    functions.publish_version(FunctionName=unique)
    all_done(bot)
    assert not [one for one in bot.watcher.findings() if unique in one["function_arn"]]

    def move(version: str) -> Callable[[], object]:
        return lambda: functions.update_alias(FunctionName=unique, Name="live", FunctionVersion=version)

    found_at_once(bot, f"{arn}:live", move("2"), is_open)
    assert bot.watcher.finding(f"{arn}:live", "PG201")["evidence"]["role_arn"].endswith(f"{unique}-other")
    found_at_once(bot, f"{arn}:live", move("1"), is_resolved)
