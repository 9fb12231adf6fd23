"""No event is lost: every hop has a queue, a dead-letter queue and an alarm with a notification."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bootstrap.sweep import FIXED
from permission_guard.delivery.alerts.base import ALERTED
from permission_guard.delivery.ledger import LOCK_FOR
from permission_guard.sweep.sweep import CONTINUE
from tests.paths import REPOSITORY
from tests.template.sam_template import EVERYTHING, Template, listed, referred

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE = REPOSITORY / "template.yaml"
TOPICS = [{"Ref": "AlertTopic"}, {"Ref": "AlarmTopic"}]
USE_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
FOURTEEN_DAYS = 1_209_600
"""Seconds; the longest that SQS keeps a message."""


def queues(template: Template) -> dict[str, Any]:
    """Return the queues with consumers: those with a redrive policy."""
    return {name: queue for name, queue in template.of_type("AWS::SQS::Queue").items() if "RedrivePolicy" in queue}


def dead_letter_queues(template: Template) -> dict[str, Any]:
    """Return the other queues."""
    return {name: queue for name, queue in template.of_type("AWS::SQS::Queue").items() if "RedrivePolicy" not in queue}


def rules_with_target(template: Template, queue: str) -> list[str]:
    """Return the rules and the schedules that have a queue as target or dead-letter queue."""
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
    """Return the event sources of these types, each with its function."""
    return [
        (function, event["Properties"])
        for function, properties in template.functions.items()
        for event in properties["Events"].values()
        if event["Type"] in types
    ]


def test_every_queue_has_its_own_dead_letter_queue(template: Template) -> None:
    """A message gets several attempts."""
    homes = []
    for name, queue in queues(template).items():
        dead_letter_queue = referred(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert dead_letter_queue in dead_letter_queues(template), name
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5, name
        homes.append(dead_letter_queue)
    assert len(homes) == len(set(homes)) == 7


def test_dead_letters_are_kept_for_the_longest_retention_of_sqs(template: Template) -> None:
    """A moved message keeps its age, so the retention must be longer than in its first queue."""
    for name, queue in dead_letter_queues(template).items():
        assert queue["MessageRetentionPeriod"] >= FOURTEEN_DAYS, name
    for name, queue in queues(template).items():
        assert queue["MessageRetentionPeriod"] < FOURTEEN_DAYS, name


def test_every_dead_letter_queue_has_an_alarm_that_goes_to_the_topic(template: Template) -> None:
    """It notifies at the first message and when the queue is empty again."""
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    watched = []
    for name, alarm in alarms.items():
        if "Metrics" in alarm or alarm["Namespace"] == "AWS/Lambda":
            continue
        (dimension,) = alarm["Dimensions"]
        assert dimension["Name"] == "QueueName"
        assert dimension["Value"] == {"Fn::GetAtt": [referred(dimension["Value"]), "QueueName"]}
        watched.append(referred(dimension["Value"]))
        assert alarm["AlarmActions"] == alarm["OKActions"] == TOPICS, name
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible"), name
        assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "GreaterThanOrEqualToThreshold"), name
        assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, 1, "notBreaching")
        assert "docs/operations.md" in alarm["AlarmDescription"], name
    assert sorted(watched) == sorted(dead_letter_queues(template))


def test_alarms_may_publish_to_the_topic_and_the_address_is_subscribed(template: Template) -> None:
    """Only alarms of this account may publish."""
    for topic in ("AlertTopic", "AlarmTopic"):
        policy = template.resources[f"{topic}Policy"]["Properties"]
        (allow,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        assert policy["Topics"] == [{"Ref": topic}]
        assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        assert {referred(s["Resource"]) for s in policy["PolicyDocument"]["Statement"]} == {topic}
        subscription = template.resources[topic.replace("Topic", "EmailSubscription")]["Properties"]
        assert subscription["TopicArn"] == {"Ref": topic}
        assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", {"Ref": "AlertEmail"})


def test_nobody_publishes_alerts_but_the_sender_and_services(template: Template, iam_events_stack: Template) -> None:
    """A forged alert would have people paste its commands."""
    policies: tuple[tuple[Template, str, list[str]], ...] = (
        (template, "AlertTopicPolicy", ["SendAlertRole"]),
        (template, "AlarmTopicPolicy", []),
        (iam_events_stack, "AlertTopicPolicy", []),
    )
    for stack, name, senders in policies:
        statements = stack.resources[name]["Properties"]["PolicyDocument"]["Statement"]
        (deny,) = [one for one in statements if one["Sid"] == "OthersMayNotPublish"]
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
        assert deny["Condition"].pop("BoolIfExists") == {"aws:PrincipalIsAWSService": "false"}
        exempt = deny["Condition"].get("ArnNotEquals", {}).get("aws:PrincipalArn")
        assert [referred(arn) for arn in listed(exempt) if arn] == senders
        assert deny["Condition"].keys() <= {"ArnNotEquals"}


def test_without_an_address_the_topic_has_no_subscription(deployed: Callable[..., Template]) -> None:
    """The topic still exists for other subscriptions."""
    assert not deployed().of_type("AWS::SNS::Subscription")
    assert deployed().of_type("AWS::SNS::Topic").keys() == {"AlertTopic", "AlarmTopic"}


def test_a_message_stays_hidden_for_six_times_the_functions_timeout(template: Template) -> None:
    """Otherwise a second invocation could receive it too early. AWS recommends six times the timeout."""
    for function, source in event_sources(template, "SQS"):
        queue = template.resources[referred(source["Queue"])]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * template.functions[function]["Timeout"], function


@pytest.mark.parametrize("function", ["SendAlertFunction", "OpenTicketFunction"])
def test_a_delivery_is_locked_for_longer_than_its_sender_runs(template: Template, function: str) -> None:
    """Otherwise a second sender takes the lock while the first is still sending."""
    assert template.functions[function]["Timeout"] < LOCK_FOR.total_seconds()


def test_one_failed_message_does_not_retry_the_others(template: Template) -> None:
    """Every event source reports the failed messages of a batch."""
    sources = event_sources(template, "SQS", "DynamoDB")
    assert len(sources) == 8
    for function, source in sources:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function


def test_a_burst_does_not_use_all_of_the_accounts_concurrency(template: Template) -> None:
    """The queue buffers the burst for a few concurrent invocations."""
    for function, source in event_sources(template, "SQS"):
        assert 2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 10, function


def test_a_rule_sends_to_a_queue_and_never_invokes_a_function(template: Template) -> None:
    """Direct invocations are lost in a burst. Undeliverable events go to the queue's dead-letter queue."""
    rules = template.of_type("AWS::Events::Rule")
    assert len(rules) == 7
    for name, rule in rules.items():
        (target,) = rule["Targets"]
        queue = template.resources[referred(target["Arn"])]
        assert queue["Type"] == "AWS::SQS::Queue", name
        redrive = queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
        assert target["DeadLetterConfig"]["Arn"] == redrive, name
        assert "Input" not in target, name
        assert "InputTransformer" not in target, name


