"""The commands of a finding, pasted as they are printed with the AWS CLI, resolve it and open no other.

A situation is prepared for each rule that the sandbox can show. All are prepared first, so that the tests share the
time until the findings open.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.verdicts import Remedy
from sandbox.client.engineer import LOGS_POLICY, document
from sandbox.client.process import ACCOUNT, REGION
from tests.paths import REPOSITORY
from tests.unit.remedies.snippets import decided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.e2e.bot import Bot

PARTNER = "111122223333"
INVOKE = "lambda:InvokeFunction"
BOUNDS = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

_PREPARED: dict[str, Callable[[Bot, str], str]] = {}


def shows(rule_id: str) -> Callable[[Callable[[Bot, str], str]], Callable[[Bot, str], str]]:
    """Register what prepares a situation with a finding of a rule, and returns the ARN of its function."""

    def register(prepare: Callable[[Bot, str], str]) -> Callable[[Bot, str], str]:
        _PREPARED[rule_id] = prepare
        return prepare

    return register


OF_ROLE = ("PG208", "PG209")
"""The rules whose findings are about the role."""


def function(bot: Bot, name: str, *policies: str, **settings: Any) -> str:
    """Create a function with a role of its own."""
    return bot.engineer.function(name, bot.engineer.role(f"{name}-role", *policies), **settings)


def permit(bot: Bot, name: str, principal: str, action: str = INVOKE, **conditions: str) -> None:
    """Add a statement."""
    client = bot.engineer.functions
    client.add_permission(FunctionName=name, StatementId="given", Action=action, Principal=principal, **conditions)


def put(bot: Bot, arn: str, *statements: Mapping[str, Any]) -> None:
    """Write a whole policy."""
    own = [{"Effect": "Allow", "Action": INVOKE, "Resource": arn, **statement} for statement in statements]
    bot.engineer.functions.put_resource_policy(ResourceArn=arn, Policy=document(*own))


@shows("PG101")
def anyone(bot: Bot, name: str) -> str:
    """Anyone may invoke."""
    arn = function(bot, name)
    permit(bot, name, "*")
    return arn


@shows("PG102")
def any_topic(bot: Bot, name: str) -> str:
    """Any account's topic may invoke; one topic of this account does."""
    arn = function(bot, name)
    sns = bot.aws.client("sns")
    sns.subscribe(TopicArn=sns.create_topic(Name=name)["TopicArn"], Protocol="lambda", Endpoint=arn)
    permit(bot, name, "sns.amazonaws.com")
    return arn


@shows("PG103")
def a_bucket_s_name(bot: Bot, name: str) -> str:
    """Whoever owns the bucket may invoke; it is this account's."""
    arn = function(bot, name)
    permit(bot, name, "s3.amazonaws.com", SourceArn=bot.engineer.bucket(name))
    return arn


@shows("PG104")
def every_account_s_topic(bot: Bot, name: str) -> str:
    """A topic of this name in any account may invoke; this account has one."""
    arn = function(bot, name)
    bot.aws.client("sns").create_topic(Name=name)
    source = {"ArnLike": {"aws:SourceArn": f"arn:aws:sns:{REGION}:*:{name}"}}
    put(bot, arn, {"Sid": "given", "Principal": {"Service": "sns.amazonaws.com"}, "Condition": source})
    return arn


@shows("PG105")
def a_queue_that_never_calls(bot: Bot, name: str) -> str:
    """SQS never invokes a function."""
    arn = function(bot, name)
    permit(bot, name, "sqs.amazonaws.com")
    return arn


@shows("PG106")
def a_partner(bot: Bot, name: str) -> str:
    """An account that is not trusted may invoke."""
    arn = function(bot, name)
    permit(bot, name, PARTNER)
    return arn


@shows("PG107")
def a_public_url(bot: Bot, name: str) -> str:
    """The function has a URL that anyone may call."""
    arn = function(bot, name)
    bot.engineer.functions.create_function_url_config(FunctionName=name, AuthType="NONE")
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    put(
        bot,
        arn,
        {
            "Sid": "FunctionURLAllowPublicAccess",
            "Principal": "*",
            "Action": "lambda:InvokeFunctionUrl",
            "Condition": condition,
        },
    )
    return arn


@shows("PG108")
def any_skill(bot: Bot, name: str) -> str:
    """Any Alexa skill may invoke."""
    arn = function(bot, name)
    permit(bot, name, "alexa-appkit.amazon.com")
    return arn


@shows("PG109")
def a_partner_that_manages(bot: Bot, name: str) -> str:
    """An account may do everything with the function."""
    arn = function(bot, name)
    permit(bot, name, PARTNER, "lambda:*")
    return arn


