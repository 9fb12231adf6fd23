"""`permission-guard check` evaluates the role of every function of a template, in every scenario of the template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import TRUST_LAMBDA

if TYPE_CHECKING:
    from collections.abc import Callable

MANAGED = "arn:aws:iam::aws:policy/"
BASIC = f"{MANAGED}service-role/AWSLambdaBasicExecutionRole"
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
ROLE = {"Fn::GetAtt": ["Role", "Arn"]}
QUEUE = {"Fn::GetAtt": ["Queue", "Arn"]}
STAGE = {"Stage": {"Type": "String"}}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """Return a policy document of one statement."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def role(*policies: Any, attached: Any = (BASIC,), **more: Any) -> dict[str, Any]:
    """Return a role that Lambda can assume, with inline and managed policies."""
    inline = [{"PolicyName": f"p{number}", "PolicyDocument": one} for number, one in enumerate(policies)]
    properties = {"AssumeRolePolicyDocument": TRUST_LAMBDA, "ManagedPolicyArns": list(attached), "Policies": inline}
    return {"Type": "AWS::IAM::Role", "Properties": {**properties, **more}}


def function(**properties: Any) -> dict[str, Any]:
    """Return a function with the role `Role`."""
    return {"Type": "AWS::Lambda::Function", "Properties": {"Role": ROLE, **properties}}