def queues_of_the_sweep(template: Template) -> set[str]:
    """Return the queues to which the sweep sends its requests."""
    variables = template.functions["SweepAccountFunction"]["Environment"]["Variables"]
    return {referred(variables[name]) for name in ("INVOKE_POLICY_QUEUE_URL", "EXECUTION_ROLE_QUEUE_URL")}


@pytest.mark.parametrize(
    ("parameters", "enabled"),
    [
        ({}, {"ALERT_QUEUE_URL": "AlertQueue"}),
        ({"TicketSystem": "opsitem"}, {"ALERT_QUEUE_URL": "AlertQueue", "TICKET_QUEUE_URL": "TicketQueue"}),
        ({"ImportToSecurityHub": "true"}, {"ALERT_QUEUE_URL": "AlertQueue", "TICKET_QUEUE_URL": "TicketQueue"}),
        ({"FixMode": "plan"}, {"ALERT_QUEUE_URL": "AlertQueue", "FIX_QUEUE_URL": "FixQueue"}),
    ],
)
def test_the_sweep_hands_findings_only_to_what_is_enabled(
    deployed: Callable[..., Template], parameters: dict[str, str], enabled: dict[str, str]
) -> None:
    """Each message to another function would cost an invocation for nothing."""
    variables = deployed(**parameters).functions["SweepAccountFunction"]["Environment"]["Variables"]
    named = {name: variables[name] for name in ("ALERT_QUEUE_URL", "TICKET_QUEUE_URL", "FIX_QUEUE_URL")}
    assert {name: referred(value) for name, value in named.items() if value} == enabled


