"""The stack that forwards IAM's events from the one region where they come to the home region."""

from __future__ import annotations

from tests.template.sam_template import Template, referred

HOME_BUS = {"Fn::Sub": "arn:${AWS::Partition}:events:${HomeRegion}:${AWS::AccountId}:event-bus/default"}


def test_it_forwards_exactly_what_the_home_region_listens_to(template: Template, iam_events_stack: Template) -> None:
    """What one of the two patterns has more is lost or paid for in vain."""
    home = template.resources["IamRoleEvents"]["Properties"]
    here = iam_events_stack.resources["IamRoleEvents"]["Properties"]
    assert here["EventPattern"] == home["EventPattern"]
    assert here["EventPattern"]["source"] == ["aws.iam"]
    assert "EventBusName" not in here
    assert "State" not in here


def test_its_one_target_is_the_default_bus_of_the_home_region(iam_events_stack: Template) -> None:
    """There the rule of template.yaml gets them as if they had come by themselves."""
    (target,) = iam_events_stack.resources["IamRoleEvents"]["Properties"]["Targets"]
    assert target == {
        "Id": "HomeRegion",
        "Arn": HOME_BUS,
        "RoleArn": {"Fn::GetAtt": ["ForwardRole", "Arn"]},
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["ForwardDeadLetterQueue", "Arn"]}},
    }


def test_its_role_may_put_events_on_that_bus_and_do_nothing_else(iam_events_stack: Template) -> None:
    """One action, one resource, one role."""
    (statement,) = iam_events_stack.statements("ForwardRole")
    assert (statement["Effect"], statement["Action"]) == ("Allow", "events:PutEvents")
    assert statement["Resource"] == HOME_BUS
    assert list(iam_events_stack.of_type("AWS::IAM::Role")) == ["ForwardRole"]


def test_only_its_rule_may_use_the_role(iam_events_stack: Template) -> None:
    """EventBridge acts for everybody: the trust names this account and this very rule."""
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


def test_the_rules_name_has_the_home_region_in_it_and_fits(iam_events_stack: Template) -> None:
    """Two home regions may be served from one; a rule's name has up to 64 characters."""
    name = iam_events_stack.resources["IamRoleEvents"]["Properties"]["Name"]["Fn::Sub"]
    assert "${HomeRegion}" in name
    assert len(name.replace("${HomeRegion}", "ap-southeast-99")) <= 64


def test_what_cannot_be_forwarded_is_kept_and_told(iam_events_stack: Template) -> None:
    """In a dead-letter queue that only the rule fills, with an alarm."""
    queue = iam_events_stack.resources["ForwardDeadLetterQueue"]["Properties"]
    assert queue == {"MessageRetentionPeriod": 1_209_600, "SqsManagedSseEnabled": True}
    policy = iam_events_stack.resources["ForwardDeadLetterQueuePolicy"]["Properties"]
    allow, deny = policy["PolicyDocument"]["Statement"]
    assert [referred(queue) for queue in policy["Queues"]] == ["ForwardDeadLetterQueue"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["IamRoleEvents", "Arn"]}}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    alarm = iam_events_stack.resources["ForwardDeadLettersAlarm"]["Properties"]
    assert referred(alarm["Dimensions"][0]["Value"]) == "ForwardDeadLetterQueue"
    assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}]
    assert iam_events_stack.resources["AlertEmailSubscription"]["Properties"]["TopicArn"] == {"Ref": "AlertTopic"}


def test_its_alarm_is_the_same_as_those_of_the_home_region(template: Template, iam_events_stack: Template) -> None:
    """Only what it watches and says is its own."""
    here = dict(iam_events_stack.resources["ForwardDeadLettersAlarm"]["Properties"])
    home = dict(template.resources["ExecutionRoleDeadLettersAlarm"]["Properties"])
    for alarm in (here, home):
        assert alarm.pop("AlarmDescription")
        assert alarm.pop("Dimensions")
    assert here == home


def test_it_refuses_to_be_deployed_where_it_is_of_no_use(iam_events_stack: Template) -> None:
    """Only where IAM's events come, and only to forward them to another region: else they would go in circles."""
    rules = iam_events_stack.raw["Rules"]
    assertions = [assertion["Assert"] for rule in rules.values() for assertion in rule["Assertions"]]
    region = {"Ref": "AWS::Region"}
    assert {"Fn::Not": [{"Fn::Equals": [{"Ref": "HomeRegion"}, region]}]} in assertions
    assert {"Fn::Contains": [["us-east-1", "us-gov-west-1", "cn-north-1"], region]} in assertions
    assert all(assertion["AssertDescription"] for rule in rules.values() for assertion in rule["Assertions"])
