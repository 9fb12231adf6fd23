"""The account and the region of a template are given, inferred from its ARNs where they agree, or assumed."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.offline.deployment import GivenPlace, Inferred

ROLE = "arn:aws:iam::111122223333:role/x"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:q"
LOGS = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:*"
LAYER = "arn:aws:lambda:eu-west-1:580247275435:layer:LambdaInsightsExtension:60"


def allow(resource: Any) -> dict[str, Any]:
    """Return a policy document."""
    return {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": resource}]}


def template(*resources: tuple[str, dict[str, Any]], **parameters: Any) -> dict[str, Any]:
    """Return a template of resources, each a type with properties."""
    listed = {f"R{number}": {"Type": kind, "Properties": found} for number, (kind, found) in enumerate(resources)}
    return {"Resources": listed, "Parameters": {name: {"Type": "String", **one} for name, one in parameters.items()}}


@pytest.mark.parametrize(
    ("resources", "account", "region"),
    [
        ([("AWS::Lambda::Function", {"Role": ROLE})], "111122223333", ""),
        (
            [("AWS::Lambda::Function", {"Role": {"Fn::Sub": "arn:${AWS::Partition}:iam::111122223333:role/${R}"}})],
            "111122223333",
            "",
        ),
        ([("AWS::Lambda::Function", {"Role": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/x"}})], "", ""),
        ([("AWS::Lambda::Function", {"Layers": [LAYER]})], "", "eu-west-1"),
        ([("AWS::Lambda::Function", {"DeadLetterConfig": {"TargetArn": QUEUE}})], "111122223333", "eu-west-1"),
        ([("AWS::Lambda::EventSourceMapping", {"EventSourceArn": QUEUE})], "111122223333", "eu-west-1"),
        (
            [
                (
                    "AWS::Lambda::EventSourceMapping",
                    {"EventSourceArn": QUEUE, "FunctionName": FUNCTION.replace("1111", "9999")},
                )
            ],
            "999922223333",
            "eu-west-1",
        ),
        ([("AWS::Lambda::Permission", {"FunctionName": FUNCTION})], "111122223333", "eu-west-1"),
        ([("AWS::Lambda::Url", {"TargetFunctionArn": FUNCTION})], "111122223333", "eu-west-1"),
        (
            [
                (
                    "AWS::IAM::Role",
                    {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/x", "arn:aws:iam::111122223333:policy/x"]},
                )
            ],
            "111122223333",
            "",
        ),
        ([("AWS::IAM::Role", {"PermissionsBoundary": "arn:aws:iam::111122223333:policy/x"})], "111122223333", ""),
        ([("AWS::IAM::Role", {"Policies": [{"PolicyDocument": allow(LOGS)}]})], "111122223333", "eu-west-1"),
        ([("AWS::IAM::Policy", {"PolicyDocument": allow(["*", LOGS])})], "111122223333", "eu-west-1"),
        ([("AWS::IAM::Policy", {"PolicyDocument": allow(QUEUE)})], "", ""),
        ([("AWS::IAM::Policy", {"PolicyDocument": allow(ROLE)})], "", ""),
        ([("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Statement": [{"Principal": {"AWS": ROLE}}]}})], "", ""),
        (
            [("AWS::Lambda::Permission", {"FunctionName": "f", "SourceArn": QUEUE, "SourceAccount": "111122223333"})],
            "",
            "",
        ),
        (
            [
                (
                    "AWS::Serverless::Function",
                    {"Role": ROLE, "Events": {"A": {"Type": "SQS", "Properties": {"Queue": QUEUE}}}},
                )
            ],
            "111122223333",
            "eu-west-1",
        ),
        ([("AWS::Serverless::Function", {"Policies": [allow(LOGS)]})], "111122223333", "eu-west-1"),
        (
            [
                ("AWS::Lambda::Function", {"Role": ROLE}),
                ("AWS::Lambda::Function", {"Role": ROLE.replace("1111", "9999")}),
            ],
            "",
            "",
        ),
        ([("AWS::Lambda::Function", {"Layers": [LAYER, LAYER.replace("eu-west-1", "us-east-2")]})], "", ""),
        ([("AWS::Lambda::Function", {"Role": {"Ref": "Given"}})], "111122223333", ""),
        ([("AWS::Lambda::Function", "x")], "", ""),
    ],
)
def test_the_place_is_that_of_the_arns_that_must_be_in_it(resources: Any, account: str, region: str) -> None:
    """Principals, the sources of permissions, and the resources of policies can be in another account."""
    found = GivenPlace().deployment(template(*resources, Given={"Default": ROLE}), {})
    assert (found.account.value, bool(found.account.origin)) == (account or "123456789012", bool(account))
    assert (found.region.value, bool(found.region.origin)) == (region or "us-east-1", bool(region))


def test_what_the_user_says_comes_first() -> None:
    """The ARNs of the file then name another account."""
    body = template(("AWS::Lambda::Permission", {"FunctionName": FUNCTION}))
    found = GivenPlace("999999999999", "us-west-2").deployment(body, {})
    assert (found.place.account, found.place.region) == ("999999999999", "us-west-2")
    assert found.account == Inferred("999999999999", "option")
    assert list(found.messages()) == []
    assert GivenPlace().deployment(body, {}).account == Inferred("111122223333", FUNCTION)


@pytest.mark.parametrize(
    ("given", "arn", "place"),
    [
        (GivenPlace(), ROLE.replace("aws", "aws-cn"), ("cn-north-1", "aws-cn")),
        (
            GivenPlace(),
            FUNCTION.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-northwest-1"),
            ("cn-northwest-1", "aws-cn"),
        ),
        (GivenPlace(), ROLE, ("us-east-1", "aws")),
        (GivenPlace(partition="aws-us-gov"), ROLE, ("us-gov-west-1", "aws-us-gov")),
        (GivenPlace(), "arn:aws-cn:s3:::orders-uploads", ("cn-north-1", "aws-cn")),
        (GivenPlace(), "arn:aws-us-gov:logs:*:*:*", ("us-gov-west-1", "aws-us-gov")),
        (GivenPlace(region="cn-north-1"), ROLE, ("cn-north-1", "aws-cn")),
    ],
)
def test_the_partition_and_the_region_agree(given: GivenPlace, arn: str, place: tuple[str, str]) -> None:
    """The partition is that of the region, or else that of the ARNs."""
    found = given.deployment(template(("AWS::Lambda::Function", {"Role": arn, "Layers": [arn]})), {}).place
    assert (found.region, found.partition) == place


def test_a_parameter_can_have_the_arn() -> None:
    """The given value counts."""
    body = template(("AWS::Lambda::Function", {"Role": {"Ref": "Given"}}), Given={})
    assert GivenPlace().deployment(body, {}).account.origin == ""
    assert GivenPlace().deployment(body, {"Given": ROLE}).account == Inferred("111122223333", ROLE)


@pytest.mark.parametrize(
    ("given", "arns", "others"),
    [
        (GivenPlace(), [QUEUE], [("123456789012", "eu-west-1")]),
        (GivenPlace(), ["arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:q"], []),
        (GivenPlace(), ["arn:aws-cn:sqs:cn-north-1:*:q", "arn:aws:s3:::b"], []),
        (GivenPlace(region="us-east-1"), [QUEUE], []),
        (GivenPlace(account="999999999999"), [QUEUE], [("999999999999", "eu-west-1")]),
        (GivenPlace(), [LOGS], []),
        (
            GivenPlace(),
            [LOGS, LOGS.replace("eu-west-1", "eu-west-2")],
            [("111122223333", "eu-west-1"), ("111122223333", "eu-west-2")],
        ),
        (
            GivenPlace(),
            [LOGS, LOGS.replace("1111", "9999")],
            [("111122223333", "eu-west-1"), ("999922223333", "eu-west-1")],
        ),
    ],
)
def test_an_assumed_place_may_be_another_that_the_arns_name(given: GivenPlace, arns: Any, others: Any) -> None:
    """Any region that is named may be the stack's, but only an account that ARNs in its place name."""
    found = given.deployment(template(("AWS::IAM::Policy", {"PolicyDocument": allow(arns)})), {}).others
    assert [(one.account, one.region) for one in found] == others
