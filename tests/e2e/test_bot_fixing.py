"""The deployed stack with FixMode=auto: what it fixes, which fixes it rejects, and what it cannot do."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from permission_guard.fixes.attach_managed_policy import ATTACHABLE
from sandbox.client.engineer import DYNAMODB_POLICY, KINESIS_POLICY, LOGS_POLICY, MANAGED, SQS_POLICY
from sandbox.client.process import ACCOUNT, REGION
from tests.e2e.deciding import has_fix
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.bot import Bot

INTERFACES_POLICY = f"{MANAGED}AWSLambdaENIManagementAccess"
TRACING_POLICY = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
INSIGHTS_POLICY = "arn:aws:iam::aws:policy/CloudWatchLambdaInsightsExecutionRolePolicy"
INSIGHTS_LAYER = "arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:53"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
OTHER_ACCOUNT = "111122223333"
ANYBODY = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def bot(fixing_bot: Bot) -> Bot:
    """The stack that fixes by itself, which two modules share."""
    return fixing_bot


def function_reading(bot: Bot, name: str, source_arn: str, policy: str, tags: dict[str, str] | None = None) -> str:
    """Create a function that reads a source, wait until the bot has checked it, and return its ARN."""
    arn = bot.engineer.function(name, bot.engineer.role(f"{name}-role", policy, tags=tags))
    bot.engineer.mapping(name, source_arn)
    bot.wait_for_checks()
    return arn


@pytest.mark.parametrize(
    ("make", "policy"), [("queue", SQS_POLICY), ("stream", KINESIS_POLICY), ("table", DYNAMODB_POLICY)]
)
def test_the_one_correct_policy_is_attached_again(bot: Bot, unique: str, make: str, policy: str) -> None:
    """A detached policy is attached again, read back, recorded with before and after, and the finding resolves."""
    arn = function_reading(bot, unique, getattr(bot.engineer, make)(unique), policy)
    bot.engineer.detach(f"{unique}-role", policy)

    finding = bot.watcher.finding(arn, "PG201", has_fix("applied"))
    assert bot.engineer.attached(f"{unique}-role") == sorted([LOGS_POLICY, policy])
    assert finding["fix"]["before"]["attached_policies"] == [LOGS_POLICY]
    assert finding["fix"]["after"]["attached_policies"] == sorted([LOGS_POLICY, policy])
    named = f"--region us-east-1 --role-name {unique}-role --policy-arn {policy}"
    assert finding["fix"]["undo"] == f"aws iam detach-role-policy {named}"
    bot.watcher.finding(arn, "PG201", lambda one: one["status"] == "resolved")
    bot.watcher.alert(finding["id"], "Fix Applied")
    bot.watcher.ops_item(finding["id"], "Resolved")


def test_a_fix_is_undone_by_the_command_and_not_made_again(bot: Bot, unique: str) -> None:
    """The policy is detached, the finding and its ticket are open again, and a check changes nothing about that."""
    role = f"{unique}-role"
    arn = function_reading(bot, unique, bot.engineer.queue(unique), SQS_POLICY)
    bot.engineer.detach(role, SQS_POLICY)
    bot.watcher.finding(arn, "PG201", has_fix("applied"))
    finding = bot.watcher.finding(arn, "PG201", lambda one: one["status"] == "resolved")

    program = str(REPOSITORY / ".venv" / "bin" / "permission-guard")
    words = ("fixes", "undo", finding["id"], "--yes", "--format", "json")
    env = {**bot.aws.env(), **bot.deciding_person(f"{unique}-person")}
    undone = subprocess.run([program, *words], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert undone.returncode == 0, undone.stderr
    assert json.loads(undone.stdout)["decision"] == "undo"
    finding = bot.watcher.finding(arn, "PG201", has_fix("undone"))
    assert bot.engineer.attached(role) == [LOGS_POLICY]
    assert finding["fix"]["undo_record"]["after"] == finding["fix"]["before"]
    bot.watcher.alert(finding["id"], "Fix Undone")
    bot.watcher.ops_item(finding["id"], "Open")

    bot.watcher.settled(arn, "execution_role")
    bot.wait_until_empty("FixQueue")
    finding = bot.watcher.finding(arn, "PG201", lambda one: one["status"] == "open")
    assert (finding["transition"], bot.engineer.attached(role)) == ("Fix Undone", [LOGS_POLICY])


@pytest.mark.parametrize(
    ("rule", "policy", "settings"),
    [
        ("PG204", LOGS_POLICY, {}),
        ("PG205", INTERFACES_POLICY, {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}),
        ("PG206", TRACING_POLICY, {"TracingConfig": {"Mode": "Active"}}),
        ("PG211", INSIGHTS_POLICY, {"Layers": [INSIGHTS_LAYER]}),
    ],
)
def test_what_a_feature_requires_is_attached_again(
    bot: Bot, unique: str, rule: str, policy: str, settings: dict[str, Any]
) -> None:
    """Logs, network interfaces, traces and Lambda Insights: the policy that the role lost, and no other."""
    role = f"{unique}-role"
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/{unique}:*"
    logs = bot.engineer.policy(unique, {"Effect": "Allow", "Action": "logs:*", "Resource": group})
    policies = sorted([policy] if policy == LOGS_POLICY else [logs, policy])
    arn = bot.engineer.function(unique, bot.engineer.role(role, *policies, writes_logs=False), **settings)
    bot.wait_for_checks()
    assert bot.watcher.findings(arn) == []
    bot.engineer.detach(role, policy)

    finding = bot.watcher.finding(arn, rule, has_fix("applied"))
    assert bot.engineer.attached(role) == policies
    assert finding["fix"]["change"]["policy_arns"] == [policy]
    assert "It restores what was removed by" in finding["fix"]["summary"]
    bot.watcher.finding(arn, rule, lambda one: one["status"] == "resolved")


def test_a_role_tagged_never_is_not_changed(bot: Bot, unique: str) -> None:
    """The fix is rejected because of the owner's tag. The finding and its ticket stay open."""
    arn = function_reading(bot, unique, bot.engineer.queue(unique), SQS_POLICY, {"permission-guard:fix": "never"})
    bot.engineer.detach(f"{unique}-role", SQS_POLICY)
    finding = bot.watcher.finding(arn, "PG201", has_fix("refused"))
    assert "permission-guard:fix=never" in finding["fix"]["summary"]
    assert finding["status"] == "open"
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]
    bot.watcher.ops_item(finding["id"], "Open")