def template(resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Return a template with the role `Role`, the queue `Queue` and the function `Orders`."""
    known = {"Role": role(), "Queue": {"Type": "AWS::SQS::Queue"}, "Orders": function()}
    return {**sections, "Resources": {**known, **resources}}


def equals(name: str, value: str) -> dict[str, Any]:
    """Return a condition on a parameter."""
    return {"Fn::Equals": [{"Ref": name}, value]}


# ── Every function ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_function_without_a_mapping_is_evaluated(check: Callable[..., Any]) -> None:
    """Anyone can assume its role, which is an administrator."""
    anyone = {"Statement": [{"Sid": "All", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    own = role(attached=[f"{MANAGED}AdministratorAccess"], AssumeRolePolicyDocument=anyone)
    result = check(template({"Role": own}))
    assert result.findings == [("PG208", "trust/Role/All"), ("PG210", "role/arn:aws:iam::123456789012:role/Role")]
    assert [one["severity"] for one in result.document["findings"]] == ["critical", "high"]


@pytest.mark.parametrize(
    ("properties", "policies", "found"),
    [
        ({}, {"attached": ()}, ["PG204"]),
        ({"VpcConfig": VPC}, {}, ["PG205"]),
        ({"VpcConfig": {"SubnetIds": {"Ref": "Subnets"}}}, {}, ["PG205"]),
        ({"TracingConfig": {"Mode": "Active"}}, {}, ["PG206"]),
        ({"DurableConfig": {"ExecutionTimeout": 60}}, {}, ["PG211"]),
        ({}, {"AssumeRolePolicyDocument": {"Statement": []}}, ["PG207"]),
        ({}, {"attached": (BASIC, f"{MANAGED}PowerUserAccess")}, ["PG210"]),
        ({}, {"attached": (BASIC, f"{MANAGED}IAMFullAccess")}, ["PG210"]),
        ({}, {"attached": (BASIC, f"{MANAGED}AmazonS3FullAccess")}, ["PG210"]),
        ({}, {}, []),
    ],
)
def test_each_rule_on_roles_is_evaluated(
    check: Callable[..., Any], properties: Any, policies: Any, found: list[str]
) -> None:
    """No rule needs an event source mapping."""
    result = check(
        template(
            {"Orders": function(**properties), "Role": role(**policies)}, Parameters={"Subnets": {"Type": "String"}}
        )
    )
    assert [rule for rule, _ in result.findings] == found
    assert result.code == (1 if found else 0)


def test_each_function_is_evaluated_and_a_role_has_one_finding(check: Callable[..., Any]) -> None:
    """Findings on what a function needs are of the function, those on who can assume the role of the role."""
    trust = {
        "Statement": [*TRUST_LAMBDA["Statement"], {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]
    }
    functions = {f"F{number}": function(VpcConfig=VPC) for number in range(3)}
    result = check({"Resources": {"Role": role(AssumeRolePolicyDocument=trust), **functions}})
    assert sorted(rule for rule, _ in result.findings) == ["PG205", "PG205", "PG205", "PG208", "PG209"]


def test_a_role_outside_the_file_is_unknown(check: Callable[..., Any]) -> None:
    """The rules say which role is missing."""
    result = check(template({"Orders": function(Role={"Fn::ImportValue": "role-arn"}, VpcConfig=VPC)}))
    assert result.code == 3
    assert {rule for rule, _ in result.unknowns} == {"PG204", "PG205", "PG207", "PG208", "PG210"}
    assert {reason for _, reason in result.unknowns} == {"Unknown: the role ${import of role-arn} is not in the file."}


def test_a_function_that_the_parameters_exclude_is_named(check: Callable[..., Any]) -> None:
    """It is not evaluated."""
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    result = check(template({"Orders": {**function(VpcConfig=VPC), "Condition": "Never"}}, Conditions=never))
    assert (result.code, [one["resource"] for one in result.document["left_out"]]) == (0, ["Orders"])


def test_too_many_conditions_of_a_function_are_unknown(check: Callable[..., Any]) -> None:
    """The other resources of the file are still evaluated."""
    names = [f"Is{number}" for number in range(8)]
    about = {
        "Conditions": {name: equals(name, "x") for name in names},
        "Parameters": {name: {"Type": "String"} for name in names},
    }
    group = {"Fn::Join": ["", [{"Fn::If": [name, "a", "b"]} for name in names]]}
    logging = {"LoggingConfig": {"LogGroup": group}}
    result = check(template({"Orders": function(**logging), "Second": function(VpcConfig=VPC)}, **about))
    assert ("PG204", "Unknown: it depends on too many values that cannot be resolved from the file.") in result.unknowns
    assert ("PG205", "vpc-access") in result.findings


# ── Destinations and shared roles ───────────────────────────────────────────────────────────────────────────────────

SEND = allow("sqs:SendMessage", QUEUE)
KEY = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": allow("kms:*", Principal={"AWS": "123456789012"})}}
KEYED = {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": {"Ref": "Key"}}}
USE = allow(["kms:Decrypt", "kms:GenerateDataKey"], {"Fn::GetAtt": ["Key", "Arn"]})
ON_FAILURE = {"OnFailure": {"Destination": QUEUE}}


def invoke_config(**properties: Any) -> dict[str, Any]:
    """Return the destinations of the function's asynchronous invocations."""
    properties = {"FunctionName": {"Ref": "Orders"}, "Qualifier": "$LATEST", **properties}
    return {"Config": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": properties}}


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        ({"Orders": function(DeadLetterConfig={"TargetArn": QUEUE})}, "fail"),
        ({"Orders": function(DeadLetterConfig={"TargetArn": QUEUE}), "Role": role(SEND)}, "pass"),
        (
            {"Orders": function(DeadLetterConfig={"TargetArn": QUEUE}), "Role": role(SEND), "Queue": KEYED, "Key": KEY},
            "fail",
        ),
        (
            {
                "Orders": function(DeadLetterConfig={"TargetArn": QUEUE}),
                "Role": role(SEND, USE),
                "Queue": KEYED,
                "Key": KEY,
            },
            "pass",
        ),
        (invoke_config(DestinationConfig=ON_FAILURE), "fail"),
        ({**invoke_config(DestinationConfig=ON_FAILURE), "Role": role(SEND)}, "pass"),
        (invoke_config(DestinationConfig=ON_FAILURE, FunctionName="another"), "pass"),
        ({"Orders": function(DeadLetterConfig={"TargetArn": {"Ref": "Outside"}})}, "unknown"),
        (
            {
                "Orders": function(DeadLetterConfig={"TargetArn": {"Ref": "Outside"}}),
                "Role": role(allow(["sqs:SendMessage", "sns:Publish"])),
            },
            "pass",
        ),
        (
            {
                "Orders": function(DeadLetterConfig={"TargetArn": {"Ref": "Outside"}}),
                "Role": role(allow(["sqs:SendMessage", "sns:Publish"], {"Ref": "Outside"})),
            },
            "pass",
        ),
        ({"Orders": function(DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:outside"})}, "unknown"),
    ],
)
def test_the_destinations_of_a_function_are_evaluated(check: Callable[..., Any], resources: Any, outcome: str) -> None:
    """With the key of a queue of the file, and with the policy of one outside the file as unknown."""
    body = template(resources, Parameters={"Outside": {"Type": "String"}})
    result = check(body, "--rule", "PG203")
    assert outcome == ("fail" if result.findings else "unknown" if result.unknowns else "pass")


def test_the_destination_of_a_mapping_is_evaluated(check: Callable[..., Any]) -> None:
    """The finding is on the mapping."""
    stream = {"Fn::GetAtt": ["Stream", "Arn"]}
    properties = {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": stream, "DestinationConfig": ON_FAILURE}
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {**properties, "StartingPosition": "LATEST"}}
    resources = {"Stream": {"Type": "AWS::Kinesis::Stream"}, "Poll": mapping}
    reading = f"{MANAGED}service-role/AWSLambdaKinesisExecutionRole"
    assert check(template({**resources, "Role": role(attached=[reading])})).findings == [
        ("PG203", "event-source-mapping/Poll")
    ]
    assert check(template({**resources, "Role": role(SEND, attached=[reading])})).code == 0


def test_the_keys_of_destinations_outside_the_file_are_listed_as_skipped(check: Callable[..., Any]) -> None:
    """Whether they are in use is not in the file."""
    outside = "arn:aws:sqs:us-east-1:123456789012:outside"
    body = template(
        {"Orders": function(DeadLetterConfig={"TargetArn": outside}), "Role": role(allow("sqs:SendMessage"))}
    )
    skipped = {one["rule_id"]: one["reason"] for one in check(body).document["skipped"]}
    assert skipped["PG203"] == f"need account access: the keys of destinations outside the file: {outside}"
    inside = template({"Orders": function(DeadLetterConfig={"TargetArn": QUEUE}), "Role": role(SEND)})
    assert "PG203" not in {one["rule_id"] for one in check(inside).document["skipped"]}


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        ({"Role": ROLE}, "fail"),
        ({"Role": {"Fn::Sub": "${Role.Arn}"}}, "fail"),
        ({"Role": {"Fn::If": ["IsProd", ROLE, ROLE]}}, "fail"),
        ({"Role": {"Fn::If": ["IsProd", ROLE, {"Fn::GetAtt": ["Other", "Arn"]}]}}, "unknown"),
        ({"Role": {"Fn::GetAtt": ["Other", "Arn"]}}, "pass"),
    ],
)
def test_a_role_that_functions_of_the_file_share_is_found(check: Callable[..., Any], second: Any, outcome: str) -> None:
    """Each expression that gives the same role counts."""
    about = {"Conditions": {"IsProd": equals("Stage", "prod")}, "Parameters": STAGE}
    result = check(template({"Other": role(), "Second": function(**second)}, **about), "--rule", "PG209")
    assert outcome == ("fail" if result.findings else "unknown" if result.unknowns else "pass")


def test_a_role_outside_the_file_can_be_shared_too(check: Callable[..., Any]) -> None:
    """Two functions with the same parameter have the same role; two parameters can be two roles."""
    given = {name: {"Type": "String"} for name in ("A", "B")}
    shared = {name: function(Role={"Ref": "A"}) for name in ("Orders", "Second")}
    result = check(template(shared, Parameters=given), "--rule", "PG209")
    assert result.findings == [("PG209", "shared-role/${A}")]
    separate = {"Orders": function(Role={"Ref": "A"}), "Second": function(Role={"Ref": "B"})}
    assert check(template(separate, Parameters=given), "--rule", "PG209").findings == []


def test_functions_that_exclude_each_other_do_not_share_a_role(check: Callable[..., Any]) -> None:
    """Only one of them is created."""
    about = {
        "Conditions": {"IsProd": equals("Stage", "prod"), "NotProd": {"Fn::Not": [{"Condition": "IsProd"}]}},
        "Parameters": STAGE,
    }
    one, two = {**function(), "Condition": "IsProd"}, {**function(), "Condition": "NotProd"}
    assert check(template({"Orders": one, "Second": two}, **about), "--rule", "PG209").code == 0


# ── Unresolved values ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("properties", "outcome"),
    [
        ({"TracingConfig": {"Mode": {"Ref": "Given"}}}, "unknown"),
        ({"FileSystemConfigs": [{"Arn": {"Ref": "Given"}, "LocalMountPath": "/mnt/a"}]}, "unknown"),
        ({"LoggingConfig": {"LogGroup": {"Ref": "Given"}}}, "pass"),
        ({"Environment": {"Variables": {"A": {"Ref": "Given"}}}}, "pass"),
    ],
)
def test_a_feature_that_depends_on_a_parameter_is_not_a_pass(
    check: Callable[..., Any], properties: Any, outcome: str
) -> None:
    """Whether it is used is unknown."""
    result = check(template({"Orders": function(**properties)}, Parameters={"Given": {"Type": "String"}}))
    assert outcome == ("fail" if result.findings else "unknown" if result.unknowns else "pass")
    assert all("unresolved" not in reason for _, reason in result.unknowns)


