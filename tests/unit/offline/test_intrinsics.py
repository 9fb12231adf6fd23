"""Intrinsic functions are resolved from the file; other values stay unresolved under a name."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.offline.intrinsics import NO_VALUE, Resolver
from permission_guard.offline.physical_names import Place
from permission_guard.offline.unresolved import fill, unresolved_in

PARAMETERS = {
    "Name": {"Type": "String", "Default": "orders"},
    "Size": {"Type": "Number", "Default": 3},
    "On": {"Type": "String", "Default": True},
    "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
    "Given": {"Type": "String"},
    "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/orders/topic"},
    "Odd": None,
}
RESOURCES = {
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Named": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}},
    "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Name}-dlq"}}},
    "Files": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Given"}}},
    "Rule": {"Type": "AWS::Events::Rule"},
    "BusRule": {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": {"Ref": "Bus"}}},
    "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bus"}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"Path": "/app/"}},
    "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Path": "/app/", "ManagedPolicyName": "read"}},
    "Users": {"Type": "AWS::Cognito::UserPool"},
    "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"StageName": "live"}},
    "Authorizer": {"Type": "AWS::ApiGateway::Authorizer"},
    "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": "orders", "Name": "live"}},
    "Loop": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Loop"}}},
    "Machine": {"Type": "AWS::Robotics::Machine"},
    "Custom": {"Type": "Custom::Thing"},
    "Untyped": {},
    "NoProperties": {"Type": "AWS::SNS::Topic", "Properties": 3},
}
CONDITIONS = {
    "Yes": {"Fn::Equals": [{"Ref": "Name"}, "orders"]},
    "No": {"Fn::Not": [{"Condition": "Yes"}]},
    "Maybe": {"Fn::Equals": [{"Ref": "Given"}, "x"]},
    "Same": {"Fn::Equals": [{"Ref": "Given"}, {"Ref": "Given"}]},
    "List": {"Fn::Equals": [["a"], "x"]},
    "Loop": {"Condition": "Loop"},
    "Odd": {"Fn::Other": []},
    "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "Maybe"}]},
    "Neither": {"Fn::And": [{"Condition": "No"}, {"Condition": "Maybe"}]},
    "All": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "Same"}]},
    "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "Maybe"}]},
    "Any": {"Fn::Or": [{"Condition": "No"}, {"Condition": "Maybe"}]},
    "None": {"Fn::Or": [{"Condition": "No"}, {"Condition": "No"}]},
    "NotMaybe": {"Fn::Not": [{"Condition": "Maybe"}]},
}
TEMPLATE = {
    "Parameters": PARAMETERS,
    "Resources": RESOURCES,
    "Conditions": CONDITIONS,
    "Mappings": {"Accounts": {"us-east-1": {"partner": "111122223333"}}},
}


def resolver(**given: str) -> Resolver:
    """Return a resolver of the template, with values for parameters."""
    return Resolver(TEMPLATE, Place("123456789012", "us-east-1", "aws"), given)


def shown(raw: Any) -> Any:
    """Return a resolved value, with the names of unresolved values."""
    return fill(resolver().value(raw), {})


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (3, 3),
        (None, None),
        ([1, {"Ref": "AWS::NoValue"}, {"a": {"Ref": "Name"}}], [1, {"a": "orders"}]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
        ({"Ref": "AWS::AccountId"}, "123456789012"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "my-stack"),
        ({"Ref": "AWS::NotificationARNs"}, []),
        ({"Ref": "AWS::Other"}, "${AWS::Other}"),
        ({"Ref": "Name"}, "orders"),
        ({"Ref": "Size"}, "3"),
        ({"Ref": "On"}, "true"),
        ({"Ref": "Names"}, ["a", "b"]),
        ({"Ref": "Given"}, "${Given}"),
        ({"Ref": "Stored"}, "${Stored}"),
        ({"Ref": "Odd"}, "${Odd}"),
        ({"Ref": "Nothing"}, "${Nothing}"),
        ({"Ref": ["Name"]}, "${Ref [Name]}"),
        ("{{resolve:ssm:/a}}/b", "${{{resolve:ssm:/a}}}/b"),
        ({"Fn::Sub": "{{resolve:ssm:/${Given}/a}}/b"}, "${{{resolve:ssm:/${Given}/a}}}/b"),
        ({"Fn::Join": ["", ["{{resolve:ssm:/", {"Ref": "Given"}, "}}"]]}, "${{{resolve:ssm:/${Given}}}}"),
    ],
)
def test_parameters_and_pseudo_parameters_are_resolved(raw: Any, value: Any) -> None:
    """A parameter has its default; without one it is unresolved."""
    assert shown(raw) == value


def test_no_value_is_not_an_empty_value() -> None:
    """A property without a value does not exist."""
    assert resolver().value({"Ref": "AWS::NoValue"}) is NO_VALUE


def test_a_given_parameter_overrides_its_default() -> None:
    """It also overrides a default that is the name of an SSM parameter."""
    found = resolver(Name="a", Stored="b", Names="x,y")
    assert [found.value({"Ref": name}) for name in ("Name", "Stored", "Names")] == ["a", "b", ["x", "y"]]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"Ref": "Topic"}, "arn:aws:sns:us-east-1:123456789012:Topic"),
        ({"Ref": "Named"}, "arn:aws:sns:us-east-1:123456789012:orders"),
        ({"Fn::GetAtt": ["Named", "TopicName"]}, "orders"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:aws:sqs:us-east-1:123456789012:orders-dlq"),
        ({"Ref": "Queue"}, "https://sqs.us-east-1.amazonaws.com/123456789012/orders-dlq"),
        ({"Fn::GetAtt": ["Files", "Arn"]}, "arn:aws:s3:::${Given}"),
        ({"Ref": "Rule"}, "Rule"),
        ({"Fn::GetAtt": ["Rule", "Arn"]}, "arn:aws:events:us-east-1:123456789012:rule/Rule"),
        ({"Fn::GetAtt": ["BusRule", "Arn"]}, "arn:aws:events:us-east-1:123456789012:rule/bus/BusRule"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, "arn:aws:iam::123456789012:role/app/Role"),
        ({"Ref": "Policy"}, "arn:aws:iam::123456789012:policy/app/read"),
        ({"Ref": "Users"}, "us-east-1_Users"),
        ({"Fn::GetAtt": ["Users", "Arn"]}, "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Users"),
        ({"Fn::GetAtt": ["Users", "ProviderName"]}, "${Users.ProviderName}"),
        ({"Ref": "Stage"}, "live"),
        ({"Ref": "Authorizer"}, "Authorizer"),
        ({"Ref": "Alias"}, "arn:aws:lambda:us-east-1:123456789012:function:orders:live"),
        ({"Fn::GetAtt": ["Alias", "AliasArn"]}, "arn:aws:lambda:us-east-1:123456789012:function:orders:live"),
        ({"Fn::GetAtt": ["Alias", "Other"]}, "${Alias.Other}"),
        ({"Ref": "Loop"}, "arn:aws:sns:us-east-1:123456789012:arn:aws:sns:us-east-1:123456789012:Loop"),
        ({"Ref": "NoProperties"}, "arn:aws:sns:us-east-1:123456789012:NoProperties"),
        ({"Ref": "Machine"}, "${Machine}"),
        ({"Fn::GetAtt": ["Machine", "Arn"]}, "${Machine.Arn}"),
        ({"Fn::GetAtt": ["Untyped", "Arn"]}, "${Untyped.Arn}"),
        ({"Fn::GetAtt": ["Topic", {"Ref": "Name"}]}, "${Topic.orders}"),
        ({"Fn::GetAtt": 3}, "${Fn::GetAtt 3}"),
    ],
)
def test_resources_have_their_names_after_deployment(raw: Any, value: Any) -> None:
    """A name is from the properties, or plausible; a value that only AWS assigns is unresolved."""
    assert shown(raw) == value


def test_attributes_of_aws_resources_are_in_the_own_account() -> None:
    """The result of a custom resource can be in any account."""
    found = resolver()
    found.value([{"Fn::GetAtt": ["Machine", "Arn"]}, {"Fn::GetAtt": ["Custom", "Arn"]}, {"Ref": "Given"}])
    assert {name: unresolved.own for name, unresolved in found.found.items()} == {
        "Machine.Arn": True,
        "Custom.Arn": False,
        "Given": False,
    }


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"Fn::Sub": "${Name}-${AWS::Region}-${!aws:username}"}, "orders-us-east-1-${aws:username}"),
        ({"Fn::Sub": "${Queue.QueueName}/${Given}"}, "orders-dlq/${Given}"),
        ({"Fn::Sub": ["${a}-${Name}", {"a": {"Ref": "Size"}}]}, "3-orders"),
        ({"Fn::Sub": "${Names}"}, "${Names}"),
        ({"Fn::Sub": ["${a}", 3]}, "${Fn::Sub [${!a}, 3]}"),
        ({"Fn::Sub": 3}, "${Fn::Sub 3}"),
        ({"Fn::Sub": ["${a}", {"a": {"Ref": "Names"}}]}, "${Fn::Sub [a, b]}"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 3]]}, "a-orders-3"),
        ({"Fn::Join": ["-", {"Ref": "Names"}]}, "a-b"),
        ({"Fn::Join": ["-", {"Ref": "Given"}]}, "${Fn::Join [-, ${Given}]}"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Names"}]]}, "${Fn::Join [-, [a, [a, b]]]}"),
        ({"Fn::Join": "a"}, "${Fn::Join a}"),
        ({"Fn::Select": [1, {"Ref": "Names"}]}, "b"),
        ({"Fn::Select": ["1", {"Fn::Split": ["-", {"Fn::GetAtt": ["Queue", "QueueName"]}]}]}, "dlq"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", {"Fn::Sub": "a-${Given}"}]}]}, "a"),
        ({"Fn::Select": [0, {"Ref": "Given"}]}, "${Fn::Select [0, ${Given}]}"),
        ({"Fn::Select": [1, {"Ref": "Given"}]}, "${Fn::Select [1, ${Given}]}"),
        (
            {"Fn::Select": [1, {"Fn::Split": ["-", {"Fn::Sub": "a-${Given}"}]}]},
            '${Fn::Select [1, "${Fn::Split [-, a-${Given}]}"]}',
        ),
        ({"Fn::Select": [9, {"Ref": "Names"}]}, "${Fn::Select [9, [a, b]]}"),
        ({"Fn::Select": 3}, "${Fn::Select 3}"),
        ({"Fn::Select": ["x", {"Ref": "Names"}]}, "${Fn::Select [x, [a, b]]}"),
        ({"Fn::Split": 3}, "${Fn::Split 3}"),
        ({"Fn::Split": ["", "a"]}, '${Fn::Split ["", a]}'),
        ({"Fn::Split": ["-", ["a"]]}, "${Fn::Split [-, [a]]}"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", ["a"]]}]}, '${Fn::Select [0, "${Fn::Split [-, [a]]}"]}'),
        ({"Fn::If": ["Yes", "a", "b"]}, "a"),
        ({"Fn::If": ["No", "a", {"Ref": "Name"}]}, "orders"),
        ({"Fn::If": ["Yes"]}, "${Fn::If [Yes]}"),
        ({"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "partner"]}, "111122223333"),
        (
            {"Fn::FindInMap": ["Accounts", {"Ref": "Given"}, "partner"]},
            "${Fn::FindInMap [Accounts, ${Given}, partner]}",
        ),
        ({"Fn::FindInMap": ["Accounts", "x", "y", {"DefaultValue": {"Ref": "Name"}}]}, "orders"),
        ({"Fn::FindInMap": ["Accounts", ["x"], "y"]}, "${Fn::FindInMap [Accounts, [x], y]}"),
        ({"Fn::FindInMap": "Accounts"}, "${Fn::FindInMap Accounts}"),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}-${Given}"}}, "${import of orders-${Given}}"),
        ({"Fn::ImportValue": {"Ref": "Names"}}, "${import of [a, b]}"),
        ({"Fn::Base64": "a"}, "${Fn::Base64 a}"),
    ],
)
def test_functions_are_resolved_if_their_arguments_are(raw: Any, value: Any) -> None:
    """Otherwise the unresolved value has the name of its reference or of the function."""
    assert shown(raw) == value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Yes", True),
        ("No", False),
        ("Maybe", None),
        ("Same", True),
        ("List", None),
        ("Loop", None),
        ("Odd", None),
        ("Missing", None),
        ("Both", None),
        ("Neither", False),
        ("All", True),
        ("Either", True),
        ("Any", None),
        ("None", False),
        ("NotMaybe", None),
    ],
)
def test_a_condition_is_true_or_false_or_undecided(name: str, expected: bool | None) -> None:
    """A condition with an unresolved value is undecided, unless its other operands decide it."""
    assert resolver().condition(name) is expected


def branches(name: str, given: Resolver) -> list[Resolver]:
    """Return a resolver for each answer to the question that a condition asks."""
    assert given.condition(name) is None
    (question,) = given.undecided
    return [Resolver(TEMPLATE, given.place, {}, assumptions) for assumptions in given.branches(question)]


def test_a_comparison_that_is_not_decided_has_each_answer_in_turn() -> None:
    """Where the texts are equal, the reference has that value everywhere, and a contrary condition is false."""
    other, equal = branches("Maybe", resolver())
    assert [other.condition(name) for name in ("Maybe", "NotMaybe")] == [False, True]
    assert other.value({"Fn::If": ["Maybe", "a", {"Ref": "Given"}]}) == resolver().value({"Ref": "Given"})
    assert other.assumed == {"the condition Maybe": "False", "the condition NotMaybe": "True"}
    assert [equal.condition(name) for name in ("Maybe", "NotMaybe")] == [True, False]
    assert equal.value({"Fn::Sub": "${Given}-${Name}"}) == "x-orders"
    assert equal.assumed["Given"] == "x"
    assert not other.undecided
    assert not equal.undecided


@pytest.mark.parametrize(
    ("asked", "allowed", "expected"),
    [
        ("code", ["code", "prod"], [(False, True), (True, False)]),
        ("code", ["code"], [(True, False)]),
        ("code", ["prod"], [(False, True)]),
        ("code", ["code", "prod", "test"], [(False, None), (True, False)]),
        ("code", ["prod", "test"], [(False, None)]),
        ("code", None, [(False, None), (True, False)]),
    ],
)
def test_a_parameter_has_one_of_its_allowed_values(asked: str, allowed: Any, expected: Any) -> None:
    """An answer excludes a value. If only one is left, the parameter has it, in all conditions."""
    conditions = {name: {"Fn::Equals": [{"Ref": "Stage"}, name]} for name in ("code", "prod")}
    about = {"AllowedValues": allowed} if allowed else {}
    body = {"Parameters": {"Stage": {"Type": "String", **about}}, "Conditions": conditions}
    place = Place("123456789012", "us-east-1", "aws")
    first = Resolver(body, place)
    assert first.condition(asked) is None
    (question,) = first.undecided
    found = [Resolver(body, place, {}, assumptions) for assumptions in first.branches(question)]
    assert [tuple(one.condition(name) for name in conditions) for one in found] == expected


def test_the_allowed_values_of_an_ssm_parameter_are_names() -> None:
    """The value itself is not in the file."""
    kind = "AWS::SSM::Parameter::Value<String>"
    body = {"Parameters": {"Stored": {"Type": kind, "AllowedValues": ["/a", "/b"]}}}
    found = Resolver(body, Place("123456789012", "us-east-1", "aws"))
    found.value({"Ref": "Stored"})
    assert found.found["Stored"].allowed == ()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"Fn::Select": [0, {"Ref": "Given"}]}, {"Fn::Select": [1, {"Ref": "Given"}]}),
        ({"Fn::Select": [0, {"Ref": "Given"}]}, {"Ref": "Given"}),
        ({"Fn::Join": ["-", {"Ref": "Given"}]}, {"Fn::Join": [",", {"Ref": "Given"}]}),
        ({"Fn::FindInMap": ["A", {"Ref": "Given"}, "x"]}, {"Fn::FindInMap": ["A", {"Ref": "Given"}, "y"]}),
        ({"Fn::FindInMap": ["A", {"Ref": "Given"}, "x"]}, {"Fn::FindInMap": ["A", "Given", "x"]}),
        ({"Fn::Split": [",", {"Ref": "Given"}]}, {"Fn::Split": ["-", {"Ref": "Given"}]}),
        ({"Fn::Transform": {"Name": "A"}}, {"Fn::Transform": {"Name": "B"}}),
        ({"Fn::Base64": "a" * 200}, {"Fn::Base64": "a" * 200 + "b"}),
        ({"Fn::ImportValue": {"Ref": "Names"}}, {"Fn::ImportValue": {"Fn::Transform": "x"}}),
        ({"Fn::Sub": ["${Given}", {"Given": {"Fn::Split": [",", "a,b"]}}]}, {"Ref": "Given"}),
        ({"Ref": "AWS::Other"}, {"Ref": "AWS::Another"}),
        ({"Fn::ImportValue": "${Given}-a"}, {"Fn::ImportValue": {"Fn::Sub": "${Given}-a"}}),
        ("{{resolve:ssm:/${Given}}}", {"Fn::Sub": "{{resolve:ssm:/${Given}}}"}),
        ({"Fn::Select": [9, ["${Given}"]]}, {"Fn::Select": [9, [{"Ref": "Given"}]]}),
    ],
)
def test_two_expressions_are_two_values(left: Any, right: Any) -> None:
    """Each is equal only to itself, so that whether they are equal is not decided."""
    body = {**TEMPLATE, "Conditions": {"Same": {"Fn::Equals": [left, left]}, "Equal": {"Fn::Equals": [left, right]}}}
    found = Resolver(body, Place("123456789012", "us-east-1", "aws"))
    assert shown(left) != shown(right)
    assert found.condition("Equal") is None
    if not isinstance(found.value(left), list):
        assert found.condition("Same") is True


def test_a_name_can_be_the_logical_id() -> None:
    """Only a resource without a name has a generated one."""
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "Orders"}}
    found = Resolver({"Resources": {"Orders": table}}, Place("123456789012", "us-east-1", "aws"))
    assert found.value({"Fn::GetAtt": ["Orders", "Arn"]}) == "arn:aws:dynamodb:us-east-1:123456789012:table/Orders"


def test_each_version_of_a_template_has_its_own_number() -> None:
    """The numbers are plausible; what matters is that they differ."""
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": "orders"}}
    found = Resolver({"Resources": {"First": version, "Second": version}}, Place("123456789012", "us-east-1", "aws"))
    assert found.value({"Ref": "First"}) != found.value({"Ref": "Second"})


def test_china_has_another_url_suffix() -> None:
    """AWS::URLSuffix depends on the partition."""
    assert Resolver({}, Place("123456789012", "cn-north-1", "aws-cn")).value({"Ref": "AWS::URLSuffix"}) == (
        "amazonaws.com.cn"
    )


def test_unresolved_values_are_found_and_replaced_everywhere() -> None:
    """They can be in lists, in objects and in the middle of a string."""
    value = resolver().value({"a": [{"Ref": "Given"}, 3], "b": {"Fn::Sub": "x-${Custom.Arn}"}})
    assert list(unresolved_in(value)) == ["Given", "Custom.Arn"]
    assert fill(value, {"Given": "1", "Custom.Arn": "2"}) == {"a": ["1", 3], "b": "x-2"}
