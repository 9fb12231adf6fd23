"""Nothing is lost: every hop has a queue, a dead-letter queue, and an alarm that people hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.ledger import LOCK_FOR
from tests.template.sam_template import Template, listed, referred

if TYPE_CHECKING:
    from collections.abc import Callable

FOURTEEN_DAYS = 1_209_600
"""Seconds; the longest that SQS keeps a message."""


def queues(template: Template) -> dict[str, Any]:
    """Return the queues that are worked off: those with a redrive policy."""
    return {name: queue for name, queue in template.of_type("AWS::SQS::Queue").items() if "RedrivePolicy" in queue}


def dead_letter_queues(template: Template) -> dict[str, Any]:
    """Return the other queues."""
    return {name: queue for name, queue in template.of_type("AWS::SQS::Queue").items() if "RedrivePolicy" not in queue}


def rules_with_target(template: Template, queue: str) -> list[str]:
    """Return the rules, and the schedule, that send to a queue, or to it as their dead-letter queue."""
    senders = [
        name
        for name, rule in template.of_type("AWS::Events::Rule").items()
        for target in rule["Targets"]
        if queue in (referred(target["Arn"]), referred(target["DeadLetterConfig"]["Arn"]))
    ]
    schedules = [
        f"{function}{name}"
        for function, properties in template.functions.items()
        for name, event in properties["Events"].items()
        if event["Type"] == "Schedule" and referred(event["Properties"]["DeadLetterConfig"]["Arn"]) == queue
    ]
    return sorted(senders + schedules)


def event_sources(template: Template, *types: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the event sources of some types, each with its function."""
    return [
        (function, event["Properties"])
        for function, properties in template.functions.items()
        for event in properties["Events"].values()
        if event["Type"] in types
    ]


def test_every_queue_gives_up_into_a_dead_letter_queue_of_its_own(template: Template) -> None:
    """After some tries, and not after one."""
    homes = []
    for name, queue in queues(template).items():
        dead_letter_queue = referred(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert dead_letter_queue in dead_letter_queues(template), name
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5, name
        homes.append(dead_letter_queue)
    assert len(homes) == len(set(homes)) == 5


def test_dead_letters_are_kept_as_long_as_sqs_keeps_anything(template: Template) -> None:
    """A message keeps its age when it moves, so it must be kept longer than in the queue it comes from."""
    for name, queue in dead_letter_queues(template).items():
        assert queue["MessageRetentionPeriod"] >= FOURTEEN_DAYS, name
    for name, queue in queues(template).items():
        assert queue["MessageRetentionPeriod"] < FOURTEEN_DAYS, name


def test_every_dead_letter_queue_has_an_alarm_that_goes_to_the_topic(template: Template) -> None:
    """At the first message, and again when it is empty."""
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    watched = []
    for name, alarm in alarms.items():
        if alarm["Namespace"] == "AWS/Lambda":
            continue
        (dimension,) = alarm["Dimensions"]
        assert dimension["Name"] == "QueueName"
        assert dimension["Value"] == {"Fn::GetAtt": [referred(dimension["Value"]), "QueueName"]}
        watched.append(referred(dimension["Value"]))
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlertTopic"}], name
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible"), name
        assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "GreaterThanOrEqualToThreshold"), name
        assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, 1, "notBreaching")
        assert "docs/operations.md" in alarm["AlarmDescription"], name
    assert sorted(watched) == sorted(dead_letter_queues(template))


