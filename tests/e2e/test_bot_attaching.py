"""Each event source type and feature that the sandbox has: attached again in `auto`, and by an approval, and undone.

All functions of a mode are made and broken at once, so that the tests share the time until the fixes. The sandbox has
no other sources: what the bot attaches for those is tested with recorded shapes, see `sandbox/README.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client import configuration
from sandbox.client.engineer import DYNAMODB_POLICY, KINESIS_POLICY, LOGS_POLICY, MANAGED, SQS_POLICY, document
from sandbox.client.process import ACCOUNT, REGION
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import CONFIGURATION, OPERATORS, Bot
from tests.e2e.deciding import Person, has_fix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.client.watcher import Finding

INTERFACES = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
INTERFACES_POLICY = f"{MANAGED}AWSLambdaENIManagementAccess"
AWS = "arn:aws:iam::aws:policy/"
MORE_THAN_ENOUGH = "500"
"""The limit of fixes an hour: these tests and others of the stack make more than the default of 20."""


@dataclass(frozen=True)
class Case:
    """What a function needs. `others` are the policies of AWS that its role has besides `policy`, the missing one.

    `source` is the method of `Engineer` that makes its event source. `mounts` is true for a file system.
    """

    name: str
    rule: str
    policy: str
    others: tuple[str, ...] = ()
    source: str = ""
    mounts: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


CASES = (
    Case("queue", "PG201", SQS_POLICY, source="queue"),
    Case("stream", "PG201", KINESIS_POLICY, source="stream"),
    Case("table", "PG201", DYNAMODB_POLICY, source="table"),
    Case("logs", "PG204", LOGS_POLICY),
    Case("interfaces", "PG205", INTERFACES_POLICY, settings=INTERFACES),
    Case("traces", "PG206", f"{AWS}AWSXRayDaemonWriteAccess", settings={"TracingConfig": {"Mode": "Active"}}),
    Case(
        "insights",
        "PG211",
        f"{AWS}CloudWatchLambdaInsightsExecutionRolePolicy",
        settings={"Layers": [f"arn:aws:lambda:{REGION}:580247275435:layer:LambdaInsightsExtension:53"]},
    ),
    Case(
        "durable",
        "PG211",
        f"{MANAGED}AWSLambdaBasicDurableExecutionRolePolicy",
        settings={"DurableConfig": {"ExecutionTimeout": 3600}},
    ),
    Case(
        "file-system",
        "PG211",
        f"{AWS}AmazonElasticFileSystemClientReadOnlyAccess",
        others=(INTERFACES_POLICY,),
        mounts=True,
        settings=INTERFACES,
    ),
)


@pytest.fixture(scope="module")
def bot(fixing_bot: Bot) -> Bot:
    """The stack that fixes by itself, which three modules share, with a higher limit of fixes."""
    fixing_bot.restart("ApplyFixFunction", MAX_FIXES_AN_HOUR=MORE_THAN_ENOUGH)
    return fixing_bot


@pytest.fixture(scope="module")
def access_point(bot: Bot) -> str:
    """Return the ARN of an access point; its file system has a policy, so it requires IAM authorization."""
    efs = bot.aws.client("efs")
    made = efs.create_file_system(CreationToken="attaching")
    other = {"Effect": "Allow", "Principal": {"AWS": OPERATORS}, "Action": "elasticfilesystem:ClientMount"}
    policy = document({**other, "Resource": made["FileSystemArn"]})
    efs.put_file_system_policy(FileSystemId=made["FileSystemId"], Policy=policy)
    reply = efs.create_access_point(ClientToken="attaching", FileSystemId=made["FileSystemId"])
    return str(reply["AccessPointArn"])


def own_policies(bot: Bot, case: Case, name: str) -> list[str]:
    """Return what the role of a function has besides the policy in question. Its own policy is for its log group."""
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{name}:*"
    own = {"Effect": "Allow", "Action": "logs:*", "Resource": group}
    return [*case.others, *([] if case.policy == LOGS_POLICY else [bot.engineer.policy(name, own)])]


def working(bot: Bot, case: Case, name: str, access_point: str) -> tuple[str, list[str]]:
    """Create a function that has all that it needs; return its ARN and the other policies of its role."""
    others = own_policies(bot, case, name)
    role = bot.engineer.role(f"{name}-role", *others, case.policy, writes_logs=False)
    settings = dict(case.settings)
    if case.mounts:
        settings["FileSystemConfigs"] = [{"Arn": access_point, "LocalMountPath": "/mnt/files"}]
    arn = bot.engineer.function(name, role, **settings)
    if case.source:
        bot.engineer.mapping(name, getattr(bot.engineer, case.source)(name))
    return arn, others


def found(bot: Bot, case: Case, arn: str, so_far: Callable[[Finding], bool]) -> Finding:
    """Wait for the finding of a case. All cases are fixed one after the other, so the first tests wait for others."""
    return bot.watcher.finding(arn, case.rule, so_far, deadline=3 * DEADLINE)


def fixed(bot: Bot, case: Case, arn: str, role: str, others: list[str]) -> Finding:
    """Wait until the fix is applied and the rule passes; return the finding. Only this one policy was attached."""
    found(bot, case, arn, has_fix("applied"))
    finding = found(bot, case, arn, lambda one: bool(one["status"] == "resolved"))
    fix = finding["fix"]
    role_arn, after = f"arn:aws:iam::{ACCOUNT}:role/{role}", sorted([*others, case.policy])
    assert bot.engineer.attached(role) == after
    assert bot.engineer.iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    assert fix["change"] == {"action": "iam:AttachRolePolicy", "role_arn": role_arn, "policy_arns": [case.policy]}
    assert fix["before"] == {"role_arn": role_arn, "attached_policies": sorted(others)}
    assert fix["after"] == {"role_arn": role_arn, "attached_policies": after}
    assert "does not pass yet" not in fix["summary"]
    assert [(one["rule_id"], one["status"]) for one in bot.watcher.findings(arn)] == [(case.rule, "resolved")]
    return finding


@pytest.fixture(scope="module")
def person(bot: Bot) -> Person:
    """Return a person who may read findings and decide."""
    return Person(bot, "deciding-person")


@pytest.fixture(scope="module")
def undo(bot: Bot, person: Person) -> Callable[[Case, Finding, str], None]:
    """Return what undoes the fix of a case's finding, and waits until the role is as it was and the finding open."""

    def run(case: Case, finding: Finding, role: str) -> None:
        person.undo(finding)
        undone = found(bot, case, finding["function_arn"], has_fix("undone"))
        before, record = finding["fix"]["before"], undone["fix"]["undo_record"]
        assert bot.engineer.attached(role) == before["attached_policies"]
        assert (undone["status"], undone["transition"]) == ("open", "Fix Undone")
        assert (record["by"], record["reason"], record["after"]) == (person.arn, "Tried", before)
        detached = {"RoleName": role, "PolicyArn": case.policy}
        assert record["calls"] == [{"operation": "iam:DetachRolePolicy", "parameters": detached}]
        bot.close_breaker()

    return run