def logs(name: Any) -> Any:
    """Return the ARN of a log group."""
    return {
        "Fn::Sub": ["arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${Name}:*", {"Name": name}]
    }


WRITE = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


@pytest.mark.parametrize(
    ("function_name", "allowed", "outcome"),
    [
        ({"Ref": "A"}, {"Ref": "A"}, "pass"),
        ({"Ref": "A"}, {"Ref": "B"}, "unknown"),
        ({"Fn::Sub": "f-${A}"}, {"Fn::Sub": "f-${A}"}, "pass"),
        ({"Fn::Select": [0, {"Ref": "A"}]}, {"Fn::Select": [0, {"Ref": "A"}]}, "pass"),
        ({"Fn::Select": [0, {"Ref": "A"}]}, {"Fn::Select": [1, {"Ref": "A"}]}, "unknown"),
        ({"Fn::FindInMap": ["M", {"Ref": "A"}, "x"]}, {"Fn::FindInMap": ["M", {"Ref": "A"}, "x"]}, "pass"),
        ({"Fn::FindInMap": ["M", {"Ref": "A"}, "x"]}, {"Fn::FindInMap": ["M", {"Ref": "A"}, "y"]}, "unknown"),
        ({"Fn::FindInMap": ["M", {"Ref": "A"}, "x"]}, {"Fn::FindInMap": ["M", {"Ref": "B"}, "x"]}, "unknown"),
        ({"Fn::If": ["IsA", "x", "y"]}, {"Fn::If": ["IsA", "x", "y"]}, "pass"),
        ({"Fn::If": ["IsA", "x", "y"]}, {"Fn::If": ["NotA", "y", "x"]}, "pass"),
        ({"Fn::If": ["IsA", "x", "y"]}, {"Fn::If": ["IsB", "x", "y"]}, "unknown"),
        ({"Fn::If": ["IsA", {"Ref": "A"}, "y"]}, {"Fn::If": ["IsA", "x", "y"]}, "pass"),
        ({"Ref": "Stage"}, {"Ref": "Stage"}, "pass"),
        ({"Ref": "Stage"}, {"Fn::If": ["IsCode", "CODE", "PROD"]}, "pass"),
        ({"Ref": "Stage"}, {"Fn::If": ["IsCode", "PROD", "CODE"]}, "fail"),
        ({"Ref": "A"}, "x", "unknown"),
        ("y", {"Ref": "A"}, "unknown"),
        ({"Fn::Sub": "f-${A}"}, "g-x", "fail"),
        ({"Ref": "Stage"}, "CODE", "unknown"),
        ({"Fn::ImportValue": "a"}, {"Fn::ImportValue": "a"}, "pass"),
        ({"Fn::ImportValue": "a"}, {"Fn::ImportValue": "b"}, "unknown"),
    ],
)
def test_a_value_is_equal_only_to_itself_and_is_the_same_everywhere(
    check: Callable[..., Any], function_name: Any, allowed: Any, outcome: str
) -> None:
    """In the name of the function, and in the policy for its log group."""
    body = template(
        {"Role": role(allow(WRITE, logs(allowed)), attached=()), "Orders": function(FunctionName=function_name)},
        Parameters={
            "A": {"Type": "String"},
            "B": {"Type": "String"},
            "Stage": {"Type": "String", "AllowedValues": ["CODE", "PROD"]},
        },
        Conditions={
            "IsA": equals("A", "x"),
            "NotA": {"Fn::Not": [{"Condition": "IsA"}]},
            "IsB": equals("B", "x"),
            "IsCode": equals("Stage", "CODE"),
        },
    )
    result = check(body, "--rule", "PG204")
    assert outcome == ("fail" if result.findings else "unknown" if result.unknowns else "pass")


