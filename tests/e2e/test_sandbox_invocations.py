"""Buckets, topics and rules invoke a function only while its resource-based policy allows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import ACCOUNT, REGION, Sandbox, poll
from tests.e2e.answers import metric, rejection, stable_status
from tests.e2e.queues import Queue, service
from tests.e2e.triggers import INVOKE, Bucket, Rule, Target, Topic, Trigger, recorder

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER_ACCOUNT = "999999999999"
KINDS = [Bucket, Topic, Rule]


@pytest.fixture
def function(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> str:
    """Create a function with version 1 and the alias `live`, and return its name."""
    make_function(unique, Code={"ZipFile": recorder()})
    client = sandbox.client("lambda")
    version = client.publish_version(FunctionName=unique)["Version"]
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion=version)
    return unique


@pytest.fixture
def target(sandbox: Sandbox, function: str) -> Target:
    """Return the function without a qualifier. Nothing may invoke it."""
    return Target(sandbox, function)


def connected(kind: type[Trigger], sandbox: Sandbox, name: str, target: Target) -> Trigger:
    """Create a trigger of a function that it may not invoke."""
    trigger = kind(sandbox, name)
    trigger.connect(target.arn)
    return trigger


@pytest.mark.parametrize("qualifier", ["", "$LATEST", "1", "live"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_source_invokes_only_while_a_statement_allows_it(
    sandbox: Sandbox, function: str, unique: str, kind: type[Trigger], qualifier: str
) -> None:
    """A removed statement has its effect at the next delivery, and so has one that is added again."""
    trigger = kind(sandbox, unique)
    policy = target = Target(sandbox, function, qualifier)
    if qualifier == "$LATEST":  # has the policy of the function
        policy = Target(sandbox, function)
    policy.permit("own", trigger.permission())
    trigger.connect(target.arn)

    assert target.is_invoked_by(trigger)
    policy.forbid("own")
    assert not target.is_invoked_by(trigger)
    policy.permit("own", trigger.permission())
    assert target.is_invoked_by(trigger)
    assert metric(sandbox, "AWS/Lambda", "Invocations", FunctionName=function) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_without_a_source_allows_every_source_and_a_narrow_one_a_single_source(
    sandbox: Sandbox, target: Target, unique: str, kind: type[Trigger]
) -> None:
    """The statement of one bucket, topic or rule does not allow another."""
    one, other = (connected(kind, sandbox, f"{unique}-{name}", target) for name in ("one", "other"))

    target.permit("broad", {"Principal": one.service})
    assert [target.is_invoked_by(one), target.is_invoked_by(other)] == [True, True]

    target.permit("narrow", one.permission())
    target.forbid("broad")
    assert [target.is_invoked_by(one), target.is_invoked_by(other)] == [True, False]

    target.permit("other", other.permission())
    target.forbid("narrow")
    assert [target.is_invoked_by(one), target.is_invoked_by(other)] == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_the_statement_of_another_account_or_service_does_not_count(
    sandbox: Sandbox, target: Target, unique: str, kind: type[Trigger]
) -> None:
    """Neither the source of another account, nor another service with the right source."""
    trigger = connected(kind, sandbox, unique, target)
    elsewhere = {"SourceArn": trigger.arn.replace(ACCOUNT, OTHER_ACCOUNT), "SourceAccount": OTHER_ACCOUNT}
    target.permit("account", {"Principal": trigger.service, **elsewhere})
    target.permit("service", {**trigger.permission(), "Principal": "iot.amazonaws.com"})
    target.permit("user", {"Principal": ACCOUNT})

    assert not target.is_invoked_by(trigger)

    target.permit("wildcard", {**trigger.permission(), "SourceArn": f"{trigger.arn[:-3]}*"})
    assert target.is_invoked_by(trigger)


@pytest.mark.parametrize(("kind", "sends"), [(Bucket, True), (Topic, False), (Rule, False)])
def test_only_s3_sends_the_account_of_the_source(
    sandbox: Sandbox, target: Target, unique: str, kind: type[Trigger], *, sends: bool
) -> None:
    """The owner of a bucket meets a condition on `aws:SourceAccount`. No topic or rule does here."""
    trigger = connected(kind, sandbox, unique, target)
    target.permit("account", {"Principal": trigger.service, "SourceAccount": ACCOUNT})

    assert target.is_invoked_by(trigger) is sends


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_of_the_function_and_that_of_its_alias_are_two(
    sandbox: Sandbox, function: str, target: Target, unique: str, kind: type[Trigger]
) -> None:
    """A statement of the function does not allow a source to invoke the alias, nor the other way round."""
    alias = Target(sandbox, function, "live")
    to_function = connected(kind, sandbox, f"{unique}-function", target)
    to_alias = connected(kind, sandbox, f"{unique}-alias", alias)

    target.permit("broad", {"Principal": to_alias.service})
    assert [target.is_invoked_by(to_function), alias.is_invoked_by(to_alias)] == [True, False]
    target.forbid("broad")
    alias.permit("broad", {"Principal": to_alias.service})
    assert [target.is_invoked_by(to_function), alias.is_invoked_by(to_alias)] == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_policy_holds_at_once_and_its_deny_wins(
    sandbox: Sandbox, target: Target, unique: str, kind: type[Trigger]
) -> None:
    """PutResourcePolicy replaces what AddPermission wrote. An explicit deny wins over every allow."""
    one, other = (connected(kind, sandbox, f"{unique}-{name}", target) for name in ("one", "other"))
    allow = {"Effect": "Allow", "Principal": {"Service": one.service}, "Action": INVOKE, "Resource": target.arn}
    deny = {**allow, "Effect": "Deny", "Condition": {"ArnEquals": {"aws:SourceArn": other.arn}}}
    client = sandbox.client("lambda")

    for statements, expected in (([allow], [True, True]), ([allow, deny], [True, False]), ([deny], [False, False])):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        client.put_resource_policy(ResourceArn=target.arn, Policy=policy)
        assert [target.is_invoked_by(one), target.is_invoked_by(other)] == expected


def test_s3_rejects_a_notification_for_a_function_that_it_may_not_invoke(
    sandbox: Sandbox, target: Target, unique: str
) -> None:
    """The configuration of the bucket stays as it was. A caller can skip the validation, not the permission."""
    bucket, s3 = Bucket(sandbox, unique), sandbox.client("s3")
    expected = ("InvalidArgument", 400)
    text = f"Unable to validate the following destination configurations: {target.arn}"

    def put() -> tuple[str, str, int]:
        return rejection(bucket.connect, function_arn=target.arn, validated=True)

    assert put() == (expected[0], text, expected[1])
    target.permit("other", {"Principal": "s3.amazonaws.com", "SourceArn": f"{bucket.arn}-other"})
    assert put() == (expected[0], text, expected[1])
    lost = f"{target.arn}-lost"
    assert rejection(bucket.connect, function_arn=lost, validated=True)[0] == expected[0]
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket=unique)

    bucket.connect(target.arn, validated=False)
    assert not target.is_invoked_by(bucket)
    target.permit("own", bucket.permission())
    assert target.is_invoked_by(bucket)
    bucket.connect(target.arn, validated=True)


@pytest.mark.parametrize("permitted", [True, False])
def test_cloudformation_needs_the_permission_before_the_notification(
    sandbox: Sandbox, target: Target, unique: str, *, permitted: bool
) -> None:
    """A stack whose bucket may not invoke its function is rolled back."""
    bucket: dict[str, Any] = {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            "BucketName": unique,
            "NotificationConfiguration": {
                "LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": target.arn}]
            },
        },
    }
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": target.arn,
            "Action": INVOKE,
            "Principal": Bucket.service,
            "SourceArn": f"arn:aws:s3:::{unique}",
            "SourceAccount": ACCOUNT,
        },
    }
    resources = {"Bucket": {**bucket, "DependsOn": "Permission"}, "Permission": permission}
    template = json.dumps({"Resources": resources if permitted else {"Bucket": bucket}})
    sandbox.client("cloudformation").create_stack(StackName=unique, TemplateBody=template)

    assert stable_status(sandbox, unique) == ("CREATE_COMPLETE" if permitted else "ROLLBACK_COMPLETE")


def test_sns_counts_the_messages_that_a_function_did_not_allow(sandbox: Sandbox, target: Target, unique: str) -> None:
    """`NumberOfNotificationsFailed` of the topic rises with each, and only then."""
    topic, other = (connected(Topic, sandbox, f"{unique}-{name}", target) for name in ("one", "other"))

    def counted(outcome: str) -> list[float]:
        names = (topic.name, other.name)
        return [metric(sandbox, "AWS/SNS", f"NumberOfNotifications{outcome}", TopicName=name) for name in names]

    target.permit("own", topic.permission())
    assert target.is_invoked_by(topic)
    assert [counted("Delivered"), counted("Failed")] == [[1, 0], [0, 0]]
    target.forbid("own")
    assert [target.is_invoked_by(topic), target.is_invoked_by(topic)] == [False, False]
    assert [counted("Delivered"), counted("Failed")] == [[1, 0], [2, 0]]


def test_eventbridge_counts_the_failed_invocations_and_sends_them_to_the_dead_letter_queue(
    sandbox: Sandbox, target: Target, dead_letters: Queue, unique: str
) -> None:
    """`FailedInvocations` of the rule rises with each, and the target's dead-letter queue gets the event."""
    rule = Rule(sandbox, unique)
    rule.connect(target.arn, DeadLetterConfig={"Arn": dead_letters.arn})
    dead_letters.set_policy(service("events", dead_letters.name, rule.arn))

    assert not target.is_invoked_by(rule)
    (letter,) = dead_letters.messages()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert json.loads(letter["Body"])["source"] == rule.name
    assert (attributes["ERROR_CODE"], attributes["TARGET_ARN"]) == ("NO_PERMISSIONS", target.arn)
    assert metric(sandbox, "AWS/Events", "FailedInvocations", RuleName=rule.name) == 1

    target.permit("own", rule.permission())
    assert target.is_invoked_by(rule)
    assert dead_letters.bodies() == []
    assert metric(sandbox, "AWS/Events", "FailedInvocations", RuleName=rule.name) == 1
    assert metric(sandbox, "AWS/Events", "Invocations", RuleName=rule.name) == 2

    sandbox.client("lambda").delete_function(FunctionName=unique)
    assert not target.is_invoked_by(rule)
    (letter,) = dead_letters.messages()
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def test_a_rule_on_a_bus_invokes_by_its_own_arn(sandbox: Sandbox, target: Target, unique: str) -> None:
    """The ARN of a rule on a bus has the name of the bus; the rule of the same name on the default bus is another."""
    events = sandbox.client("events")
    events.create_event_bus(Name=unique)

    class RuleOnBus(Rule):
        def _make(self) -> str:
            pattern = json.dumps({"source": [self.name]})
            return str(events.put_rule(Name=self.name, EventBusName=unique, EventPattern=pattern)["RuleArn"])

        def connect(self, function_arn: str, **_: Any) -> None:
            events.put_targets(Rule=self.name, EventBusName=unique, Targets=[{"Id": "1", "Arn": function_arn}])

        def fire(self, mark: str) -> None:
            event = {"Source": self.name, "DetailType": "test", "Detail": json.dumps(mark), "EventBusName": unique}
            events.put_events(Entries=[{**event, "Detail": json.dumps({"mark": mark})}])

    rule = RuleOnBus(sandbox, "rule")
    rule.connect(target.arn)
    assert rule.arn == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{unique}/rule"

    target.permit("default", {**rule.permission(), "SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/rule"})
    assert not target.is_invoked_by(rule)
    assert metric(sandbox, "AWS/Events", "FailedInvocations", RuleName="rule", EventBusName=unique) == 1
    target.permit("own", rule.permission())
    assert target.is_invoked_by(rule)


