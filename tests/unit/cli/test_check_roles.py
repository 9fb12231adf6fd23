"""`permission-guard check` evaluates whether the execution roles of a template allow reading the event sources."""

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
    """Evaluate PG201 alone; the other rules have their own test files."""
    return lambda content, *options: check(content, "--rule", "PG201", *options)


def allow(*actions: str, resource: Any = "*", effect: str = "Allow") -> dict[str, Any]:
    """Return a policy document of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def inline(document: Any) -> dict[str, Any]:
    """Return a role's properties with one inline policy."""
    return {"Policies": [{"PolicyName": "own", "PolicyDocument": document}]}


def attached(*names: Any) -> dict[str, Any]:
    """Return a role's properties with managed policies; a string is the name of an AWS managed policy."""
    return {"ManagedPolicyArns": [f"{MANAGED}{name}" if isinstance(name, str) else name for name in names]}


def template(role: dict[str, Any], mapping: Any = None, resources: Any = None, **sections: Any) -> dict[str, Any]:
    """Return a template with a function, its role, a queue and an event source mapping between them."""
    properties = {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": QUEUE, **(mapping or {})}
    return {
        **sections,
        "Resources": {
            "Orders": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Poll": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties},
            **(resources or {}),
        },
    }


def outcome(result: Any) -> str:
    """Return the outcome of PG201 for the mapping."""
    assert {rule for rule, _ in [*result.findings, *result.unknowns]} <= {"PG201"}
    return "fail" if result.findings else "unknown" if result.unknowns else "pass"


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
        (attached("AmazonSQSFullAccess"), "pass"),
        (attached("PowerUserAccess"), "pass"),
        (attached("IAMFullAccess", "AmazonS3FullAccess", "AmazonSQSReadOnlyAccess"), "fail"),
        (attached("AmazonNewAccess"), "unknown"),
        ({**attached("AmazonNewAccess"), **inline(allow(*READ))}, "pass"),
        ({**attached("AWSDenyAll"), **inline(allow(*READ))}, "fail"),
        ({**attached("AWSNewDenyAll"), **inline(allow(*READ))}, "unknown"),
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
        ({**attached(SQS), "PermissionsBoundary": f"{MANAGED}PowerUserAccess"}, "pass"),
        ({**attached(SQS), "PermissionsBoundary": f"{MANAGED}AmazonS3FullAccess"}, "fail"),
        ({**attached(SQS), "Path": "/app/", "RoleName": "orders-role", "Tags": [{"Key": "a", "Value": "b"}]}, "pass"),
        (inline(None), "unknown"),
        ({"Policies": "none", "ManagedPolicyArns": f"{MANAGED}{SQS}"}, "pass"),
    ],
)
def test_the_policies_of_the_template_decide(check: Any, role: dict[str, Any], expected: str) -> None:
    """Inline and managed policies, Deny statements and boundaries count; a policy outside the file is unknown."""
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
def test_a_policy_can_name_the_role(check: Any, policy: dict[str, Any]) -> None:
    """The policy does not count if its condition is false."""
    assert outcome(check(template({}, resources={"Read": policy}))) == "pass"
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    without = template({}, resources={"Read": {**policy, "Condition": "Never"}}, Conditions=never)
    assert outcome(check(without)) == "fail"


def test_a_policy_with_an_undecided_condition_is_unknown(check: Any) -> None:
    """Its condition depends on a parameter without a default."""
    policy = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": allow(*READ)}}
    body = template(
        {},
        resources={"Read": {**policy, "Condition": "Reads"}},
        Conditions={"Reads": {"Fn::Equals": [{"Ref": "Mode"}, "read"]}},
        Parameters={"Mode": {"Type": "String"}},
    )
    result = check(body)
    assert result.unknowns == [
        ("PG201", "Unknown: it depends on the condition Reads, which cannot be resolved from the file.")
    ]
    assert outcome(check(body, "--parameter", "Mode=read")) == "pass"
    assert outcome(check(body, "--parameter", "Mode=none")) == "fail"


def test_the_reason_names_what_the_outcome_depends_on(check: Any) -> None:
    """It names a managed policy that AWS added later."""
    result = check(template(attached("AmazonNewAccess")))
    assert result.unknowns == [
        ("PG201", "Unknown: it depends on the policy AmazonNewAccess, which cannot be resolved from the file.")
    ]