@pytest.mark.parametrize(
    ("policies", "outcome"),
    [
        ([allow(WRITE, Condition={"StringEquals": {"aws:ResourceAccount": {"Ref": "Given"}}})], "unknown"),
        ([allow(WRITE), allow(WRITE, Condition={"StringEquals": {"aws:PrincipalTag/a": {"Ref": "Given"}}})], "pass"),
        (
            [
                allow(WRITE),
                allow("*", Effect="Deny", Condition={"StringNotEquals": {"aws:ResourceAccount": {"Ref": "Given"}}}),
            ],
            "unknown",
        ),
        (
            [
                allow(WRITE),
                allow("s3:*", Effect="Deny", Condition={"StringNotEquals": {"aws:ResourceAccount": {"Ref": "Given"}}}),
            ],
            "pass",
        ),
        (
            [
                allow(WRITE),
                {
                    "Version": "2012-10-17",
                    "Statement": {"Effect": "Deny", "Action": "*", "NotResource": {"Ref": "Given"}},
                },
            ],
            "unknown",
        ),
        ([allow({"Ref": "Given"})], "unknown"),
    ],
)
def test_a_statement_with_an_unresolved_condition_can_match_or_not(
    check: Callable[..., Any], policies: Any, outcome: str
) -> None:
    """What it allows or denies is unknown."""
    body = template({"Role": role(*policies, attached=())}, Parameters={"Given": {"Type": "String"}})
    result = check(body, "--rule", "PG204")
    assert outcome == ("fail" if result.findings else "unknown" if result.unknowns else "pass")


