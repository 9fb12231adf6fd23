"""Each rule on who may invoke: real calls against the deployed stack open and resolve its finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.bot import Bot

OTHER_ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


@pytest.fixture
def arn(bot: Bot, unique: str) -> str:
    """A function that the bot has checked."""
    made = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.watcher.checked(made, "invoke_policy")
    return made


def is_open(finding: dict[str, Any]) -> bool:
    """Return whether a finding is open."""
    return bool(finding["status"] == "open")


def is_resolved(finding: dict[str, Any]) -> bool:
    """Return whether a finding is resolved."""
    return bool(finding["status"] == "resolved")


def sweep(bot: Bot) -> None:
    """Run the sweep, as the schedule does, after the checks that events have caused."""
    bot.wait_for_checks()
    reply = bot.aws.client("lambda").invoke(FunctionName=bot.outputs["SweepAccountFunctionName"])
    assert "FunctionError" not in reply


# The parameters of AddPermission that violate each rule, without the function's name and the Sid.
OPENERS: dict[str, dict[str, str]] = {
    "PG101": {"Action": "lambda:InvokeFunction", "Principal": "*"},
    "PG102": {"Action": "lambda:InvokeFunction", "Principal": "elasticloadbalancing.amazonaws.com"},
    "PG103": {
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::somebody-s-bucket",
    },
    "PG105": {"Action": "lambda:InvokeFunction", "Principal": "sqs.amazonaws.com"},
    "PG106": {"Action": "lambda:InvokeFunction", "Principal": OTHER_ACCOUNT},
    "PG107": {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
    "PG108": {"Action": "lambda:InvokeFunction", "Principal": "alexa-appkit.amazon.com"},
    "PG109": {"Action": "lambda:*", "Principal": OTHER_ACCOUNT},
    "PG111": {
        "Action": "lambda:InvokeFunction",
        "Principal": f"pinpoint.{REGION}.amazonaws.com",
        "SourceArn": f"arn:aws:mobiletargeting:{REGION}:{ACCOUNT}:apps/a",
    },
}


@pytest.mark.parametrize("rule_id", OPENERS)
def test_a_statement_opens_a_finding_and_its_removal_resolves_it(bot: Bot, arn: str, unique: str, rule_id: str) -> None:
    """Both with one alert each."""
    client = bot.engineer.functions
    client.add_permission(FunctionName=unique, StatementId="wrong", **OPENERS[rule_id])
    finding = bot.watcher.finding(arn, rule_id, is_open)
    assert finding["remedies"]
    bot.watcher.alert(finding["id"], "Finding Opened")
    client.remove_permission(FunctionName=unique, StatementId="wrong")
    resolved = bot.watcher.finding(arn, rule_id, is_resolved)
    assert resolved["id"] == finding["id"]
    bot.watcher.alert(finding["id"], "Finding Resolved")


def test_a_whole_policy_opens_a_finding_and_its_deletion_resolves_it(bot: Bot, arn: str, unique: str) -> None:
    """PG104: AddPermission accepts no ARN without an account, PutResourcePolicy accepts any condition."""
    statement = {
        "Sid": "anyone-s-topic",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:sns:{REGION}:*:{unique}"}},
    }
    client = bot.engineer.functions
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_resource_policy(ResourceArn=arn, Policy=document)
    finding = bot.watcher.finding(arn, "PG104", is_open)
    bot.watcher.alert(finding["id"], "Finding Opened")
    client.delete_resource_policy(ResourceArn=arn)
    bot.watcher.finding(arn, "PG104", is_resolved)
    bot.watcher.alert(finding["id"], "Finding Resolved")


def test_the_remedy_of_a_finding_resolves_it(bot: Bot, arn: str, unique: str) -> None:
    """It names the subscribed topic, and needs no change."""
    sns = bot.aws.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    sweep(bot)
    finding = bot.watcher.finding(arn, "PG102", lambda one: topic in one["remedies"][0]["text"])
    assert is_open(finding)
    bot.engineer.functions.add_permission(
        FunctionName=unique,
        StatementId="broad-scoped",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
        SourceAccount=ACCOUNT,
    )
    bot.engineer.forbid(unique, "broad")
    bot.watcher.finding(arn, "PG102", is_resolved)
    assert [one for one in bot.watcher.findings(arn) if is_open(one)] == []


def test_the_policy_of_an_alias_is_checked_as_well(bot: Bot, arn: str, unique: str) -> None:
    """PutResourcePolicy on an alias opens a finding, and a correct policy resolves it."""
    version = bot.engineer.functions.publish_version(FunctionName=unique)["Version"]
    bot.engineer.functions.create_alias(FunctionName=unique, Name="live", FunctionVersion=version)
    alias = f"{arn}:live"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "literal",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": alias,
                "Condition": {"StringEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"}},
            }
        ],
    }
    client = bot.engineer.functions
    client.put_resource_policy(ResourceArn=alias, Policy=json.dumps(document))
    finding = bot.watcher.finding(alias, "PG105", is_open)
    assert "literally" in finding["reason"]
    document["Statement"][0]["Condition"] = {  # type: ignore[index]
        "ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"}
    }
    client.put_resource_policy(ResourceArn=alias, Policy=json.dumps(document))
    bot.watcher.finding(alias, "PG105", is_resolved)


def test_a_url_without_authentication_and_its_remaining_statement_are_findings(bot: Bot, arn: str, unique: str) -> None:
    """The severity is high while the URL exists, and lower if only the statement remains."""
    client = bot.engineer.functions
    client.create_function_url_config(FunctionName=unique, AuthType="NONE")
    statement = {
        "Sid": "FunctionURLAllowPublicAccess",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"],
        "Resource": arn,
        "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
    finding = bot.watcher.finding(arn, "PG107", is_open)
    assert finding["severity"] == "high"
    assert "--auth-type AWS_IAM" in finding["remedies"][0]["text"]
    client.delete_function_url_config(FunctionName=unique)
    left = bot.watcher.finding(arn, "PG107", lambda one: one["severity"] == "medium")
    assert "left behind" in left["reason"]
    assert is_open(left)
    bot.engineer.forbid(unique, "FunctionURLAllowPublicAccess")
    bot.watcher.finding(arn, "PG107", is_resolved)


def test_a_rule_s_target_without_a_statement_is_found_by_the_sweep(bot: Bot, arn: str, unique: str) -> None:
    """PG112 names the rule, and the statement of its remedy resolves the finding."""
    events = bot.aws.client("events")
    events.create_event_bus(Name=unique)
    rule = events.put_rule(Name="paid", EventBusName=unique, EventPattern=json.dumps({"source": ["shop"]}))["RuleArn"]
    events.put_targets(Rule="paid", EventBusName=unique, Targets=[{"Id": "1", "Arn": arn}])
    sweep(bot)
    finding = bot.watcher.finding(arn, "PG112", is_open)
    assert finding["subject"] == f"trigger/events.amazonaws.com/{rule}"
    assert f"--source-arn {rule}" in finding["remedies"][0]["text"]
    bot.engineer.permit(unique, "paid", "events.amazonaws.com", SourceArn=rule)
    resolved = bot.watcher.finding(arn, "PG112", is_resolved)
    assert "no longer exists" not in resolved["resolution"]


def test_a_rule_s_target_with_a_role_needs_no_statement(bot: Bot, arn: str, unique: str) -> None:
    """EventBridge invokes with the role."""
    events = bot.aws.client("events")
    role = bot.engineer.role(f"{unique}-events")
    events.put_rule(Name=unique, EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule=unique, Targets=[{"Id": "1", "Arn": arn, "RoleArn": role}])
    bot.wait_for_checks()
    seen = bot.watcher.checked(arn, "invoke_policy")
    sweep(bot)
    bot.watcher.checked(arn, "invoke_policy", more_than=seen)
    assert bot.watcher.findings(arn) == []


def test_the_sweep_finds_a_deleted_bucket(bot: Bot, arn: str, unique: str) -> None:
    """PG103 and PG110: anyone can take its name."""
    bucket = bot.engineer.bucket(unique)
    bot.engineer.permit(unique, "uploads", "s3.amazonaws.com", SourceArn=bucket)
    sweep(bot)
    present = bot.watcher.finding(arn, "PG103", lambda one: one["severity"] == "medium")
    assert present["evidence"]["in_this_account"]
    bot.aws.client("s3").delete_bucket(Bucket=unique)
    sweep(bot)
    deleted = bot.watcher.finding(arn, "PG110", is_open)
    assert deleted["severity"] == "high"
    assert bot.watcher.finding(arn, "PG103", lambda one: one["severity"] == "high")
    bot.engineer.forbid(unique, "uploads")
    for rule_id in ("PG103", "PG110"):
        bot.watcher.finding(arn, rule_id, is_resolved)


def test_correct_statements_open_no_finding(bot: Bot, arn: str, unique: str) -> None:
    """Another tool flags each of these."""
    bucket = bot.engineer.bucket(unique)
    topic = bot.aws.client("sns").create_topic(Name=unique)["TopicArn"]
    rules = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"
    permit: Callable[..., None] = bot.engineer.permit
    permit(unique, "bucket", "s3.amazonaws.com", SourceArn=bucket, SourceAccount=ACCOUNT)
    permit(unique, "any-bucket", "s3.amazonaws.com", SourceAccount=ACCOUNT)
    permit(unique, "topic", "sns.amazonaws.com", SourceArn=topic)
    permit(unique, "rules", "events.amazonaws.com", SourceArn=rules)
    permit(unique, "skill", "alexa-appkit.amazon.com", EventSourceToken="amzn1.ask.skill.1")
    permit(unique, "own", ACCOUNT)
    bot.wait_for_checks()
    seen = bot.watcher.checked(arn, "invoke_policy")
    sweep(bot)
    bot.watcher.checked(arn, "invoke_policy", more_than=seen)
    assert bot.watcher.findings(arn) == []