@pytest.mark.parametrize(
    ("rule", "transitions"), [("AlertEvents", ALERTED), ("TicketEvents", ALERTED), ("FixEvents", FIXED)]
)
def test_the_sweep_hands_over_the_transitions_that_the_rules_deliver(
    template: Template, rule: str, transitions: frozenset[str]
) -> None:
    """A receiver gets from the sweep what it would have got from the bus."""
    assert set(template.of_type("AWS::Events::Rule")[rule]["EventPattern"]["detail-type"]) == transitions


def test_every_queue_has_a_sender_and_one_consumer(template: Template) -> None:
    """A queue without either would be useless. The sender is a rule or the sweep."""
    sources = [referred(source["Queue"]) for _, source in event_sources(template, "SQS")]
    assert sorted(sources) == sorted(queues(template))
    with_rules = {queue for queue in queues(template) if rules_with_target(template, queue)}
    assert with_rules | queues_of_the_sweep(template) == queues(template).keys()
    assert len(queues_of_the_sweep(template)) == 2


def test_changes_never_wait_behind_a_sweep(template: Template) -> None:
    """The sweep's requests have queues of their own, with no more concurrency than the changes, at SQS's minimum."""
    for kind in ("InvokePolicy", "ExecutionRole"):
        events = template.functions[f"Check{kind}Function"]["Events"]
        changes, sweep = events[kind]["Properties"], events["Sweep"]["Properties"]
        assert (referred(changes["Queue"]), referred(sweep["Queue"])) == (f"{kind}Queue", f"Sweep{kind}Queue")
        assert sweep["ScalingConfig"]["MaximumConcurrency"] == 2 <= changes["ScalingConfig"]["MaximumConcurrency"]
        variables = template.functions[f"Check{kind}Function"]["Environment"]["Variables"]
        assert referred(variables["CHECK_QUEUE_URL"]) == f"{kind}Queue"
    assert not any(rules_with_target(template, queue) for queue in queues_of_the_sweep(template))


def test_functions_are_invoked_only_by_queues_the_stream_and_the_schedules(template: Template) -> None:
    """The schedules invoke their function directly: an event every ten minutes is no burst."""
    types = {name: {e["Type"] for e in function["Events"].values()} for name, function in template.functions.items()}
    assert types.pop("DecideFixFunction") == types.pop("ManageFindingsFunction") == set()  # people invoke them
    assert types.pop("ValidateConfigFunction") == set()  # AppConfig invokes it
    assert types.pop("SweepAccountFunction") == {"Schedule"}
    assert types.pop("MaintainFindingsFunction") == {"ScheduleV2"}
    assert types.pop("PublishFindingsFunction") == {"DynamoDB"}
    assert set().union(*types.values()) == {"SQS"}
    permissions = template.of_type("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping")
    assert permissions.keys() == {"ValidateConfigPermission"}


def test_a_queue_accepts_messages_only_from_its_own_rules(template: Template) -> None:
    """The policy names exactly the rules that have it as target."""
    policies = template.of_type("AWS::SQS::QueuePolicy")
    opened = set()
    for name, policy in policies.items():
        own = [referred(queue) for queue in policy["Queues"]]
        allows = [statement for statement in policy["PolicyDocument"]["Statement"] if statement["Effect"] == "Allow"]
        for statement in policy["PolicyDocument"]["Statement"]:
            assert [referred(arn) for arn in listed(statement["Resource"])] == own, name
        if not any(rules_with_target(template, queue) for queue in own):
            assert allows == [], name
            continue
        (allow,) = allows
        for queue in own:
            assert rules_with_target(template, queue) == sorted(
                referred(arn) for arn in listed(allow["Condition"]["ArnEquals"]["aws:SourceArn"])
            ), name
        assert allow["Condition"].keys() == {"ArnEquals"}, name
        assert allow["Action"] == "sqs:SendMessage", name
        assert allow["Principal"] == {"Service": "events.amazonaws.com"}, name
        opened |= set(own)
    assert opened == {queue for queue in template.of_type("AWS::SQS::Queue") if rules_with_target(template, queue)}