@shows("PG110")
def a_deleted_topic(bot: Bot, name: str) -> str:
    """The statement names a topic that does not exist."""
    arn = function(bot, name)
    permit(bot, name, "sns.amazonaws.com", SourceArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
    return arn


@shows("PG111")
def an_ended_service(bot: Bot, name: str) -> str:
    """The service has ended."""
    arn = function(bot, name)
    source = f"arn:aws:mobiletargeting:{REGION}:{ACCOUNT}:apps/a"
    permit(bot, name, f"pinpoint.{REGION}.amazonaws.com", SourceArn=source)
    return arn


@shows("PG112")
def a_rule_without_permission(bot: Bot, name: str) -> str:
    """A rule has the function as target, and may not invoke it."""
    arn = function(bot, name)
    events = bot.aws.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    return arn


@shows("PG113")
def a_full_policy(bot: Bot, name: str) -> str:
    """The policy repeats a statement for each topic."""
    arn = function(bot, name)
    sns = bot.aws.client("sns")
    topics = [sns.create_topic(Name=f"{name}-{number}")["TopicArn"] for number in range(52)]
    put(
        bot,
        arn,
        *(
            {
                "Sid": f"topic-{number}-{'of-the-shop-' * 4}",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Condition": {"ArnLike": {"AWS:SourceArn": topic}},
            }
            for number, topic in enumerate(topics)
        ),
    )
    return arn


@shows("PG201")
def an_unreadable_queue(bot: Bot, name: str) -> str:
    """The role lost the permission to read the queue."""
    reading = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    policy = bot.engineer.policy(name, reading)
    arn = function(bot, name, policy)
    bot.engineer.mapping(name, bot.engineer.queue(name))
    bot.engineer.detach(f"{name}-role", policy)
    return arn


@shows("PG202")
def an_unusable_key(bot: Bot, name: str) -> str:
    """The role lost the permission to decrypt the messages of its queue."""
    key = bot.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    queue = bot.engineer.queue(name)
    url = bot.aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    bot.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key})
    reading = bot.engineer.policy(f"{name}-reading", {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    decrypting = bot.engineer.policy(name, {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"})
    arn = function(bot, name, reading, decrypting)
    bot.engineer.mapping(name, queue)
    bot.engineer.detach(f"{name}-role", decrypting)
    return arn


@shows("PG203")
def an_unreachable_destination(bot: Bot, name: str) -> str:
    """The role lost the permission to send to the destination for failed events."""
    queue = bot.engineer.queue(name)
    sending = bot.engineer.policy(name, {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue})
    arn = function(bot, name, sending)
    failed = {"OnFailure": {"Destination": queue}}
    bot.engineer.functions.put_function_event_invoke_config(FunctionName=name, DestinationConfig=failed)
    bot.engineer.detach(f"{name}-role", sending)
    return arn


@shows("PG204")
def no_logs(bot: Bot, name: str) -> str:
    """The role may not write logs."""
    arn = function(bot, name)
    bot.engineer.detach(f"{name}-role", LOGS_POLICY)
    return arn


@shows("PG205")
def no_network(bot: Bot, name: str) -> str:
    """The role lost the permission for network interfaces."""
    networking = bot.engineer.policy(name, {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"})
    network = {"SubnetIds": ["subnet-0a"], "SecurityGroupIds": ["sg-0a"]}
    arn = function(bot, name, networking, VpcConfig=network)
    bot.engineer.detach(f"{name}-role", networking)
    return arn


@shows("PG206")
def no_traces(bot: Bot, name: str) -> str:
    """The function traces, and its role lost the permission."""
    tracing = bot.engineer.policy(name, {"Effect": "Allow", "Action": "xray:*", "Resource": "*"})
    arn = function(bot, name, tracing, TracingConfig={"Mode": "Active"})
    bot.engineer.detach(f"{name}-role", tracing)
    return arn


def trust(bot: Bot, name: str, *statements: Mapping[str, Any]) -> None:
    """Replace the trust policy of a function's role."""
    bot.engineer.iam.update_assume_role_policy(RoleName=f"{name}-role", PolicyDocument=document(*statements))


@shows("PG207")
def not_assumable(bot: Bot, name: str) -> str:
    """Lambda may not assume the role."""
    arn = function(bot, name)
    trust(bot, name, {**BOUNDS, "Principal": {"Service": "ec2.amazonaws.com"}})
    return arn


@shows("PG208")
def assumable_by_all(bot: Bot, name: str) -> str:
    """A partner may assume the role, too."""
    arn = function(bot, name)
    trust(bot, name, BOUNDS, {**BOUNDS, "Principal": {"AWS": PARTNER}})
    return arn


@shows("PG209")
def shared(bot: Bot, name: str) -> str:
    """Two functions have the same role."""
    role = bot.engineer.role(f"{name}-role")
    arn = bot.engineer.function(name, role)
    bot.engineer.function(f"{name}-other", role)
    return arn


@shows("PG210")
def an_administrator(bot: Bot, name: str) -> str:
    """The role may do everything."""
    arn = function(bot, name)
    bot.engineer.attach(f"{name}-role", "arn:aws:iam::aws:policy/AdministratorAccess")
    return arn


@shows("PG211")
def no_insights(bot: Bot, name: str) -> str:
    """The function has the layer of Lambda Insights, and its role may write to the log group of the function only."""
    own = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{name}:*"
    logs = bot.engineer.policy(name, {"Effect": "Allow", "Action": "logs:*", "Resource": own})
    role = bot.engineer.role(f"{name}-role", logs, writes_logs=False)
    layer = f"arn:aws:lambda:{REGION}:580247275435:layer:LambdaInsightsExtension:53"
    return bot.engineer.function(name, role, Layers=[layer])


@shows("PG213")
def a_denied_mapping(bot: Bot, name: str) -> str:
    """AWS denied an event source mapping."""
    arn = function(bot, name)
    with pytest.raises(bot.engineer.functions.exceptions.InvalidParameterValueException):
        bot.engineer.mapping(name, bot.engineer.queue(name))
    return arn


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


@pytest.fixture(scope="module")
def prepared(bot: Bot) -> dict[str, str]:
    """Prepare all situations, and return the ARN of the function of each."""
    found = {rule_id: prepare(bot, f"remedy-{rule_id.lower()}") for rule_id, prepare in _PREPARED.items()}
    bot.wait_for_checks()
    reply = bot.engineer.functions.invoke(FunctionName=bot.outputs["SweepAccountFunctionName"])
    assert "FunctionError" not in reply, reply["Payload"].read()
    bot.wait_for_delivery()
    for queue in ("ExecutionRoleQueue", "InvokePolicyQueue", "SweepExecutionRoleQueue", "SweepInvokePolicyQueue"):
        bot.wait_until_empty(queue, deadline=120.0)
    return found


@pytest.fixture(scope="module")
def shell(bot: Bot, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """Return what pastes a text into bash, in an empty folder and in another default region."""
    folder = tmp_path_factory.mktemp("shell")
    programs: Path = folder / "bin"
    programs.mkdir()
    (programs / "sleep").write_text("#!/bin/sh\n")
    (programs / "sleep").chmod(0o755)
    path = os.pathsep.join([str(programs), str(REPOSITORY / ".venv" / "bin"), os.environ["PATH"]])
    environment = {**bot.aws.env(), "PATH": path, "AWS_DEFAULT_REGION": "eu-north-1", "AWS_REGION": "eu-north-1"}

    def paste(text: str) -> None:
        done = subprocess.run(
            ["bash", "-c", text], env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"

    return paste


def is_open(finding: dict[str, Any]) -> bool:
    """Return whether a finding is open."""
    return bool(finding["status"] == "open")


def is_resolved(finding: dict[str, Any]) -> bool:
    """Return whether a finding is resolved."""
    return bool(finding["status"] == "resolved")


def test_there_is_a_situation_for_25_rules() -> None:
    """The others need what the sandbox does not have: a mapping or a function that AWS itself reports as denied."""
    assert len(_PREPARED) >= 25


@pytest.mark.parametrize("rule_id", _PREPARED)
def test_the_commands_of_a_finding_resolve_it_as_they_are_printed(
    bot: Bot, prepared: dict[str, str], shell: Callable[[str], None], rule_id: str
) -> None:
    """In another default region. Only what a person must decide is filled in."""
    arn = prepared[rule_id]
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/remedy-{rule_id.lower()}-role"
    about = role_arn if rule_id in OF_ROLE else arn
    finding = bot.watcher.finding(about, rule_id, is_open)
    before = {one["id"] for target in (arn, role_arn) for one in bot.watcher.findings(target)}
    for remedy in (Remedy(**one) for one in finding["remedies"] if one["kind"] == "aws-cli"):
        shell(remedy.text)
        if remedy.needs_decision:
            for text in decided(remedy)[:1]:
                shell(text)
    bot.watcher.finding(about, rule_id, is_resolved)
    bot.wait_for_delivery()
    for queue in ("ExecutionRoleQueue", "InvokePolicyQueue"):
        bot.wait_until_empty(queue)
    found = [one for target in (arn, role_arn) for one in bot.watcher.findings(target)]
    assert [one for one in found if is_open(one) and one["id"] not in before] == []