def test_no_policy_is_attached_if_an_explicit_deny_is_the_cause(bot: Bot, unique: str) -> None:
    """Attaching a policy would not help. The finding names the Deny."""
    arn = function_reading(bot, unique, bot.engineer.queue(unique), SQS_POLICY)
    deny = {"Sid": "NoReading", "Effect": "Deny", "Action": "sqs:Receive*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    bot.engineer.iam.put_role_policy(RoleName=f"{unique}-role", PolicyName="deny", PolicyDocument=document)
    finding = bot.watcher.finding(arn, "PG201", has_fix("refused"))
    assert "would not help" in finding["fix"]["summary"]
    assert "NoReading" in finding["fix"]["summary"]


def test_a_statement_without_a_source_in_the_account_is_not_narrowed(bot: Bot, unique: str) -> None:
    """No source is proven, so nobody knows what removing the statement would break. The finding says what to decide."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    finding = bot.watcher.finding(arn, "PG102", has_fix("refused"))
    assert "Nothing in this account invokes" in finding["fix"]["summary"]
    bot.watcher.alert(finding["id"], "Finding Opened")
    policy = json.loads(bot.engineer.functions.get_policy(FunctionName=unique)["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["broad"]
    assert finding["status"] == "open"


# ── What IAM denies the role of apply_fix, whatever its code does ───────────────────────────────────────────────────


@pytest.fixture(scope="module")
def fixer(bot: Bot) -> Callable[..., Any]:
    """Return what creates clients with the fixer's role."""
    return bot.fixer()


@pytest.fixture(scope="module")
def as_the_fixer(fixer: Callable[..., Any]) -> Any:
    """Return an IAM client with the fixer's role."""
    return fixer("iam")


def assert_denied(*calls: Callable[[], Any]) -> None:
    """Assert that AWS denies each call."""
    for number, call in enumerate(calls):
        with pytest.raises(ClientError) as denied:
            call()
        code = denied.value.response["Error"]["Code"]
        assert code in {"AccessDenied", "AccessDeniedException"}, f"call {number}: {denied.value}"


def test_the_fixer_may_attach_the_policies_on_its_list(bot: Bot, as_the_fixer: Any, unique: str) -> None:
    """Otherwise the denials below could have another cause."""
    bot.engineer.role(unique, writes_logs=False)
    arns = sorted(f"arn:aws:iam::aws:policy/{path}" for path in ATTACHABLE)
    for arn in arns:
        as_the_fixer.attach_role_policy(RoleName=unique, PolicyArn=arn)
    assert bot.engineer.attached(unique) == arns


def test_the_fixer_cannot_attach_administrator_access(bot: Bot, as_the_fixer: Any, unique: str) -> None:
    """IAM denies the call, whatever the code does: AdministratorAccess is not on the list."""
    bot.engineer.role(unique, writes_logs=False)
    assert_denied(lambda: as_the_fixer.attach_role_policy(RoleName=unique, PolicyArn=ADMINISTRATOR))
    assert bot.engineer.attached(unique) == []


@pytest.mark.parametrize("policy", ["aws:policy/ReadOnlyAccess", "aws:policy/AmazonSQSFullAccess", "of the account"])
def test_the_fixer_cannot_attach_a_policy_outside_its_list(
    bot: Bot, as_the_fixer: Any, unique: str, policy: str
) -> None:
    """Neither one of AWS, nor one that somebody in the account wrote, perhaps with a name of the list."""
    bot.engineer.role(unique, writes_logs=False)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    arns = [f"arn:aws:iam::{policy}"]
    if policy == "of the account":
        document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        named = {"PolicyName": f"{unique}-AWSLambdaSQSQueueExecutionRole", "Path": "/service-role/"}
        made = bot.engineer.iam.create_policy(**named, PolicyDocument=document)
        arns = [made["Policy"]["Arn"], bot.engineer.policy(unique, everything)]
    for arn in arns:
        assert_denied(partial(as_the_fixer.attach_role_policy, RoleName=unique, PolicyArn=arn))
    assert bot.engineer.attached(unique) == []


def test_the_fixer_cannot_detach_a_policy_outside_its_list(bot: Bot, as_the_fixer: Any, unique: str) -> None:
    """It never attached such a policy, so it never has one to detach."""
    own = bot.engineer.policy(unique, {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    bot.engineer.role(unique, ADMINISTRATOR, own, writes_logs=False)
    for arn in (ADMINISTRATOR, own):
        assert_denied(partial(as_the_fixer.detach_role_policy, RoleName=unique, PolicyArn=arn))
    assert bot.engineer.attached(unique) == sorted([ADMINISTRATOR, own])


def test_the_fixer_cannot_change_resources_tagged_never(bot: Bot, as_the_fixer: Any, unique: str) -> None:
    """IAM enforces the tag, not only the code. The fixer cannot remove it either."""
    bot.engineer.role(unique, SQS_POLICY, tags={"permission-guard:fix": "never"}, writes_logs=False)
    assert_denied(
        lambda: as_the_fixer.attach_role_policy(RoleName=unique, PolicyArn=KINESIS_POLICY),
        lambda: as_the_fixer.detach_role_policy(RoleName=unique, PolicyArn=SQS_POLICY),
        lambda: as_the_fixer.untag_role(RoleName=unique, TagKeys=["permission-guard:fix"]),
        lambda: as_the_fixer.tag_role(RoleName=unique, Tags=[{"Key": "permission-guard:fix", "Value": "yes"}]),
    )
    assert bot.engineer.attached(unique) == [SQS_POLICY]


def test_the_fixer_cannot_reach_another_account(bot: Bot, fixer: Callable[..., Any], unique: str) -> None:
    """IAM's calls name a role of the own account; another account's function is read and written by nobody here."""
    other = {"AccessKeyId": OTHER_ACCOUNT, "SecretAccessKey": "sandbox", "SessionToken": None}
    iam, trust = bot.aws.client("iam", other), json.dumps({"Version": "2012-10-17", "Statement": [ANYBODY]})
    role = iam.create_role(RoleName=unique, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    function = f"arn:aws:lambda:{REGION}:{OTHER_ACCOUNT}:function:{unique}"
    functions = fixer("lambda")
    assert_denied(
        lambda: fixer("sts").assume_role(RoleArn=role, RoleSessionName="fixer"),
        lambda: functions.get_function_configuration(FunctionName=function),
        lambda: functions.list_tags(Resource=function),
        lambda: functions.update_function_configuration(FunctionName=function, Role=role),
    )
    with pytest.raises(ClientError) as missing:
        fixer("iam").attach_role_policy(RoleName=unique, PolicyArn=SQS_POLICY)
    assert missing.value.response["Error"]["Code"] == "NoSuchEntity"
    assert iam.list_attached_role_policies(RoleName=unique)["AttachedPolicies"] == []


def test_the_fixer_cannot_write_policies_of_its_own(bot: Bot, as_the_fixer: Any, unique: str) -> None:
    """IAM denies inline policies, trust policies, boundaries, and versions of managed policies."""
    bot.engineer.role(unique, SQS_POLICY)
    own = bot.engineer.policy(unique, {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert_denied(
        lambda: as_the_fixer.put_role_policy(RoleName=unique, PolicyName="own", PolicyDocument=document),
        lambda: as_the_fixer.delete_role_policy(RoleName=unique, PolicyName="own"),
        lambda: as_the_fixer.update_assume_role_policy(RoleName=unique, PolicyDocument=document),
        lambda: as_the_fixer.put_role_permissions_boundary(RoleName=unique, PermissionsBoundary=own),
        lambda: as_the_fixer.delete_role_permissions_boundary(RoleName=unique),
        lambda: as_the_fixer.create_policy(PolicyName=f"{unique}-new", PolicyDocument=document),
        lambda: as_the_fixer.create_policy_version(PolicyArn=own, PolicyDocument=document, SetAsDefault=True),
        lambda: as_the_fixer.attach_user_policy(UserName=unique, PolicyArn=SQS_POLICY),
        lambda: as_the_fixer.delete_role(RoleName=unique),
    )


def test_the_fixer_cannot_write_to_functions(bot: Bot, fixer: Callable[..., Any], unique: str) -> None:
    """Neither configuration, code nor mapping. To a policy it adds statements for the services on its list only."""
    bot.engineer.function(unique, role := bot.engineer.role(f"{unique}-role"))
    functions, named = fixer("lambda"), {"FunctionName": unique}
    grant = {"StatementId": "s", "Action": "lambda:InvokeFunction"}
    assert_denied(
        lambda: functions.update_function_configuration(**named, Role=role),
        lambda: functions.update_function_code(**named, ZipFile=b"x"),
        *(
            partial(functions.add_permission, **named, **grant, Principal=principal)
            for principal in ("*", ACCOUNT, "ses.amazonaws.com")
        ),
        lambda: functions.create_event_source_mapping(**named, EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"),
        lambda: functions.delete_function(**named),
    )


def test_the_fixer_cannot_decide(bot: Bot, fixer: Callable[..., Any], unique: str) -> None:
    """Neither by an item in the table of decisions nor through decide_fix. It cannot resume what was stopped."""
    dynamodb, table = fixer("dynamodb"), bot.resource("DecisionsTable")
    key = {"finding_id": {"S": unique}, "revision": {"N": "1"}}
    stop = {"finding_id": {"S": "FIXING"}, "revision": {"N": "0"}}
    setting = {"UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
    assert_denied(
        *(partial(dynamodb.put_item, TableName=table, Item=item) for item in (key, stop)),
        *(partial(dynamodb.delete_item, TableName=table, Key=item) for item in (key, stop)),
        *(partial(dynamodb.update_item, TableName=table, Key=item, **setting) for item in (key, stop)),
        lambda: fixer("lambda").invoke(FunctionName=bot.outputs["DecideFixFunctionArn"], Payload=b"{}"),
    )