@pytest.mark.parametrize(
    ("system", "imports", "rules"),
    [
        ("opsitem", "false", ["TicketEvents"]),
        ("opsitem", "true", ["SecurityHubEvents", "TicketEvents"]),
        ("none", "true", ["SecurityHubEvents", "TicketEvents"]),
        ("securityhub", "false", ["SecurityHubEvents", "TicketEvents"]),
        ("securityhub", "true", ["SecurityHubEvents", "TicketEvents"]),
    ],
)
def test_with_security_hub_its_rule_may_send_to_the_ticket_queue(
    deployed: Callable[..., Template], system: str, imports: str, rules: list[str]
) -> None:
    """Without Security Hub there is no such rule, and the policy names none."""
    stack = deployed(**EVERYTHING | {"TicketSystem": system, "ImportToSecurityHub": imports})
    test_a_queue_accepts_messages_only_from_its_own_rules(stack)
    assert rules_with_target(stack, "TicketQueue") == rules


def denies(template: Template, sid: str) -> dict[str, dict[str, Any]]:
    """Return the Deny statement with a Sid of each queue, by the queue's logical id."""
    return {
        referred(queue): statement
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        for queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Sid"]) == ("Deny", sid)
    }


def senders(template: Template) -> dict[str, list[str]]:
    """Return the roles of the stack that send to each queue, by the queue's logical id."""
    sent: dict[str, list[str]] = {queue: [] for queue in template.of_type("AWS::SQS::Queue")}
    for role in template.of_type("AWS::IAM::Role"):
        for statement in template.statements(role):
            if "sqs:SendMessage" in listed(statement["Action"]):
                for queue in listed(statement["Resource"]):
                    sent[referred(queue)].append(role)
    return sent


def exempted(statement: dict[str, Any]) -> list[str]:
    """Return the roles that a Deny statement exempts, by logical id, and the parameter of operators."""
    named = statement["Condition"].get("ArnNotLike", {}).get("aws:PrincipalArn", [])
    if isinstance(named, dict) and "Fn::Split" in named:
        named = [*named["Fn::Split"][1]["Fn::Join"][1][:-1], named["Fn::Split"][1]["Fn::Join"][1][-1]["Fn::Join"][1]]
    return [referred(one) for one in listed(named)]


def test_nobody_sends_to_a_queue_but_services_the_stacks_own_senders_and_operators(
    template: Template, deployed: Callable[..., Template]
) -> None:
    """A forged record is reported as a real finding, and a forged event starts a fix."""
    for stack, operators in ((template, ["OperatorRoleArns"]), (deployed(), [])):
        denied = denies(stack, "OthersMayNotSend")
        assert sorted(denied) == sorted(stack.of_type("AWS::SQS::Queue"))
        for queue, statement in denied.items():
            # Nothing else is denied: the owner purges, redrives and deletes.
            assert (statement["Principal"], statement["Action"]) == ("*", "sqs:SendMessage"), queue
            assert statement["Condition"]["BoolIfExists"] == {"aws:PrincipalIsAWSService": "false"}, queue
            assert statement["Condition"].keys() <= {"BoolIfExists", "ArnNotLike"}, queue
            together = [referred(arn) for arn in listed(statement["Resource"])]
            own = {role for one in together for role in senders(stack)[one]}
            assert sorted(exempted(statement)) == sorted([*own, *operators]), queue


def test_no_other_queue_moves_its_dead_letters_here(template: Template, iam_events_stack: Template) -> None:
    """SQS moves them without asking a queue policy. Dead-letter queues must accept those of their own queues."""
    for stack in (template, iam_events_stack):
        homes = {referred(queue["RedrivePolicy"]["deadLetterTargetArn"]) for queue in queues(stack).values()}
        for name, queue in stack.of_type("AWS::SQS::Queue").items():
            expected = None if name in homes else {"redrivePermission": "denyAll"}
            assert queue.get("RedriveAllowPolicy") == expected, name