def test_a_finding_names_the_mapping_and_the_missing_actions(check: Any) -> None:
    """The remedy is a statement to paste, not a command."""
    finding = check(template({})).document["findings"][0]
    assert finding["subject"] == "event-source-mapping/Poll"
    assert [need["action"] for need in finding["evidence"]["missing"]] == READ
    assert finding["remedies"][0]["kind"] == "policy-statement"
    assert "aws-cli" not in {remedy["kind"] for remedy in finding["remedies"]}


@pytest.mark.parametrize("enabled", [False, "false"])
def test_a_disabled_mapping_passes(check: Any, enabled: Any) -> None:
    """Lambda does not poll for a disabled mapping."""
    assert outcome(check(template({}, {"Enabled": enabled}))) == "pass"


def test_a_mapping_of_an_alias_uses_the_role_of_the_function(check: Any) -> None:
    """The template has the role only for the function."""
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Orders"}, "Name": "live"}}
    assert outcome(check(template(attached(SQS), {"FunctionName": {"Ref": "Live"}}, {"Live": alias}))) == "pass"
    result = check(template({}, {"FunctionName": {"Ref": "Live"}}, {"Live": alias}))
    assert result.document["findings"][0]["function_arn"].endswith(":function:Orders:live")


def test_a_function_or_role_outside_the_file_is_unknown(check: Any) -> None:
    """The reason names it."""
    result = check(template({}, {"FunctionName": "elsewhere"}))
    assert result.unknowns == [("PG201", "Unknown: the function elsewhere is not in the file.")]
    role = {"Orders": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Ref": "RoleArn"}}}}
    result = check(template({}, resources=role, Parameters={"RoleArn": {"Type": "String"}}))
    assert result.unknowns == [("PG201", "Unknown: the role ${RoleArn} is not in the file.")]
    result = check(template({}, resources={"Orders": {"Type": "AWS::Lambda::Function"}}))
    assert result.unknowns == [("PG201", "Unknown: the role of the function is not in the file.")]


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
def test_each_kind_of_stream_has_its_own_needs(check: Any, source: Any, policy: str) -> None:
    """Each kind has its own managed policy."""
    sources = {"Stream": STREAM, "Consumer": CONSUMER, "Table": TABLE}
    mapping = {"EventSourceArn": source, "StartingPosition": "LATEST"}
    assert outcome(check(template(attached(policy), mapping, sources))) == "pass"
    assert outcome(check(template(attached(SQS), mapping, sources))) == "fail"


def test_an_unresolved_source_passes_if_the_role_has_the_same_reference(check: Any) -> None:
    """Without a statement for the reference, the outcome is unknown."""
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


def test_too_many_unresolved_values_in_a_source_are_unknown(check: Any) -> None:
    """There are too many combinations to evaluate."""
    names = [f"Part{number}" for number in range(3)]
    about = {name: {"Type": "String", "AllowedValues": list("abcdefghij")} for name in names}
    source = {"Fn::Join": ["", [{"Ref": name} for name in names]]}
    assert outcome(check(template({}, {"EventSourceArn": source}, Parameters=about))) == "unknown"


def test_the_policy_of_the_queue_counts(check: Any) -> None:
    """In the same account it can allow what the role's policies do not. The policy of another queue is unknown."""
    principal = {"AWS": {"Fn::GetAtt": ["Role", "Arn"]}}
    document = allow(*READ)
    document["Statement"][0]["Principal"] = principal
    policy = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document}}
    assert outcome(check(template({}, resources={"Own": policy}))) == "pass"
    elsewhere = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:elsewhere"}
    assert outcome(check(template({}, elsewhere))) == "unknown"
    assert outcome(check(template(attached(SQS), elsewhere))) == "pass"


def test_the_policies_of_streams_count(check: Any) -> None:
    """For Kinesis the policy is a resource, for DynamoDB a property of the table."""
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
    """Its condition is false with the parameters."""
    body = template({}, Conditions={"Never": {"Fn::Equals": ["a", "b"]}})
    body["Resources"]["Poll"]["Condition"] = "Never"
    result = check(body)
    assert [one["resource"] for one in result.document["left_out"]] == ["Poll"]