def test_long_lists_of_allowed_values_are_not_too_many(check: Callable[..., Any]) -> None:
    """Only the values that conditions compare with make scenarios."""
    names = ["A", "B", "C"]
    sizes = [f"t3.{number}" for number in range(30)]
    group = {"Fn::Join": ["", [{"Fn::If": [name, "a", "b"]} for name in names]]}
    body = template(
        {"Orders": function(LoggingConfig={"LogGroup": group})},
        Parameters={name: {"Type": "String", "AllowedValues": sizes} for name in names},
        Conditions={name: equals(name, "t3.7") for name in names},
    )
    assert check(body).code == 0


def test_an_unresolved_permissions_boundary_of_the_file_is_unknown(check: Callable[..., Any]) -> None:
    """It is a policy of the template with a parameter."""
    boundary = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": allow({"Ref": "Given"})}}
    body = template(
        {"Boundary": boundary, "Role": role(PermissionsBoundary={"Ref": "Boundary"})},
        Parameters={"Given": {"Type": "String"}},
    )
    assert check(body, "--rule", "PG204").code == 3


# ── Scenarios ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mapping_belongs_to_the_function_that_its_reference_names(check: Callable[..., Any]) -> None:
    """Another function of the same name, which the conditions exclude, does not matter."""
    reading = role(attached=[f"{MANAGED}service-role/AWSLambdaSQSQueueExecutionRole"])
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Condition": "IsNew",
        "Properties": {"FunctionName": {"Ref": "New"}, "EventSourceArn": QUEUE},
    }
    body = {
        "Parameters": {"Vpc": {"Type": "String", "AllowedValues": ["true", "false"]}},
        "Conditions": {"IsOld": equals("Vpc", "true"), "IsNew": {"Fn::Not": [equals("Vpc", "true")]}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Role": role(),
            "Reader": reading,
            "Orders": {**function(FunctionName="orders"), "Condition": "IsOld"},
            "New": {
                **function(FunctionName="orders", Role={"Fn::GetAtt": ["Reader", "Arn"]}),
                "Condition": "IsNew",
            },
            "Poll": mapping,
        },
    }
    assert (check(body).code, check(body).findings) == (0, [])
    mapping["Properties"]["FunctionName"] = "orders"  # type: ignore[index]
    assert check(body).code == 0
    del body["Resources"]["New"]["Condition"]
    mapping["Properties"]["FunctionName"] = {"Ref": "New"}  # type: ignore[index]
    assert check(body, "--rule", "PG201").code == 0