def test_every_queue_denies_requests_without_tls(template: Template) -> None:
    """Dead-letter queues too, since they have the same messages."""
    denied = denies(template, "OnlyOverTls")
    assert sorted(denied) == sorted(template.of_type("AWS::SQS::Queue"))
    for queue, statement in denied.items():
        assert (statement["Principal"], statement["Action"]) == ("*", "sqs:*"), queue
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}, queue


def test_only_the_role_that_publishes_may_put_events_on_the_bus(template: Template) -> None:
    """Nothing else is denied: the owner keeps rules, policy and deletion."""
    (policy,) = template.of_type("AWS::Events::EventBusPolicy").values()
    statement = policy["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "events:PutEvents")
    assert referred(statement["Resource"]) == referred(policy["EventBusName"]) == "FindingsBus"
    publishers = [role for role in template.of_type("AWS::IAM::Role") if "events:PutEvents" in template.allowed(role)]
    exempt = referred(statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"])
    assert [exempt] == publishers == ["PublishFindingsRole"]
    assert statement["Condition"].keys() == {"ArnNotEquals"}


def test_queues_tables_and_the_topics_are_encrypted(
    template: Template, iam_events_stack: Template, deployed: Callable[..., Template]
) -> None:
    """With keys of AWS, or with the customer's key. `alias/aws/sns` would stop every alarm."""
    key = {"Ref": "KmsKeyArn"}
    default = deployed()
    for name, queue in default.of_type("AWS::SQS::Queue").items():
        assert (queue["SqsManagedSseEnabled"], "KmsMasterKeyId" in queue) == (True, False), name
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        assert (queue["KmsMasterKeyId"], "SqsManagedSseEnabled" in queue) == (key, False), name
    for name, table in default.of_type("AWS::DynamoDB::Table").items():
        assert table["SSESpecification"] == {"SSEEnabled": True}, name
    for name, table in template.of_type("AWS::DynamoDB::Table").items():
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}, name
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}, name
    for stack in (default, iam_events_stack):
        assert not any("KmsMasterKeyId" in topic for topic in stack.of_type("AWS::SNS::Topic").values())
    for name, topic in template.of_type("AWS::SNS::Topic").items():
        assert topic["KmsMasterKeyId"] == key, name
    assert not re.search(r"(?<!Never )alias/aws/sns(?! does not work)", TEMPLATE.read_text())


def test_the_roles_may_use_the_customers_key_and_no_other(
    template: Template, deployed: Callable[..., Template]
) -> None:
    """SQS, SNS and DynamoDB use it on behalf of the functions."""
    for role in template.of_type("AWS::IAM::Role").keys() - {"ValidateConfigRole", "ConfigurationMonitorRole"}:
        (statement,) = [one for one in template.statements(role) if one["Sid"] == "UseTheKey"]
        assert (statement["Action"], statement["Resource"]) == (list(USE_KEY), {"Ref": "KmsKeyArn"}), role
        assert not any(one["Sid"] == "UseTheKey" for one in deployed().statements(role)), role


def test_findings_outlive_the_stack(template: Template) -> None:
    """They record what every fix changed and how to undo it."""
    for name in ("FindingsTable", "DecisionsTable"):
        table = template.resources[name]
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), name