def test_alarms_may_publish_to_the_topic_and_people_may_hear_them(template: Template) -> None:
    """Alarms of this account only."""
    policy = template.resources["AlertTopicPolicy"]["Properties"]
    (allow,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert policy["Topics"] == [{"Ref": "AlertTopic"}]
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    subscription = template.resources["AlertEmailSubscription"]["Properties"]
    assert subscription["TopicArn"] == {"Ref": "AlertTopic"}


def test_without_an_address_nobody_is_subscribed(deployed: Callable[..., Template]) -> None:
    """The topic is there for other subscriptions."""
    assert "AlertEmailSubscription" not in deployed().resources
    assert "AlertTopic" in deployed().resources


def test_a_message_stays_hidden_for_six_times_the_functions_timeout(template: Template) -> None:
    """Else a second invocation gets it while the first still works on it; six times is what Lambda asks for."""
    for function, source in event_sources(template, "SQS"):
        queue = template.resources[referred(source["Queue"])]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * template.functions[function]["Timeout"], function


@pytest.mark.parametrize("function", ["SendAlertFunction", "OpenTicketFunction"])
def test_a_delivery_is_locked_for_longer_than_its_sender_runs(template: Template, function: str) -> None:
    """Else a second sender takes the lock while the first is still sending."""
    assert template.functions[function]["Timeout"] < LOCK_FOR.total_seconds()


def test_one_bad_message_does_not_bring_back_the_others(template: Template) -> None:
    """Every poller reports which messages of a batch failed."""
    sources = event_sources(template, "SQS", "DynamoDB")
    assert len(sources) == 6
    for function, source in sources:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function


def test_a_burst_does_not_take_all_of_the_accounts_concurrency(template: Template) -> None:
    """A queue holds the burst; a few workers empty it."""
    for function, source in event_sources(template, "SQS"):
        assert 2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 10, function


def test_a_rule_fills_a_queue_and_never_calls_a_function(template: Template) -> None:
    """Direct invocations are lost in a burst; and what cannot be delivered goes to that queue's dead-letter queue."""
    rules = template.of_type("AWS::Events::Rule")
    assert len(rules) == 6
    for name, rule in rules.items():
        (target,) = rule["Targets"]
        queue = template.resources[referred(target["Arn"])]
        assert queue["Type"] == "AWS::SQS::Queue", name
        redrive = queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
        assert target["DeadLetterConfig"]["Arn"] == redrive, name
        assert "Input" not in target, name
        assert "InputTransformer" not in target, name


def test_every_queue_that_is_worked_off_is_filled_by_a_rule(template: Template) -> None:
    """And worked off by one function."""
    sources = [referred(source["Queue"]) for _, source in event_sources(template, "SQS")]
    assert sorted(sources) == sorted(queues(template))
    for queue in queues(template):
        assert rules_with_target(template, queue), queue


def test_functions_are_started_by_queues_the_stream_and_the_schedule_only(template: Template) -> None:
    """The schedule is the one that calls a function, twice a day: there is nothing to burst."""
    types = {name: {e["Type"] for e in function["Events"].values()} for name, function in template.functions.items()}
    assert types.pop("SweepAccountFunction") == {"Schedule"}
    assert types.pop("PublishFindingsFunction") == {"DynamoDB"}
    assert set().union(*types.values()) == {"SQS"}
    assert not template.of_type("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping")


def test_a_queue_takes_messages_from_its_own_rules_only(template: Template) -> None:
    """Exactly the rules that have it as their target, and over TLS."""
    policies = template.of_type("AWS::SQS::QueuePolicy")
    opened = set()
    for name, policy in policies.items():
        own = [referred(queue) for queue in policy["Queues"]]
        allow, deny = policy["PolicyDocument"]["Statement"]
        for queue in own:
            assert rules_with_target(template, queue) == sorted(
                referred(arn) for arn in listed(allow["Condition"]["ArnEquals"]["aws:SourceArn"])
            ), name
        assert allow["Condition"].keys() == {"ArnEquals"}, name
        assert (allow["Effect"], allow["Action"]) == ("Allow", "sqs:SendMessage"), name
        assert allow["Principal"] == {"Service": "events.amazonaws.com"}, name
        for statement in (allow, deny):
            assert [referred(arn) for arn in listed(statement["Resource"])] == own, name
        opened |= set(own)
    assert opened == {queue for queue in template.of_type("AWS::SQS::Queue") if rules_with_target(template, queue)}


def test_queues_refuse_what_does_not_come_over_tls(template: Template) -> None:
    """Every queue that has a policy at all; the others are sent to by this account's roles alone."""
    for name, policy in template.of_type("AWS::SQS::QueuePolicy").items():
        (deny,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert (deny["Principal"], deny["Action"]) == ("*", "sqs:*"), name
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}, name


def test_what_is_stored_is_encrypted(template: Template) -> None:
    """Queues and tables."""
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name
    for name, table in template.of_type("AWS::DynamoDB::Table").items():
        assert table["SSESpecification"] == {"SSEEnabled": True}, name
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}, name


def test_findings_outlive_the_stack(template: Template) -> None:
    """They hold what every fix changed, and how to take it back."""
    table = template.resources["FindingsTable"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_sweep_that_fails_is_kept(template: Template) -> None:
    """Whether the schedule could not start it or the function failed."""
    function = template.functions["SweepAccountFunction"]
    destination = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    schedule = function["Events"]["Schedule"]["Properties"]
    assert destination == {"Type": "SQS", "Destination": {"Fn::GetAtt": ["SweepDeadLetterQueue", "Arn"]}}
    assert schedule["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["SweepDeadLetterQueue", "Arn"]}}
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 2


def test_a_stream_record_that_cannot_be_published_is_tried_again_and_kept(template: Template) -> None:
    """It is tried until it leaves the stream, so that nothing goes untold; an alarm tells that it hangs."""
    ((_, stream),) = event_sources(template, "DynamoDB")
    assert stream["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["PublishDeadLetterQueue", "Arn"]},
    }
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] == -1
    delay = template.resources["PublishFindingsDelayedAlarm"]["Properties"]
    assert (delay["MetricName"], delay["Threshold"]) == ("IteratorAge", 300_000)
    assert delay["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "PublishFindingsFunction"}}]
    assert delay["AlarmActions"] == [{"Ref": "AlertTopic"}]
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert stream["Stream"] == {"Fn::GetAtt": ["FindingsTable", "StreamArn"]}
    table = template.resources["FindingsTable"]["Properties"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