# ── `auto`: what a role had ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def detached(bot: Bot, access_point: str) -> dict[str, tuple[str, list[str]]]:
    """Detach the policy of every function; return each ARN and the other policies of the role, by case."""
    made = {case.name: working(bot, case, f"restored-{case.name}", access_point) for case in CASES}
    bot.wait_for_checks()
    assert [one["title"] for arn, _ in made.values() for one in bot.watcher.findings(arn)] == []
    for case in CASES:
        bot.engineer.detach(f"restored-{case.name}-role", case.policy)
    bot.wait_for_checks()
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_in_auto_what_an_engineer_detached_is_attached_again(
    bot: Bot,
    detached: dict[str, tuple[str, list[str]]],
    undo: Callable[[Case, Finding, str], None],
    case: Case,
) -> None:
    """Nobody is asked: the role had exactly this, and an event names who detached it. A person can undo it."""
    arn, others = detached[case.name]
    role = f"restored-{case.name}-role"
    finding = fixed(bot, case, arn, role, others)
    assert "It restores what was removed by" in finding["fix"]["summary"]
    assert finding["fix"]["decided_by"] == ""
    undo(case, finding, role)


# ── `approve`: what a role never had ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def asking(bot: Bot) -> Iterator[Bot]:
    """Deploy the mode `approve` for all rules, and the one before afterwards. Only two functions read it.

    A message can stay in the queue of fixes for minutes: an event of a check, while the same fix was being undone.
    """

    def push(**changes: Any) -> None:
        configuration.push(bot.aws, bot.outputs, {**CONFIGURATION, **changes})
        for function in ("ApplyFixFunction", "DecideFixFunction"):
            bot.restart(function)

    push(fixes={"mode": "approve"})
    yield bot
    push()


@pytest.fixture(scope="module")
def moved(asking: Bot, access_point: str) -> dict[str, tuple[str, list[str]]]:
    """Give every function a new role that never had the policy; return each ARN and the policies of that role.

    AWS accepts no function in a VPC whose role may not create network interfaces, so these may do that alone.
    """
    made = {}
    for case in CASES:
        name = f"approved-{case.name}"
        arn, others = working(asking, case, name, access_point)
        if case.policy == INTERFACES_POLICY:
            creating = {"Effect": "Allow", "Action": "ec2:CreateNetworkInterface", "Resource": "*"}
            others = [*others, asking.engineer.policy(f"{name}-creating", creating)]
        role = asking.engineer.role(f"{name}-new", *others, writes_logs=False)
        asking.engineer.functions.update_function_configuration(FunctionName=name, Role=role)
        made[case.name] = arn, others
    asking.wait_for_checks()
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_with_approve_what_a_role_never_had_is_attached_after_an_approval(
    asking: Bot,
    moved: dict[str, tuple[str, list[str]]],
    person: Person,
    undo: Callable[[Case, Finding, str], None],
    case: Case,
) -> None:
    """The proposal shows the one call. Nothing is attached before a person approves it. A person can undo it."""
    arn, others = moved[case.name]
    role = f"approved-{case.name}-new"
    proposed = found(asking, case, arn, has_fix("proposed"))
    call = {"operation": "iam:AttachRolePolicy", "parameters": {"RoleName": role, "PolicyArn": case.policy}}
    assert proposed["fix"]["calls"] == [call]
    assert "It would grant more than it restores" not in proposed["fix"]["summary"], "that would be the mode auto"
    assert asking.engineer.attached(role) == sorted(others)
    person.approve(proposed)
    finding = fixed(asking, case, arn, role, others)
    assert finding["fix"]["decided_by"] == person.arn
    assert finding["fix"]["calls"] == [call]
    undo(case, finding, role)