def test_the_scenario_that_claims_the_least_is_shown(check: Callable[..., Any]) -> None:
    """A policy that AWS added later can allow anything, but what is certain is full access to Amazon SNS."""
    result = check(template({"Role": role(allow("sns:*"), attached=[BASIC, f"{MANAGED}AmazonNewAccess"])}))
    (finding,) = result.document["findings"]
    assert (finding["rule_id"], finding["severity"]) == ("PG210", "medium")
    assert finding["title"] == "Orders has full access to sns"
    assert "AmazonNewAccess" not in finding["reason"]


def test_only_what_is_missing_in_every_scenario_is_shown(check: Callable[..., Any]) -> None:
    """The action that a parameter may allow is not reported as missing."""
    actions = ["logs:CreateLogStream", {"Fn::If": ["IsProd", "logs:PutLogEvents", "logs:GetLogEvents"]}]
    body = template(
        {"Role": role(allow(actions, logs("other")), attached=()), "Orders": function(VpcConfig=VPC)},
        Conditions={"IsProd": equals("Stage", "prod")},
        Parameters=STAGE,
    )
    assert ("PG204", "logging") in check(body).findings


def test_each_subject_of_a_rule_has_its_verdict_in_all_scenarios(check: Callable[..., Any]) -> None:
    """A condition on one dead-letter queue does not hide the other findings of the rule."""
    config = invoke_config(
        DestinationConfig={"OnFailure": {"Destination": {"Fn::If": ["IsProd", QUEUE, {"Ref": "AWS::NoValue"}]}}}
    )
    body = template(
        {**config, "Orders": function(DeadLetterConfig={"TargetArn": QUEUE})},
        Conditions={"IsProd": equals("Stage", "prod")},
        Parameters=STAGE,
    )
    result = check(body, "--rule", "PG203")
    queue = "arn:aws:sqs:us-east-1:123456789012:Queue"
    assert result.findings == [("PG203", f"dead-letter-queue/{queue}")]
    assert [reason for _, reason in result.unknowns] == [
        "Unknown: it depends on the condition IsProd, which cannot be resolved from the file."
    ]