def test_a_target_with_a_role_is_invoked_as_the_role(
    sandbox: Sandbox, target: Target, make_role: Callable[..., str], unique: str
) -> None:
    """The role's policies decide, not those of the function."""
    able = make_role(f"{unique}-able", {"Effect": "Allow", "Action": INVOKE, "Resource": target.arn})
    rule = Rule(sandbox, unique)
    rule.connect(target.arn, RoleArn=make_role(f"{unique}-unable"))
    target.permit("own", rule.permission())
    assert not target.is_invoked_by(rule)

    target.forbid("own")
    rule.connect(target.arn, RoleArn=able)
    assert target.is_invoked_by(rule)


def test_a_schedule_invokes_as_its_role(
    sandbox: Sandbox, target: Target, make_role: Callable[..., str], unique: str
) -> None:
    """A schedule needs no statement, and a role that may invoke the function."""
    able = make_role(f"{unique}-able", {"Effect": "Allow", "Action": INVOKE, "Resource": target.arn})
    roles = {"able": able, "unable": make_role(f"{unique}-unable")}

    class Schedule(Trigger):
        service = "scheduler.amazonaws.com"

        def _make(self) -> str:
            return f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{self.name}"

        def connect(self, function_arn: str) -> None:
            raise NotImplementedError

        def disconnect(self) -> None:
            raise NotImplementedError

        def fire(self, mark: str) -> None:
            due = (datetime.now(UTC) - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%S")
            role = roles[self.name.rpartition("-")[2]]
            self.sandbox.client("scheduler").create_schedule(
                Name=self.name,
                ScheduleExpression=f"at({due})",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": target.arn, "RoleArn": role, "Input": json.dumps({"mark": mark})},
            )

    assert target.is_invoked_by(Schedule(sandbox, f"{unique}-able"))
    assert not target.is_invoked_by(Schedule(sandbox, f"{unique}-unable"))


def test_a_direct_invocation_is_not_asked_about(sandbox: Sandbox, target: Target) -> None:
    """The account's own callers need no statement, and a refusal is logged only for a service."""
    invoked = sandbox.client("lambda").invoke(FunctionName=target.arn, InvocationType="Event", Payload=b'"direct"')
    assert invoked["StatusCode"] == 202
    logs, group = sandbox.client("logs"), f"/aws/lambda/{target.arn.rpartition(':')[2]}"

    def logged() -> bool:
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return bool(groups) and any(
            "direct" in event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]
        )

    assert poll(logged, deadline=20, what="log of the invocation")
    assert [one for one in sandbox.refusals() if one["function"] == target.arn] == []
