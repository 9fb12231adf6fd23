"""`permission-guard check` names what of a template it did not read: it never looks like a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import TRUST_LAMBDA
from tests.unit.cli.test_check_sam import TRANSFORM, event, template

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Result

INCLUDE = {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/part.yaml"}}
INCLUDED = {"Fn::Transform": INCLUDE}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Code": {"ZipFile": "#"},
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Role": {"Fn::GetAtt": ["OrdersRole", "Arn"]},
    },
}
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": TRUST_LAMBDA, "ManagedPolicyArns": [LOGS]},
}
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
SAM_FUNCTION = template()["Resources"]["Orders"]


def permission(**properties: Any) -> dict[str, Any]:
    """Return a permission that has no problem, with changed properties."""
    defaults = {
        "FunctionName": {"Ref": "Orders"},
        "Action": "lambda:InvokeFunction",
        "Principal": "sns.amazonaws.com",
        "SourceArn": "arn:aws:sns:us-east-1:123456789012:orders",
    }
    return {"Type": "AWS::Lambda::Permission", "Properties": {**defaults, **properties}}


def stack(*, sections: Any = None, **resources: Any) -> dict[str, Any]:
    """Return a template with a function that has no problem, and more resources."""
    return {**(sections or {}), "Resources": {"Orders": FUNCTION, "OrdersRole": ROLE, **resources}}


def parts(result: Result) -> dict[str, str]:
    """Return the reasons of the parts that were not read."""
    return {one["part"]: one["reason"] for one in result.document["unread"]}


# ── Where the resources are elsewhere ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "part", "reason"),
    [
        ({"Resources": {"Orders": SAM_FUNCTION}}, "Transform", f"the template has no Transform {TRANSFORM}: Orders."),
        ({"Transform": "AWS::Serverless-2016-10-13", "Resources": {"Orders": SAM_FUNCTION}}, "Transform", TRANSFORM),
        ({"Transform": ["AWS::Serverless"], **stack()}, "Transform", "the macro AWS::"),
        ({"Transform": ["AWS::Serverless"], "Resources": {"Orders": SAM_FUNCTION}}, "Transform", "SAM resources"),
        ({"Resources": INCLUDED}, "Resources", "AWS::Include adds resources from elsewhere"),
        ({**stack(**INCLUDED)}, "Resources", "AWS::Include adds resources"),
        ({"Transform": TRANSFORM, "Resources": INCLUDED}, "Resources", "AWS::Include adds resources"),
        ({"Transform": INCLUDE, **stack()}, "Transform", "AWS::Include can add resources"),
        ({"Transform": [INCLUDE]}, "Transform", "AWS::Include can add resources"),
        ({"Transform": [INCLUDE, TRANSFORM]}, "Transform", "AWS::Include can add resources"),
        ({**INCLUDED, **stack()}, "Fn::Transform", "adds sections of the template"),
        (INCLUDED, "Fn::Transform", "adds sections of the template"),
        ({"Transform": "Expand", **stack()}, "Transform", "the macro Expand can add resources"),
        ({"Transform": ["123456789012::Expand"]}, "Transform", "the macro 123456789012::Expand"),
        ({"Transform": {"Name": "Expand"}, **stack()}, "Transform", "the macro Expand"),
        ({"Transform": "AWS::SecretsManager-2024-09-16", **stack()}, "Transform", "the macro"),
        ({"Resources": {"Part": {"Type": "Own::Team::Orders::MODULE"}}}, "Part", "has resources of its own"),
        ({"Resources": {"Orders": INCLUDED}}, "Orders", "adds a part of the resource"),
        ({"Resources": {"Orders": {**FUNCTION, **INCLUDED}}}, "Orders", "adds a part of the resource"),
    ],
)  # fmt: skip
def test_resources_from_elsewhere_are_named(check: Any, body: Any, part: str, reason: str) -> None:
    """The exit code is 3: nothing says what these resources allow."""
    result = check(body)
    assert (result.code, result.document["errors"]) == (3, [])
    assert reason in parts(result)[part]


@pytest.mark.parametrize(
    "transform",
    ["AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen", "AWS::ServiceCatalog", {"Name": TRANSFORM}, [[TRANSFORM]]],
)
def test_transforms_that_change_no_permission_are_read(check: Any, transform: Any) -> None:
    """Those of AWS that are known."""
    assert check({"Transform": transform, **stack()}).document["unread"] == []


def test_a_nested_stack_is_named(check: Any) -> None:
    """Its template is another file, so the outcome of this file does not depend on it."""
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "child.yaml"}}
    result = check(stack(Permit=permission(), Child=nested))
    assert (result.code, result.document["unread"]) == (0, [])
    assert [one["resource"] for one in result.document["nested_stacks"]] == ["Child"]


@pytest.mark.parametrize("content", [{}, {"Resources": {}}, {"Resources": []}, {"Transform": TRANSFORM}])
def test_a_template_without_resources_is_not_valid(check: Any, content: Any) -> None:
    """CloudFormation rejects it."""
    result = check({"AWSTemplateFormatVersion": "2010-09-09", **content})
    assert result.code == 2
    assert "it has no Resources" in result.document["errors"][0]["message"]


# ── Included parts of resources ─────────────────────────────────────────────────────────────────────────────────────


def test_a_permission_whose_properties_are_included_is_unknown(check: Any) -> None:
    """The included part can have the source that the statement lacks."""
    broad = {**permission(), "Properties": {"Principal": "sns.amazonaws.com", **INCLUDED}}
    result = check(stack(Permit=broad))
    assert (result.code, result.findings, list(parts(result))) == (3, [], ["Permit.Properties"])


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::EC2::Instance", "Properties": {"UserData": INCLUDED}},
        {"Type": "AWS::SNS::Topic", "Metadata": INCLUDED},
    ],
)
def test_an_include_that_changes_no_outcome_is_read(check: Any, resource: Any) -> None:
    """A virtual machine invokes nothing, and nobody evaluates metadata."""
    assert check(stack(Other=resource)).code == 0


def test_a_role_that_is_an_include_is_unknown(check: Any) -> None:
    """Nothing of it is in the file."""
    result = check(stack(OrdersRole={"Type": "AWS::IAM::Role", **INCLUDED}))
    assert (result.code, result.findings, list(parts(result))) == (3, [], ["OrdersRole"])
    assert parts(result)["OrdersRole"] == "AWS::Include adds a part of the resource from elsewhere, not read."


def test_a_role_with_an_included_policy_is_unknown(check: Any) -> None:
    """Nothing is missing that the included policy can allow."""
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q"},
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST_LAMBDA, "Policies": INCLUDED}}
    result = check(stack(Poll=mapping, OrdersRole=role))
    assert (result.code, result.findings, list(parts(result))) == (3, [], ["OrdersRole.Properties.Policies"])


@pytest.mark.parametrize(
    "more", [{"Cors": "'*'"}, {"Auth": {"DefaultAuthorizer": "AWS_IAM"}}, {"Models": {"A": {"type": "object"}}}]
)
@pytest.mark.parametrize("kind", ["Api", "HttpApi"])
@pytest.mark.parametrize("beside", [{}, {"openapi": "3.0.1", "paths": {}}])
def test_an_included_definition_with_settings_of_sam_is_translated(
    check: Any, kind: str, more: Any, beside: Any
) -> None:
    """AWS includes the definition before it runs SAM, which then adds to it. The include is named."""
    if kind == "HttpApi":
        more = {"CorsConfiguration": True} if "Cors" in more else {} if beside else {"Name": "door"}
    body = {"DefinitionBody": {**INCLUDED, **beside}, **more} | ({"StageName": "x"} if kind == "Api" else {})
    api = {"Type": f"AWS::Serverless::{kind}", "Properties": body}
    on = event(kind, Path="/x", Method="get", **{"ApiId" if kind == "HttpApi" else "RestApiId": {"Ref": "Door"}})
    broad = permission(SourceArn={"Ref": "AWS::NoValue"})
    result = check(template(on, resources={"Door": api, "Permit": broad}))
    assert (result.code, result.findings) == (1, [("PG102", "Permit")])
    assert list(parts(result)) == ["Door.Properties.DefinitionBody"]
    assert check(template(on, resources={"Door": api})).code == 3


@pytest.mark.parametrize(
    "body",
    [
        template(resources={"Permit": permission()}, sections={"Globals": INCLUDED}),
        template(resources={"Permit": permission()}, sections={"Globals": {"Function": INCLUDED}}),
        template(INCLUDED, resources={"Permit": permission()}),
        template({**INCLUDED, **event("SNS", Topic="arn:aws:sns:us-east-1:123456789012:x")}),
        template(Environment={"Variables": INCLUDED}),
        template(Policies=[INCLUDED]),
        template(Policies=INCLUDED),
        template(**INCLUDED),
        {"Transform": TRANSFORM, "Resources": {"Orders": {**SAM_FUNCTION, "Properties": INCLUDED}}},
        template(resources={"Door": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x", **INCLUDED}}}),
        template(resources={"Door": INCLUDED}),
    ],
)  # fmt: skip
def test_a_sam_template_with_an_include_is_not_refused(check: Any, body: Any) -> None:
    """Wherever the include is, the rest is judged and the exit code is 3."""
    result = check(body)
    assert (result.code, result.findings, result.document["errors"]) == (3, [], [])
    assert result.document["unread"]


# ── Functions that are none ─────────────────────────────────────────────────────────────────────────────────────────

OTHERS = {
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Bucket": "b", "S3Key": "k"}}},
    "Own": {"Type": "Custom::Function"},
    "Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "orders"}},
    "Stack": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://example.com/a.yaml"}},
}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ({"Ref": "Function"}, "refers to Function, which the template does not define"),
        ({"Fn::GetAtt": ["Function", "Arn"]}, "refers to Function"),
        ({"Fn::GetAtt": "Function.Arn"}, "refers to Function"),
        ({"Fn::Sub": "${Function.Arn}:live"}, "refers to Function"),
        ({"Fn::Sub": ["${A}:${B}", {"A": {"Ref": "Function"}, "B": "live"}]}, "refers to Function"),
        ({"Fn::Join": [":", [{"Ref": "Function"}, "live"]]}, "refers to Function"),
        ({"Fn::If": ["Live", {"Ref": "Orders"}, {"Ref": "Function"}]}, "refers to Function"),
        ({"Ref": "Topic"}, "refers to Topic, which is an AWS::SNS::Topic and not a function"),
        ({"Fn::GetAtt": ["Topic", "TopicArn"]}, "refers to Topic"),
        ({"Fn::Sub": "${Layer}"}, "refers to Layer"),
        ("arn:aws:sns:us-east-1:123456789012:orders", "is 'arn:aws:sns:us-east-1:123456789012:orders'"),
        ({"Fn::Sub": "arn:aws:states:${AWS::Region}:${AWS::AccountId}:stateMachine:x"}, "does not name a function"),
        ({"Fn::Sub": "arn:aws:sqs:us-east-1:123456789012:${Given}"}, "does not name a function"),
        ("arn:aws:lambda:us-east-1:123456789012:layer:orders", "does not name a function"),
        ("arn:aws:lambda:us-east-1:123456789012:event-source-mapping:x", "does not name a function"),
        (
            f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION_ARN}/invocations",
            "does not name a function",
        ),
        ("not a function", "does not name a function"),
    ],
)
def test_a_function_name_that_is_none_is_an_error(check: Any, name: Any, problem: str) -> None:
    """AWS rejects the template: nothing on the resource is a pass, and the exit code is 2."""
    sections = {"Parameters": {"Given": {"Type": "String"}}, "Conditions": {"Live": {"Fn::Equals": ["a", "b"]}}}
    without = check(stack(sections=sections, **OTHERS))
    result = check(stack(sections=sections, **OTHERS, Permit=permission(FunctionName=name)))
    assert (without.code, result.code) == (0, 2)
    assert result.document["counts"]["passed"] == without.document["counts"]["passed"]
    message = result.document["errors"][0]["message"]
    assert message.startswith("Permit.FunctionName ")
    assert problem in message


@pytest.mark.parametrize(
    ("kind", "property_"),
    [
        ("AWS::Lambda::EventSourceMapping", "FunctionName"),
        ("AWS::Lambda::ResourcePolicy", "ResourceArn"),
        ("AWS::Lambda::Url", "TargetFunctionArn"),
        ("AWS::Lambda::Alias", "FunctionName"),
        ("AWS::Lambda::EventInvokeConfig", "FunctionName"),
    ],
)
def test_every_resource_of_a_function_must_name_one(check: Any, kind: str, property_: str) -> None:
    """A mapping, a policy, a URL and an alias as well as a permission."""
    resource = {"Type": kind, "Properties": {property_: {"Ref": "Function"}, "PolicyDocument": {"Statement": []}}}
    result = check(stack(Of=resource))
    assert result.code == 2
    assert result.document["errors"][0]["message"].startswith(f"Of.{property_} refers to Function")


@pytest.mark.parametrize(
    "name",
    [
        {"Ref": "Given"},
        {"Ref": "Name"},
        {"Fn::GetAtt": ["Name", "Value"]},
        {"Fn::GetAtt": ["Own", "Arn"]},
        {"Fn::GetAtt": ["Stack", "Outputs.Function"]},
        {"Fn::ImportValue": "orders"},
        {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Given}"},
        {"Fn::Sub": "${!Literal}${Given}"},
        "{{resolve:ssm:/orders/name}}",
        "orders:live",
        "123456789012:orders",
    ],
)
def test_a_function_name_from_elsewhere_is_evaluated(check: Any, name: Any) -> None:
    """It can be that of a function."""
    sections = {"Parameters": {"Given": {"Type": "String"}}}
    without = check(stack(sections=sections, **OTHERS))
    result = check(stack(sections=sections, **OTHERS, Permit=permission(FunctionName=name)))
    assert (result.code, result.document["errors"]) == (0, [])
    assert result.document["counts"]["passed"] > without.document["counts"]["passed"]


@pytest.mark.parametrize(
    "elsewhere", [{"Transform": "Expand"}, {"Resources": INCLUDED}, {"Resources": {"Fn::ForEach::A": ["A", ["a"], {}]}}]
)
def test_a_reference_to_what_was_not_read_is_unknown(check: Any, elsewhere: Any) -> None:
    """An include, a macro or a loop can define the function."""
    included: Any = elsewhere.get("Resources", {})
    resources = {**included, "Permit": permission(FunctionName={"Ref": "Function"})}
    result = check({**elsewhere, "Resources": resources})
    assert (result.code, result.document["errors"], result.document["counts"]["passed"]) == (3, [], 0)


def test_a_broad_statement_of_no_function_is_found(check: Any) -> None:
    """Findings do not depend on the function."""
    broad = permission(FunctionName={"Ref": "Function"}, SourceArn={"Ref": "AWS::NoValue"})
    result = check({"Resources": {"Permit": broad}})
    assert (result.code, result.findings, len(result.document["errors"])) == (1, [("PG102", "Permit")], 1)


def test_what_is_not_created_is_not_judged(check: Any) -> None:
    """Its condition is false."""
    never = {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}}
    permit = {**permission(FunctionName={"Ref": "X"}), "Condition": "Never"}
    assert check(stack(sections=never, Permit=permit)).code == 0


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        ({"Type": "AWS::Lambda::Permision", "Properties": {}}, "does not exist: AWS::Lambda::Permission is meant"),
        ({"Properties": {}}, "has no Type"),
        ({"Type": ["AWS::Lambda::Permission"]}, "has no Type"),
        ({"Type": "aws::lambda::permission", "Properties": {}}, "does not exist: AWS::Lambda::Permission is meant"),
        ({"Type": "AWS::Lambda::Permission", "properties": {}}, "Permit has no FunctionName"),
        (permission(FunctionName={"Ref": "AWS::NoValue"}), "Permit has no FunctionName"),
        (permission(FunctionName=["orders"]), "Permit has no FunctionName: it is a list"),
        ({"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE"}}, "Permit has no TargetFunctionArn"),
        ({"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": "X.Arn"}}}, "Permit.Role refers to X"),
        (
            {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": {"Fn::GetAtt": ["X", "Arn"]}}]}},
            "Permit.Targets refers to X, which the template does not define",
        ),
        ("AWS::Lambda::Permission", "Permit is not an object"),
        (None, "Permit is not an object"),
    ],
)
def test_a_resource_that_aws_rejects_is_an_error(check: Any, resource: Any, problem: str) -> None:
    """It would not be evaluated, and AWS rejects it."""
    result = check(stack(Permit=resource))
    assert result.code == 2
    assert problem in result.document["errors"][0]["message"]


def test_a_resource_that_sam_does_not_know_is_an_error(check: Any) -> None:
    """SAM leaves it as it is, and CloudFormation rejects it."""
    result = check(template(resources={"Other": {"Type": "AWS::Serverless::Functions", "Properties": {}}}))
    assert result.code == 2
    assert "AWS::Serverless::Functions, which SAM does not know" in result.document["errors"][0]["message"]


@pytest.mark.parametrize(
    "kind", ["AWS::Lambda::WebFunction", "AWS::Lambda::LayerVersionPermission", "AWS::Lambda::New"]
)
def test_other_types_are_no_errors(check: Any, kind: str) -> None:
    """A type that is not known here can be a new one."""
    assert check(stack(Other={"Type": kind, "Properties": {}})).code == 0
