"""The deployed stack with FixMode=off: a role loses the permission to read in four ways, and regains it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client.drift import SOURCES, WAYS, Reader, Way
from sandbox.client.engineer import SQS_POLICY, document
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import GRACE_PERIOD, Bot


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


@pytest.fixture(scope="module", params=list(SOURCES))
def reader(bot: Bot, request: pytest.FixtureRequest) -> Reader:
    """Create a function that reads a source and has no finding. The check after its creation is over."""
    made = Reader(bot.engineer, bot.watcher, f"reads-a-{request.param}", request.param)
    all_done(bot)
    assert bot.watcher.findings(made.arn) == []
    return made


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_lost_read_permission_opens_a_finding_with_its_cause_and_resolves_when_regained(
    bot: Bot, reader: Reader, way: Way
) -> None:
    """There is no alert in the grace period and one after it. `make bench-drift` measures how soon both come."""
    opened = reader.seconds(way.lose, "open", deadline=DEADLINE)
    finding = bot.watcher.finding(reader.arn, "PG201")
    missing = {one["action"] for one in finding["evidence"]["missing"]}
    reader.seconds(way.regain, "resolved", deadline=DEADLINE)

    assert opened >= GRACE_PERIOD
    assert way.cause in finding["reason"]
    assert missing
    assert missing <= set(reader.actions)
    assert [one["rule_id"] for one in bot.watcher.findings(reader.arn)] == ["PG201"]


def test_a_new_version_of_a_boundary_checks_the_roles_that_it_limits(bot: Bot, unique: str) -> None:
    """A customer managed boundary allows less in its new default version, and then as much as before."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    reader = Reader(bot.engineer, bot.watcher, unique, "queue")
    iam, boundary = bot.engineer.iam, bot.engineer.policy(unique, everything)
    seen = bot.watcher.checked(reader.arn, "execution_role")
    iam.put_role_permissions_boundary(RoleName=reader.role, PermissionsBoundary=boundary)
    bot.watcher.checked(reader.arn, "execution_role", more_than=seen)
    assert bot.watcher.findings(reader.arn) == []

    less = document({**everything, "Action": ["logs:*", "sqs:ReceiveMessage"]})

    def narrow(_: Reader) -> None:
        iam.create_policy_version(PolicyArn=boundary, PolicyDocument=less, SetAsDefault=True)

    def widen(_: Reader) -> None:
        iam.set_default_policy_version(PolicyArn=boundary, VersionId="v1")

    reader.seconds(narrow, "open", deadline=DEADLINE)
    finding = bot.watcher.finding(reader.arn, "PG201")
    assert [one["action"] for one in finding["evidence"]["missing"]] == ["sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    assert "boundary" in finding["reason"]
    reader.seconds(widen, "resolved", deadline=DEADLINE)


def test_a_version_that_is_not_the_default_causes_no_check(bot: Bot, unique: str) -> None:
    """Its event arrives and is ignored; the event of its deletion does not match the rule."""
    reader = Reader(bot.engineer, bot.watcher, unique, "queue")
    all_done(bot)
    seen = bot.watcher.checked(reader.arn, "execution_role")
    since = bot.aws.last_record()
    other = document({"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
    bot.engineer.iam.create_policy_version(PolicyArn=reader.policy, PolicyDocument=other)
    event_id = bot.aws.wait_for_record("CreatePolicyVersion", since)["eventID"]
    line = bot.wait_for_log("CheckExecutionRole", message="nothing to check", cloudtrail_event_id=event_id)
    assert line["reason"] == "the new version is not the policy's default"
    bot.engineer.iam.delete_policy_version(PolicyArn=reader.policy, VersionId="v2")
    all_done(bot)
    assert bot.watcher.checked(reader.arn, "execution_role") == seen
    assert bot.watcher.findings(reader.arn) == []


def test_an_alias_is_checked_with_the_role_of_its_version(bot: Bot, unique: str) -> None:
    """A version keeps the role with which it was published. The mapping belongs to the alias."""
    engineer, functions = bot.engineer, bot.engineer.functions
    arn = engineer.function(unique, engineer.role(f"{unique}-role", SQS_POLICY))
    functions.publish_version(FunctionName=unique)
    functions.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    seen = bot.watcher.checked(arn, "execution_role")
    engineer.mapping(f"{unique}:live", engineer.queue(unique))
    bot.watcher.checked(arn, "execution_role", more_than=seen)
    functions.update_function_configuration(FunctionName=unique, Role=engineer.role(f"{unique}-other"))
    functions.publish_version(FunctionName=unique)
    all_done(bot)
    assert not [one for one in bot.watcher.findings() if unique in one["function_arn"]]

    def move(version: str, status: str) -> dict[str, Any]:
        functions.update_alias(FunctionName=unique, Name="live", FunctionVersion=version)
        return bot.watcher.finding(f"{arn}:live", "PG201", lambda one: one["status"] == status)

    finding = move("2", "open")
    assert finding["evidence"]["role_arn"].endswith(f"{unique}-other")
    move("1", "resolved")


def all_done(bot: Bot) -> None:
    """Wait until all changes so far were checked."""
    bot.wait_for_delivery()
    bot.wait_until_empty("ExecutionRoleQueue")
