"""`permission-guard check` judges the execution roles of a template, with which Lambda reads its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
QUEUE = {"Fn::GetAtt": ["Queue", "Arn"]}
MANAGED = "arn:aws:iam::aws:policy/"


@pytest.fixture
def check(check: Callable[..., Any]) -> Callable[..., Any]:
    """Ask PG201 alone; what the others say of the role is for another file."""
    return lambda content, *options: check(content, "--rule", "PG201", *options)


def allow(*actions: str, resource: Any = "*", effect: str = "Allow") -> dict[str, Any]:
    """Return a policy document of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def inline(document: Any) -> dict[str, Any]:
    """Return a role's properties with one inline policy."""
    return {"Policies": [{"PolicyName": "own", "PolicyDocument": document}]}


def attached(*names: Any) -> dict[str, Any]:
    """Return a role's properties with managed policies, AWS's by their names."""
    return {"ManagedPolicyArns": [f"{MANAGED}{name}" if isinstance(name, str) else name for name in names]}


def template(role: dict[str, Any], mapping: Any = None, resources: Any = None, **sections: Any) -> dict[str, Any]:
    """Return a template with a function, its role, a queue and an event source mapping between them."""
    about = {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": QUEUE, **(mapping or {})}
    return {
        **sections,
        "Resources": {
            "Orders": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Poll": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": about},
            **(resources or {}),
        },
    }


def outcome(said: Any) -> str:
    """Return what PG201 says of the mapping."""
    assert {rule for rule, _ in [*said.findings, *said.unknowns]} <= {"PG201"}
    return "fail" if said.findings else "unknown" if said.unknowns else "pass"


BASIC = "service-role/AWSLambdaBasicExecutionRole"
SQS = "service-role/AWSLambdaSQSQueueExecutionRole"
KINESIS = "service-role/AWSLambdaKinesisExecutionRole"
OWN_POLICY = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Path": "/app/", "PolicyDocument": allow(*READ)}}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ({}, "fail"),
        (attached(BASIC), "fail"),
        (attached(BASIC, KINESIS), "fail"),
        (attached(SQS), "pass"),
        (attached("AdministratorAccess"), "pass"),
        (attached("AmazonSQSFullAccess"), "unknown"),
        ({**attached("AmazonSQSFullAccess"), **inline(allow(*READ))}, "pass"),
        ({**attached("AWSDenyAll"), **inline(allow(*READ))}, "unknown"),
        (attached({"Ref": "Own"}), "pass"),
        (attached({"Fn::ImportValue": "shared-policy"}), "unknown"),
        (inline(allow(*READ, resource=QUEUE)), "pass"),
        (inline(allow(*READ[:2], resource=QUEUE)), "fail"),
        (inline(allow(*READ, resource={"Fn::Sub": "arn:aws:sqs:*:${AWS::AccountId}:Queue"})), "pass"),
        (inline(allow(*READ, resource={"Ref": "Other"})), "unknown"),
        (inline(allow(*READ, resource={"Fn::Sub": "arn:aws:s3:::${Other}"})), "fail"),
        ({"Policies": [*inline(allow(*READ))["Policies"], *inline(allow("sqs:*", effect="Deny"))["Policies"]]}, "fail"),
        ({**attached(SQS), **inline(allow("sqs:*", resource={"Ref": "Other"}, effect="Deny"))}, "unknown"),
        ({**attached(SQS), "PermissionsBoundary": {"Ref": "Own"}}, "pass"),
        ({**attached(SQS), "PermissionsBoundary": {"Ref": "Narrow"}}, "fail"),
        ({**attached(SQS), "PermissionsBoundary": f"{MANAGED}Elsewhere"}, "unknown"),
        ({**attached(SQS), "Path": "/app/", "RoleName": "orders-role", "Tags": [{"Key": "a", "Value": "b"}]}, "pass"),
        (inline(None), "unknown"),
        ({"Policies": "none", "ManagedPolicyArns": f"{MANAGED}{SQS}"}, "pass"),
    ],
)
def test_the_policies_of_the_template_decide(check: Any, role: dict[str, Any], expected: str) -> None:
    """Inline or managed, with Deny statements and a boundary; what is not in the file is not certain."""
    narrow = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": allow("logs:*")}}
    body = template(role, resources={"Own": OWN_POLICY, "Narrow": narrow}, Parameters={"Other": {"Type": "String"}})
    assert outcome(check(body)) == expected


