"""`permission-guard check` names the triggers that it cannot read: they never look like a pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cli.test_check_triggers import (
    ARN,
    HTTP,
    PROXY,
    REST,
    of,
    outcome,
    permission,
    resource,
    template,
)

P: dict[str, Any] = {"Ref": "P"}
PARAMETERS = {name: {"Type": "String"} for name in ("P", "Other", "Root")}
OTHER = {"Ref": "Other"}


def run(check: Any, resources: dict[str, Any], *permissions: Any) -> Any:
    """Evaluate PG112 on a template with parameters without values."""
    return check(template(resources, *permissions, Parameters=PARAMETERS), "--rule", "PG112")


def named(result: Any) -> list[str]:
    """Return what is listed as not read."""
    start = "cannot be resolved from the file: whether these invoke functions: "
    return [
        one["reason"].removeprefix(start) for one in result.document["skipped"] if one["reason"].startswith("cannot")
    ]


def with_target(target: Any) -> dict[str, Any]:
    """Return a rule with a target."""
    return {"It": resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": target}])}


MAY_BE: dict[str, tuple[dict[str, Any], str]] = {
    "parameter": (with_target(P), "It (${P})"),
    "import": (with_target({"Fn::ImportValue": "fn"}), "It (${import of fn})"),
    "qualified": (with_target({"Fn::Sub": "${P}:live"}), "It (${P}:live)"),
    "service": (
        with_target({"Fn::Sub": "arn:aws:${P}:us-east-1:123456789012:a"}),
        "It (arn:aws:${P}:us-east-1:1234567",
    ),
    "nested stack": (
        with_target(of("Nested", "Outputs.Fn"))
        | {"Nested": resource("AWS::CloudFormation::Stack", TemplateURL="https://example.com")},
        "It (${Nested.Outputs.Fn})",
    ),
    "dynamic reference": (with_target("{{resolve:ssm:/fn}}"), "It (${{{resolve:ssm:/fn}}})"),
    "alarm": ({"It": resource("AWS::CloudWatch::Alarm", AlarmActions=[P])}, "It (${P})"),
    "subscription filter": (
        {"It": resource("AWS::Logs::SubscriptionFilter", LogGroupName="a", DestinationArn=P)},
        "It (${P})",
    ),
    "repository": (
        {"It": resource("AWS::CodeCommit::Repository", Triggers=[{"Name": "a", "DestinationArn": P}])},
        "It (${P})",
    ),
    "subscription": (
        {"It": resource("AWS::SNS::Subscription", Protocol=P, Endpoint=OTHER, TopicArn="arn:aws:sns:us-east-1:1:a")},
        "It (${Other})",
    ),
    "AWS integration": (
        {
            **REST,
            "Get": resource(
                "AWS::ApiGateway::Method",
                RestApiId={"Ref": "Api"},
                ResourceId={"Ref": "User"},
                HttpMethod="GET",
                Integration={"Type": "AWS", "Uri": P},
            ),
        },
        "Get (${P})",
    ),
    "API without a stage": (
        {name: one for name, one in REST.items() if name != "Deployment"},
        "Get (the method GET /users/{id}: the file has no stage of the REST API ",
    ),
    "stage variable": (
        {
            **HTTP,
            "Call": resource(
                "AWS::ApiGatewayV2::Integration",
                ApiId={"Ref": "Api"},
                IntegrationType="AWS_PROXY",
                IntegrationUri="arn:aws:lambda:us-east-1:123456789012:function:${stageVariables.fn}",
            ),
        },
        "Route (arn:aws:lambda:us-east-1:123456789012:function:${stageVariables.fn}: no such variable in the stage ",
    ),
    "integration outside": (
        {
            "It": resource(
                "AWS::ApiGatewayV2::Route", ApiId=P, RouteKey="GET /", Target={"Fn::Sub": "integrations/${P}"}
            )
        },
        "It (integrations/${P})",
    ),
    "definition in S3": (
        {"It": resource("AWS::ApiGateway::RestApi", BodyS3Location={"Bucket": "a", "Key": "b"})},
        "It (its definition in S3)",
    ),
    "target of an HTTP API": ({"It": resource("AWS::ApiGatewayV2::Api", Target=P)}, "It (${P})"),
    "SQL with an expression": (
        {"It": resource("AWS::IoT::TopicRule", TopicRulePayload={"Sql": "SELECT aws_lambda(topic(1), *) FROM 'a'"})},
        "It (functions in its SQL)",
    ),
    "unresolved SQL": (
        {"It": resource("AWS::IoT::TopicRule", TopicRulePayload={"Sql": P})},
        "It (functions in its SQL)",
    ),
    "unresolved list": ({"It": resource("AWS::Events::Rule", Targets=P)}, "It (${P})"),
    "type that is not read": (
        {"It": resource("AWS::Transfer::Server", IdentityProviderDetails={"Function": ARN})},
        "It (AWS::Transfer::Server)",
    ),
}


@pytest.mark.parametrize("name", MAY_BE)
def test_what_may_invoke_a_function_is_named(check: Any, name: str) -> None:
    """It is not known whether the target is a function: most alarms notify a topic."""
    resources, expected = MAY_BE[name]
    result = run(check, resources)
    assert outcome(result) == "pass"
    assert len(named(result)) == 1
    assert named(result)[0].startswith(expected)


def test_what_never_invokes_a_function_is_not_named(check: Any) -> None:
    """Resources of other services, targets with a role, and literal ARNs."""
    project = {"Build": resource("AWS::CodeBuild::Project")}
    by_role = resource(
        "AWS::Events::Rule", Targets=[{"Id": "1", "Arn": P, "RoleArn": "arn:aws:iam::123456789012:role/a"}]
    )
    for resources in (
        {**with_target(of("Build")), **project},
        {"It": by_role},
        with_target("arn:aws:sqs:us-east-1:123456789012:a"),
        {"It": resource("AWS::Transfer::Server", Domain="S3")},
    ):
        assert named(run(check, resources)) == []


CERTAIN: dict[str, dict[str, Any]] = {
    "bucket": {
        "It": resource(
            "AWS::S3::Bucket", NotificationConfiguration={"LambdaConfigurations": [{"Event": "s3:*", "Function": P}]}
        )
    },
    "user pool": {"It": resource("AWS::Cognito::UserPool", LambdaConfig={"PreSignUp": P})},
    "agent": {"It": resource("AWS::Bedrock::Agent", ActionGroups=[{"ActionGroupExecutor": {"Lambda": P}}])},
    "literal SQL": {
        "It": resource("AWS::IoT::TopicRule", TopicRulePayload={"Sql": {"Fn::Sub": "SELECT aws_lambda('${P}', *)"}})
    },
    "method": {
        **REST,
        "Get": resource(
            "AWS::ApiGateway::Method",
            RestApiId={"Ref": "Api"},
            ResourceId={"Ref": "User"},
            HttpMethod="GET",
            Integration={**PROXY, "Uri": P},
        ),
    },
    "function in the URI": {
        **REST,
        "Get": resource(
            "AWS::ApiGateway::Method",
            RestApiId={"Ref": "Api"},
            ResourceId={"Ref": "User"},
            HttpMethod="GET",
            Integration={
                "Type": "AWS",
                "Uri": {"Fn::Sub": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${P}/invocations"},
            },
        ),
    },
    "authorizer": {**REST, "It": resource("AWS::ApiGateway::Authorizer", RestApiId={"Ref": "Api"}, AuthorizerUri=P)},
    "route": {
        **HTTP,
        "Call": resource(
            "AWS::ApiGatewayV2::Integration", ApiId={"Ref": "Api"}, IntegrationType="AWS_PROXY", IntegrationUri=P
        ),
    },
}


@pytest.mark.parametrize("name", CERTAIN)
def test_a_function_that_is_not_resolved_is_unknown(check: Any, name: str) -> None:
    """The property can name nothing but a function."""
    result = run(check, CERTAIN[name], permission("apigateway.amazonaws.com"))
    assert outcome(result) == "unknown"
    assert "P" in result.unknowns[0][1]


OUTSIDE = {
    "method": {
        "It": resource("AWS::ApiGateway::Resource", RestApiId=OTHER, ParentId={"Ref": "Root"}, PathPart="users"),
        "Get": resource(
            "AWS::ApiGateway::Method", RestApiId=OTHER, ResourceId={"Ref": "It"}, HttpMethod="GET", Integration=PROXY
        ),
    },
    "method of the root": {
        "Get": resource(
            "AWS::ApiGateway::Method", RestApiId=OTHER, ResourceId={"Ref": "Root"}, HttpMethod="GET", Integration=PROXY
        ),
    },
    "route": {
        "Call": resource(
            "AWS::ApiGatewayV2::Integration", ApiId=OTHER, IntegrationType="AWS_PROXY", IntegrationUri=ARN
        ),
        "It": resource(
            "AWS::ApiGatewayV2::Route", ApiId=OTHER, RouteKey="GET /users", Target={"Fn::Sub": "integrations/${Call}"}
        ),
    },
}


def of_other(path: str, api: str = "${Other}") -> dict[str, Any]:
    """Return a permission for a part of the API outside the file."""
    arn = {"Fn::Sub": f"arn:aws:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:{api}/{path}"}
    return permission("apigateway.amazonaws.com", SourceArn=arn)


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_api_outside_the_file_has_an_unknown_stage_and_path(check: Any, name: str) -> None:
    """A permission for all of the API allows it, one for a stage or a path is unknown."""
    resources = OUTSIDE[name]
    assert outcome(run(check, resources)) == "fail"
    assert outcome(run(check, resources, of_other("*"))) == "pass"
    assert outcome(run(check, resources, of_other("*/*/*"))) == "pass"
    assert outcome(run(check, resources, of_other("prod/GET/users"))) == "unknown"
    assert outcome(run(check, resources, of_other("*/GET/users", "${P}"))) == "unknown"


def test_an_http_api_can_create_the_route_for_a_function(check: Any) -> None:
    """It is the default route in the default stage, or the route of its key."""
    api = {"Api": resource("AWS::ApiGatewayV2::Api", ProtocolType="HTTP", Target=ARN)}
    of_api = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/$default/$default"}
    assert outcome(run(check, api)) == "fail"
    assert outcome(run(check, api, permission("apigateway.amazonaws.com", SourceArn=of_api))) == "pass"
    keyed = {"Api": resource("AWS::ApiGatewayV2::Api", ProtocolType="HTTP", Target=ARN, RouteKey="GET /a")}
    assert outcome(run(check, keyed, permission("apigateway.amazonaws.com", SourceArn=of_api))) == "fail"
    url = {"Api": resource("AWS::ApiGatewayV2::Api", ProtocolType="HTTP", Target="https://example.com")}
    assert named(run(check, url)) == []


def test_a_subscription_of_a_function_has_the_protocol_lambda(check: Any) -> None:
    """A protocol that cannot be resolved can be no other."""
    topic = {"It": resource("AWS::SNS::Topic", Subscription=[{"Protocol": P, "Endpoint": ARN}])}
    assert outcome(run(check, topic)) == "fail"


def test_the_generated_name_of_a_fifo_topic_ends_with_fifo(check: Any) -> None:
    """A FIFO topic cannot have a function as a subscriber, so a statement for it has no effect."""
    for fifo, expected in (("true", [("PG105", "Permit0")]), (True, [("PG105", "Permit0")]), (False, [])):
        topic = {"It": resource("AWS::SNS::Topic", FifoTopic=fifo)}
        body = template(topic, permission("sns.amazonaws.com", SourceArn={"Ref": "It"}))
        assert check(body, "--rule", "PG105").findings == expected


def test_a_receipt_rule_can_be_disabled_by_a_text(check: Any) -> None:
    """A parameter's value is a text."""
    action = {"LambdaAction": {"FunctionArn": ARN}}
    for enabled, expected in (("false", "pass"), (False, "pass"), ("true", "fail"), (True, "fail")):
        rule = resource("AWS::SES::ReceiptRule", RuleSetName="a", Rule={"Enabled": enabled, "Actions": [action]})
        assert outcome(run(check, {"It": rule})) == expected