@pytest.mark.parametrize(
    ("name", "queue"),
    [("SweepAccountFunction", "SweepDeadLetterQueue"), ("MaintainFindingsFunction", "MaintenanceDeadLetterQueue")],
)
def test_a_failed_run_of_a_schedule_is_kept(template: Template, name: str, queue: str) -> None:
    """A schedule may fail to invoke the function, or the function may fail."""
    function = template.functions[name]
    destination = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert destination == {"Type": "SQS", "Destination": {"Fn::GetAtt": [queue, "Arn"]}}
    for event in function["Events"].values():
        assert event["Properties"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 2


def test_maintenance_runs_every_ten_minutes(template: Template) -> None:
    """Within that time an expired exception opens its findings again."""
    function = template.functions["MaintainFindingsFunction"]
    assert function["Timeout"] == 900
    (schedule,) = (event["Properties"] for event in function["Events"].values())
    assert schedule["ScheduleExpression"] == "rate(10 minutes)"
    assert schedule["RoleArn"] == {"Fn::GetAtt": ["MaintenanceScheduleRole", "Arn"]}


def test_a_sweep_has_the_longest_timeout_and_is_continued_within_15_minutes(template: Template) -> None:
    """One schedule starts a sweep, the other one only continues it."""
    function = template.functions["SweepAccountFunction"]
    assert function["Timeout"] == 900
    start, proceed = (function["Events"][name]["Properties"] for name in ("Schedule", "Continue"))
    assert (start["Schedule"], proceed["Schedule"]) == ("rate(12 hours)", "rate(15 minutes)")
    assert "Input" not in start
    assert json.loads(proceed["Input"]) == CONTINUE
    sample = REPOSITORY / "events" / "schedule" / "continue_sweep.json"
    assert json.loads(sample.read_text()) == CONTINUE


def test_a_stream_record_that_cannot_be_published_is_retried_and_kept(template: Template) -> None:
    """It is retried until it expires from the stream. An alarm reports the delay."""
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
    assert delay["AlarmActions"] == TOPICS
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert stream["Stream"] == {"Fn::GetAtt": ["FindingsTable", "StreamArn"]}
    table = template.resources["FindingsTable"]["Properties"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_findings_that_stay_hidden_raise_an_alarm(template: Template) -> None:
    """Each metric that counts them is in the alarm, with the service that emits it."""
    alarm = template.resources["FindingsHiddenAlarm"]["Properties"]
    metrics = [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]
    assert {(one["MetricName"], one["Dimensions"][0]["Value"]) for one in metrics} == {
        ("EventsRejected", "publish_findings"),
        ("RecordsMalformed", "publish_findings"),
        ("FindingsNotSent", "sweep_account"),
        ("FindingsUnreadable", "maintain_findings"),
        ("FindingsUnreadable", "check_invoke_policy"),
        ("FindingsUnreadable", "check_execution_role"),
    }
    (total,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert {one["Id"] for one in alarm["Metrics"]} - {"hidden"} == set(re.findall(r"FILL\((\w+), 0\)", total))
    assert alarm["AlarmActions"] == alarm["OKActions"] == TOPICS
    assert "docs/operations.md" in alarm["AlarmDescription"]


def test_a_stop_of_all_fixing_raises_an_alarm(template: Template) -> None:
    """Whoever stopped it: the person's request, and each fix that was not applied."""
    alarm = template.resources["FixingStoppedAlarm"]["Properties"]
    metrics = [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]
    assert {(one["MetricName"], one["Dimensions"][0]["Value"]) for one in metrics} == {
        ("FixingStopped", "apply_fix"),
        ("FixingStopped", "decide_fix"),
    }
    (total,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert {one["Id"] for one in alarm["Metrics"]} - {"stopped"} == set(re.findall(r"FILL\((\w+), 0\)", total))
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert alarm["AlarmActions"] == alarm["OKActions"] == TOPICS
    assert "docs/operations.md" in alarm["AlarmDescription"]


def test_forged_events_raise_an_alarm(template: Template) -> None:
    """Each metric that counts them is in the alarm, with the service that emits it."""
    alarm = template.resources["EventsForgedAlarm"]["Properties"]
    metrics = [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]
    assert {(one["MetricName"], one["Dimensions"][0]["Value"]) for one in metrics} == {
        ("EventsRefused", "send_alert"),
        ("EventsRefused", "open_ticket"),
        ("DeliveriesRepaired", "send_alert"),
        ("DeliveriesRepaired", "open_ticket"),
        ("CallersUnproven", "decide_fix"),
        ("CallersUnproven", "manage_findings"),
    }
    (total,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert {one["Id"] for one in alarm["Metrics"]} - {"forged"} == set(re.findall(r"FILL\((\w+), 0\)", total))
    assert alarm["AlarmActions"] == alarm["OKActions"] == TOPICS
    assert "docs/operations.md" in alarm["AlarmDescription"]
