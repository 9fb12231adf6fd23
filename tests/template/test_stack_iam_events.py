"""The stack that forwards IAM's events from the region that emits them to the home region."""

from __future__ import annotations

from tests.template.sam_template import Template, referred

HOME_BUS = {"Fn::Sub": "arn:${AWS::Partition}:events:${HomeRegion}:${AWS::AccountId}:event-bus/default"}


def test_it_forwards_exactly_the_events_that_the_home_region_matches(
    template: Template, iam_events_stack: Template
) -> None:
    """A difference between the two patterns would lose events or forward useless ones."""
    home = template.resources["IamRoleEvents"]["Properties"]
    here = iam_events_stack.resources["IamRoleEvents"]["Properties"]
    assert here["EventPattern"] == home["EventPattern"]
    assert here["EventPattern"]["source"] == ["aws.iam"]
    assert "EventBusName" not in here
    assert "State" not in here


def test_its_one_target_is_the_default_bus_of_the_home_region(iam_events_stack: Template) -> None:
    """The rule of template.yaml matches them there like local events."""
    (target,) = iam_events_stack.resources["IamRoleEvents"]["Properties"]["Targets"]
    assert target == {
        "Id": "HomeRegion",
        "Arn": HOME_BUS,
        "RoleArn": {"Fn::GetAtt": ["ForwardRole", "Arn"]},
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["ForwardDeadLetterQueue", "Arn"]}},
    }


def test_its_role_may_put_events_on_that_bus_and_do_nothing_else(iam_events_stack: Template) -> None:
    """The role has one action on one resource."""
    (statement,) = iam_events_stack.statements("ForwardRole")
    assert (statement["Effect"], statement["Action"]) == ("Allow", "events:PutEvents")
    assert statement["Resource"] == HOME_BUS
    assert list(iam_events_stack.of_type("AWS::IAM::Role")) == ["ForwardRole"]


def test_only_its_rule_may_use_the_role(iam_events_stack: Template) -> None:
    """EventBridge serves all accounts, so the trust policy names this account and this rule."""
    rule = iam_events_stack.resources["IamRoleEvents"]["Properties"]["Name"]["Fn::Sub"]
    trust = iam_events_stack.resources["ForwardRole"]["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {
            "aws:SourceArn": {
                "Fn::Sub": f"arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:rule/{rule}"
            }
        },
    }


def test_the_rules_name_includes_the_home_region_and_fits(iam_events_stack: Template) -> None:
    """One region may forward to two home regions. The name of a rule has at most 64 characters."""
    name = iam_events_stack.resources["IamRoleEvents"]["Properties"]["Name"]["Fn::Sub"]
    assert "${HomeRegion}" in name
    assert len(name.replace("${HomeRegion}", "ap-southeast-99")) <= 64


def test_events_that_cannot_be_forwarded_are_kept_and_raise_an_alarm(iam_events_stack: Template) -> None:
    """Only the rule may send to the dead-letter queue, and the queue has an alarm."""
    queue = iam_events_stack.resources["ForwardDeadLetterQueue"]["Properties"]
    assert queue == {
        "MessageRetentionPeriod": 1_209_600,
        "SqsManagedSseEnabled": True,
        "RedriveAllowPolicy": {"redrivePermission": "denyAll"},
    }
    policy = iam_events_stack.resources["ForwardDeadLetterQueuePolicy"]["Properties"]
    allow, others, deny = policy["PolicyDocument"]["Statement"]
    assert (others["Effect"], others["Principal"], others["Action"]) == ("Deny", "*", "sqs:SendMessage")
    assert others["Condition"] == {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
    assert [referred(queue) for queue in policy["Queues"]] == ["ForwardDeadLetterQueue"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["IamRoleEvents", "Arn"]}}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    alarm = iam_events_stack.resources["ForwardDeadLettersAlarm"]["Properties"]
    assert referred(alarm["Dimensions"][0]["Value"]) == "ForwardDeadLetterQueue"
    assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}]
    assert iam_events_stack.resources["AlertEmailSubscription"]["Properties"]["TopicArn"] == {"Ref": "AlertTopic"}


def test_its_alarm_has_the_settings_of_those_in_the_home_region(template: Template, iam_events_stack: Template) -> None:
    """Only its queue, its description and its topics differ: there are no alerts to keep apart from the alarms."""
    here = dict(iam_events_stack.resources["ForwardDeadLettersAlarm"]["Properties"])
    home = dict(template.resources["ExecutionRoleDeadLettersAlarm"]["Properties"])
    for alarm in (here, home):
        assert alarm.pop("AlarmDescription")
        assert alarm.pop("Dimensions")
        assert alarm.pop("AlarmActions") == alarm.pop("OKActions")
    assert here == home


def test_it_cannot_be_deployed_where_it_has_no_effect(iam_events_stack: Template) -> None:
    """Only the region of IAM's events is allowed, and not as its own target, which would be a loop."""
    rules = iam_events_stack.raw["Rules"]
    assertions = [assertion["Assert"] for rule in rules.values() for assertion in rule["Assertions"]]
    region = {"Ref": "AWS::Region"}
    assert {"Fn::Not": [{"Fn::Equals": [{"Ref": "HomeRegion"}, region]}]} in assertions
    assert {"Fn::Contains": [["us-east-1", "us-gov-west-1", "cn-north-1"], region]} in assertions
    assert all(assertion["AssertDescription"] for rule in rules.values() for assertion in rule["Assertions"])