@pytest.mark.parametrize(
    "policy",
    [
        {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": allow(*READ)}},
        {"Type": "AWS::IAM::RolePolicy", "Properties": {"RoleName": {"Ref": "Role"}, "PolicyDocument": allow(*READ)}},
        {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": allow(*READ)}},
    ],
)
def test_a_policy_may_name_the_role_itself(check: Any, policy: dict[str, Any]) -> None:
    """And is not there where its condition does not hold."""
    assert outcome(check(template({}, resources={"Read": policy}))) == "pass"
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    without = template({}, resources={"Read": {**policy, "Condition": "Never"}}, Conditions=never)
    assert outcome(check(without)) == "fail"


def test_a_policy_that_may_not_be_there_is_not_certain(check: Any) -> None:
    """Its condition hangs on a parameter."""
    policy = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": allow(*READ)}}
    body = template(
        {},
        resources={"Read": {**policy, "Condition": "Reads"}},
        Conditions={"Reads": {"Fn::Equals": [{"Ref": "Mode"}, "read"]}},
        Parameters={"Mode": {"Type": "String"}},
    )
    said = check(body)
    assert said.unknowns == [("PG201", "It hangs on the condition Reads, which the file does not say.")]
    assert outcome(check(body, "--parameter", "Mode=read")) == "pass"
    assert outcome(check(body, "--parameter", "Mode=none")) == "fail"


def test_the_reason_names_what_it_hangs_on(check: Any) -> None:
    """The managed policies whose contents nobody can see from here."""
    said = check(template(attached("AmazonSQSFullAccess")))
    assert said.unknowns == [("PG201", "It hangs on the policy AmazonSQSFullAccess, which the file does not say.")]


def test_a_finding_names_the_mapping_and_what_is_missing(check: Any) -> None:
    """With a statement to paste, not a command."""
    finding = check(template({})).document["findings"][0]
    assert finding["subject"] == "event-source-mapping/Poll"
    assert [need["action"] for need in finding["evidence"]["missing"]] == READ
    assert finding["remedies"][0]["kind"] == "policy-statement"
    assert "aws-cli" not in {remedy["kind"] for remedy in finding["remedies"]}


@pytest.mark.parametrize("enabled", [False, "false"])
def test_a_mapping_that_is_off_passes(check: Any, enabled: Any) -> None:
    """Nothing is polled."""
    assert outcome(check(template({}, {"Enabled": enabled}))) == "pass"


def test_a_mapping_of_an_alias_is_of_its_function(check: Any) -> None:
    """The function of the template has the role."""
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Orders"}, "Name": "live"}}
    assert outcome(check(template(attached(SQS), {"FunctionName": {"Ref": "Live"}}, {"Live": alias}))) == "pass"
    said = check(template({}, {"FunctionName": {"Ref": "Live"}}, {"Live": alias}))
    assert said.document["findings"][0]["function_arn"].endswith(":function:Orders:live")


def test_a_function_or_role_elsewhere_is_not_certain(check: Any) -> None:
    """It is named."""
    said = check(template({}, {"FunctionName": "elsewhere"}))
    assert said.unknowns == [("PG201", "The function elsewhere is not in the file.")]
    role = {"Orders": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Ref": "RoleArn"}}}}
    said = check(template({}, resources=role, Parameters={"RoleArn": {"Type": "String"}}))
    assert said.unknowns == [("PG201", "The role ${RoleArn} is not in the file.")]
    said = check(template({}, resources={"Orders": {"Type": "AWS::Lambda::Function"}}))
    assert said.unknowns == [("PG201", "The role of the function is not in the file.")]


# ── Sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────

STREAM = {"Type": "AWS::Kinesis::Stream"}
TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "orders"}}
CONSUMER = {
    "Type": "AWS::Kinesis::StreamConsumer",
    "Properties": {"StreamARN": {"Fn::GetAtt": ["Stream", "Arn"]}, "ConsumerName": "fan-out"},
}


@pytest.mark.parametrize(
    ("source", "policy"),
    [
        ({"Fn::GetAtt": ["Stream", "Arn"]}, KINESIS),
        ({"Ref": "Consumer"}, KINESIS),
        ({"Fn::GetAtt": ["Consumer", "ConsumerARN"]}, KINESIS),
        ({"Fn::GetAtt": ["Table", "StreamArn"]}, "service-role/AWSLambdaDynamoDBExecutionRole"),
    ],
)
def test_streams_have_needs_of_their_own(check: Any, source: Any, policy: str) -> None:
    """And a managed policy each."""
    made = {"Stream": STREAM, "Consumer": CONSUMER, "Table": TABLE}
    mapping = {"EventSourceArn": source, "StartingPosition": "LATEST"}
    assert outcome(check(template(attached(policy), mapping, made))) == "pass"
    assert outcome(check(template(attached(SQS), mapping, made))) == "fail"


def test_a_source_that_is_given_later_passes_where_the_role_names_the_same(check: Any) -> None:
    """Whatever it is; without a statement for it, it is not certain."""
    given = {"Parameters": {"QueueArn": {"Type": "String"}}}
    mapping = {"EventSourceArn": {"Ref": "QueueArn"}}
    assert outcome(check(template(inline(allow(*READ, resource={"Ref": "QueueArn"})), mapping, **given))) == "pass"
    assert outcome(check(template(attached(SQS), mapping, **given))) == "pass"
    assert outcome(check(template({}, mapping, **given))) == "unknown"
    named = {"EventSourceArn": {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${QueueArn}"}}
    assert outcome(check(template(attached(SQS), named, **given))) == "pass"
    allowed = {"QueueArn": {"Type": "String", "AllowedValues": ["arn:aws:sqs:us-east-1:123456789012:a"]}}
    assert outcome(check(template(attached(SQS), mapping, Parameters=allowed))) == "pass"
    kafka = {"EventSourceArn": {"Ref": "QueueArn"}, "Topics": ["orders"], "StartingPosition": "LATEST"}
    assert outcome(check(template({}, kafka, **given))) == "pass"
    stream = {**mapping, "StartingPosition": "LATEST"}
    assert outcome(check(template(attached(KINESIS), stream, **given))) == "unknown"
    both = attached(KINESIS, "service-role/AWSLambdaDynamoDBExecutionRole")
    assert outcome(check(template(both, stream, **given))) == "pass"


def test_too_many_gaps_in_a_source_are_not_certain(check: Any) -> None:
    """Rather than a long wait or a guess."""
    names = [f"Part{number}" for number in range(3)]
    about = {name: {"Type": "String", "AllowedValues": list("abcdefghij")} for name in names}
    source = {"Fn::Join": ["", [{"Ref": name} for name in names]]}
    assert outcome(check(template({}, {"EventSourceArn": source}, Parameters=about))) == "unknown"


def test_the_policy_of_the_queue_itself_counts(check: Any) -> None:
    """In the same account it may grant what the role's policies do not; that of a queue elsewhere is not known."""
    principal = {"AWS": {"Fn::GetAtt": ["Role", "Arn"]}}
    document = allow(*READ)
    document["Statement"][0]["Principal"] = principal
    policy = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document}}
    assert outcome(check(template({}, resources={"Own": policy}))) == "pass"
    elsewhere = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:elsewhere"}
    assert outcome(check(template({}, elsewhere))) == "unknown"
    assert outcome(check(template(attached(SQS), elsewhere))) == "pass"


def test_the_policies_of_streams_count(check: Any) -> None:
    """Kinesis has a resource for them, DynamoDB a property of the table."""
    principal = {"AWS": {"Fn::GetAtt": ["Role", "Arn"]}}
    document = allow("kinesis:*", "dynamodb:*")
    document["Statement"][0]["Principal"] = principal
    kinesis = {
        "Stream": STREAM,
        "Own": {
            "Type": "AWS::Kinesis::ResourcePolicy",
            "Properties": {"ResourceArn": {"Fn::GetAtt": ["Stream", "Arn"]}, "ResourcePolicy": document},
        },
    }
    assert outcome(check(template({}, {"EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]}}, kinesis))) == "pass"
    stream = {"ResourcePolicy": {"PolicyDocument": document}}
    table = {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"StreamSpecification": stream}}}
    assert outcome(check(template({}, {"EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]}}, table))) == "pass"
    assert (
        outcome(check(template({}, {"EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]}}, {"Table": TABLE})))
        == "fail"
    )


def test_a_mapping_that_is_left_out_is_named(check: Any) -> None:
    """By the condition, as the parameters stand."""
    body = template({}, Conditions={"Never": {"Fn::Equals": ["a", "b"]}})
    body["Resources"]["Poll"]["Condition"] = "Never"
    said = check(body)
    assert [one["resource"] for one in said.document["left_out"]] == ["Poll"]
