"""`permission-guard check` evaluates whether the template allows the triggers and URLs that it defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ARN = {"Fn::GetAtt": ["Orders", "Arn"]}
ACCOUNT = {"Ref": "AWS::AccountId"}
URI = {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Orders.Arn}/invocations"}
PROXY = {"Type": "AWS_PROXY", "Uri": URI}
IN_OPENAPI = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": URI}}


@pytest.fixture
def check(check: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluate PG112 alone."""
    return lambda content, *options: check(content, "--rule", "PG112", *options)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a resource."""
    return {"Type": kind, "Properties": properties}


def permission(principal: str, **properties: Any) -> dict[str, Any]:
    """Return a permission for the function `Orders`."""
    defaults = {"FunctionName": {"Ref": "Orders"}, "Action": "lambda:InvokeFunction", "Principal": principal}
    return resource("AWS::Lambda::Permission", **{**defaults, **properties})


def template(resources: dict[str, Any], *permissions: Any, **sections: Any) -> dict[str, Any]:
    """Return a template with the function `Orders`."""
    numbered = {f"Permit{number}": one for number, one in enumerate(permissions)}
    return {**sections, "Resources": {"Orders": resource("AWS::Lambda::Function"), **numbered, **resources}}


def outcome(result: Any) -> str:
    """Return the outcome of PG112."""
    return "fail" if result.findings else "unknown" if result.unknowns else "pass"


def of(name: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return an attribute of a resource."""
    return {"Fn::GetAtt": [name, attribute]}


def of_account(service: str, resource_part: str) -> dict[str, Any]:
    """Return an ARN of the stack's account and region."""
    return {"Fn::Sub": f"arn:aws:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource_part}"}


REST = {
    "Api": resource("AWS::ApiGateway::RestApi"),
    "Users": resource(
        "AWS::ApiGateway::Resource", ParentId=of("Api", "RootResourceId"), PathPart="users", RestApiId={"Ref": "Api"}
    ),
    "User": resource("AWS::ApiGateway::Resource", ParentId={"Ref": "Users"}, PathPart="{id}", RestApiId={"Ref": "Api"}),
    "Get": resource(
        "AWS::ApiGateway::Method",
        RestApiId={"Ref": "Api"},
        ResourceId={"Ref": "User"},
        HttpMethod="GET",
        Integration=PROXY,
    ),
    "Deployment": resource("AWS::ApiGateway::Deployment", RestApiId={"Ref": "Api"}, StageName="prod"),
}
HTTP = {
    "Api": resource("AWS::ApiGatewayV2::Api", ProtocolType="HTTP"),
    "Call": resource(
        "AWS::ApiGatewayV2::Integration", ApiId={"Ref": "Api"}, IntegrationType="AWS_PROXY", IntegrationUri=ARN
    ),
    "Route": resource(
        "AWS::ApiGatewayV2::Route", ApiId={"Ref": "Api"}, RouteKey="GET /a", Target={"Fn::Sub": "integrations/${Call}"}
    ),
    "Stage": resource("AWS::ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="$default"),
}


def of_api(path: str) -> dict[str, Any]:
    """Return the ARN of a part of the API."""
    return {"Fn::Sub": f"arn:aws:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}/{path}"}


TRIGGERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bucket": (
        {
            "It": resource(
                "AWS::S3::Bucket",
                NotificationConfiguration={"LambdaConfigurations": [{"Event": "s3:*", "Function": ARN}]},
            )
        },
        permission("s3.amazonaws.com", SourceArn={"Fn::Sub": "arn:aws:s3:::${It}"}, SourceAccount=ACCOUNT),
    ),
    "topic": (
        {"It": resource("AWS::SNS::Topic", Subscription=[{"Protocol": "lambda", "Endpoint": ARN}])},
        permission("sns.amazonaws.com", SourceArn={"Ref": "It"}),
    ),
    "subscription": (
        {
            "It": resource("AWS::SNS::Topic"),
            "S": resource("AWS::SNS::Subscription", Protocol="lambda", Endpoint=ARN, TopicArn={"Ref": "It"}),
        },
        permission("sns.amazonaws.com", SourceArn={"Ref": "It"}),
    ),
    "rule": (
        {"It": resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": ARN}])},
        permission("events.amazonaws.com", SourceArn=of("It")),
    ),
    "subscription filter": (
        {
            "It": resource("AWS::Logs::LogGroup"),
            "F": resource("AWS::Logs::SubscriptionFilter", DestinationArn=ARN, LogGroupName={"Ref": "It"}),
        },
        permission("logs.amazonaws.com", SourceArn=of("It"), SourceAccount=ACCOUNT),
    ),
    "target group": (
        {"It": resource("AWS::ElasticLoadBalancingV2::TargetGroup", TargetType="lambda", Targets=[{"Id": ARN}])},
        permission("elasticloadbalancing.amazonaws.com", SourceArn={"Ref": "It"}),
    ),
    "user pool": (
        {"It": resource("AWS::Cognito::UserPool", LambdaConfig={"PreSignUp": ARN})},
        permission("cognito-idp.amazonaws.com", SourceArn=of("It")),
    ),
    "user pool with a version": (
        {"It": resource("AWS::Cognito::UserPool", LambdaConfig={"PreTokenGenerationConfig": {"LambdaArn": ARN}})},
        permission("cognito-idp.amazonaws.com", SourceArn=of("It")),
    ),
    "config rule": (
        {"It": resource("AWS::Config::ConfigRule", Source={"Owner": "CUSTOM_LAMBDA", "SourceIdentifier": ARN})},
        permission("config.amazonaws.com", SourceAccount=ACCOUNT),
    ),
    "iot rule": (
        {
            "It": resource(
                "AWS::IoT::TopicRule",
                TopicRulePayload={"Sql": "SELECT *", "Actions": [{"Lambda": {"FunctionArn": ARN}}]},
            )
        },
        permission("iot.amazonaws.com", SourceArn=of("It")),
    ),
    "sql of an iot rule": (
        {
            "It": resource(
                "AWS::IoT::TopicRule",
                TopicRulePayload={"Sql": {"Fn::Sub": "SELECT aws_lambda('${Orders.Arn}', *) FROM 'a'"}},
            )
        },
        permission("iot.amazonaws.com", SourceArn=of("It")),
    ),
    "error action": (
        {
            "It": resource(
                "AWS::IoT::TopicRule",
                TopicRulePayload={"Sql": "", "Actions": [], "ErrorAction": {"Lambda": {"FunctionArn": ARN}}},
            )
        },
        permission("iot.amazonaws.com", SourceArn=of("It")),
    ),
    "iot authorizer": (
        {"It": resource("AWS::IoT::Authorizer", AuthorizerFunctionArn=ARN)},
        permission("iot.amazonaws.com", SourceArn=of("It")),
    ),
    "rotation": (
        {
            "It": resource("AWS::SecretsManager::Secret"),
            "R": resource("AWS::SecretsManager::RotationSchedule", RotationLambdaARN=ARN, SecretId={"Ref": "It"}),
        },
        permission("secretsmanager.amazonaws.com", SourceAccount=ACCOUNT),
    ),
    "alarm": (
        {"It": resource("AWS::CloudWatch::Alarm", AlarmActions=[ARN, "arn:aws:sns:us-east-1:123456789012:a"])},
        permission("lambda.alarms.cloudwatch.amazonaws.com", SourceArn=of("It")),
    ),
    "composite alarm": (
        {"It": resource("AWS::CloudWatch::CompositeAlarm", OKActions=[ARN])},
        permission("lambda.alarms.cloudwatch.amazonaws.com", SourceArn=of("It")),
    ),
    "repository": (
        {"It": resource("AWS::CodeCommit::Repository", RepositoryName="r", Triggers=[{"DestinationArn": ARN}])},
        permission("codecommit.amazonaws.com", SourceArn=of("It")),
    ),
    "receipt rule": (
        {
            "It": resource(
                "AWS::SES::ReceiptRule",
                RuleSetName="set",
                Rule={"Name": "mail", "Actions": [{"LambdaAction": {"FunctionArn": ARN}}]},
            )
        },
        permission("ses.amazonaws.com", SourceAccount=ACCOUNT),
    ),
    "receipt rule of a rule set": (
        {
            "Set": resource("AWS::SES::ReceiptRuleSet", RuleSetName="set"),
            "It": resource(
                "AWS::SES::ReceiptRule",
                RuleSetName={"Ref": "Set"},
                Rule={"Name": "mail", "Actions": [{"LambdaAction": {"FunctionArn": ARN}}]},
            ),
        },
        permission("ses.amazonaws.com", SourceArn=of_account("ses", "receipt-rule-set/set:receipt-rule/mail")),
    ),
    "provisioning template": (
        {"It": resource("AWS::IoT::ProvisioningTemplate", PreProvisioningHook={"TargetArn": ARN})},
        permission("iot.amazonaws.com", SourceArn=of("It", "TemplateArn")),
    ),
    "certificate provider": (
        {"It": resource("AWS::IoT::CertificateProvider", CertificateProviderName="p", LambdaFunctionArn=ARN)},
        permission("iot.amazonaws.com", SourceArn=of_account("iot", "certificateprovider:p")),
    ),
    "authorizer of a GraphQL API": (
        {"It": resource("AWS::AppSync::GraphQLApi", LambdaAuthorizerConfig={"AuthorizerUri": ARN})},
        permission("appsync.amazonaws.com", SourceArn=of("It")),
    ),
    "second authorizer of a GraphQL API": (
        {
            "It": resource(
                "AWS::AppSync::GraphQLApi",
                AdditionalAuthenticationProviders=[{"LambdaAuthorizerConfig": {"AuthorizerUri": ARN}}],
            )
        },
        permission("appsync.amazonaws.com", SourceArn=of_account("appsync", "apis/${It.ApiId}")),
    ),
    "authorizer of an Event API": (
        {
            "It": resource(
                "AWS::AppSync::Api",
                EventConfig={"AuthProviders": [{"LambdaAuthorizerConfig": {"AuthorizerUri": ARN}}]},
            )
        },
        permission("appsync.amazonaws.com", SourceArn=of("It", "ApiArn")),
    ),
    "agent": (
        {"It": resource("AWS::Bedrock::Agent", ActionGroups=[{"ActionGroupExecutor": {"Lambda": ARN}}])},
        permission(
            "bedrock.amazonaws.com",
            SourceArn={"Fn::Sub": "arn:aws:bedrock:${AWS::Region}:${AWS::AccountId}:agent/${It.AgentId}"},
        ),
    ),
    "method": (REST, permission("apigateway.amazonaws.com", SourceArn=of_api("*/GET/users/*"))),
    "method of every stage": (REST, permission("apigateway.amazonaws.com", SourceArn=of_api("*"))),
    "authorizer": (
        {**REST, "Get": resource("AWS::ApiGateway::Authorizer", RestApiId={"Ref": "Api"}, AuthorizerUri=URI)},
        permission("apigateway.amazonaws.com", SourceArn=of_api("authorizers/${Get}")),
    ),
    "definition": (
        {
            **REST,
            "Api": resource("AWS::ApiGateway::RestApi", Body={"paths": {"/a": {"get": IN_OPENAPI}}}),
            "Get": REST["Users"],
        },
        permission("apigateway.amazonaws.com", SourceArn=of_api("prod/GET/a")),
    ),
    "route": (HTTP, permission("apigateway.amazonaws.com", SourceArn=of_api("*/GET/a"))),
    "route of a WebSocket API": (
        {
            **HTTP,
            "Route": resource(
                "AWS::ApiGatewayV2::Route",
                ApiId={"Ref": "Api"},
                RouteKey="$connect",
                Target={"Fn::Join": ["/", ["integrations", {"Ref": "Call"}]]},
            ),
        },
        permission("apigateway.amazonaws.com", SourceArn=of_api("*/$connect")),
    ),
    "authorizer of an HTTP API": (
        {**HTTP, "Route": resource("AWS::ApiGatewayV2::Authorizer", ApiId={"Ref": "Api"}, AuthorizerUri=URI)},
        permission("apigateway.amazonaws.com", SourceArn=of_api("authorizers/${Route}")),
    ),
    "definition of an HTTP API": (
        {
            **HTTP,
            "Api": resource(
                "AWS::ApiGatewayV2::Api", Body={"paths": {"/$default": {"x-amazon-apigateway-any-method": IN_OPENAPI}}}
            ),
            "Route": HTTP["Call"],
        },
        permission("apigateway.amazonaws.com", SourceArn=of_api("*/$default")),
    ),
}
"""Resources that invoke the function, each with the permission that allows it."""


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_trigger_of_the_file_requires_a_permission_of_the_file(check: Callable[..., Any], name: str) -> None:
    """Without one it is found, with one it passes, and one for another source does not count."""
    resources, permit = TRIGGERS[name]
    missing = check(template(resources))
    assert [rule for rule, _ in missing.findings] == ["PG112"]
    assert missing.document["findings"][0]["function_arn"].endswith(":function:Orders")
    allowed = check(template(resources, permit))
    assert (allowed.code, allowed.findings, allowed.unknowns) == (0, [], [])
    assert allowed.document["counts"]["passed"] == 1
    other = {**permit, "Properties": {**permit["Properties"], "SourceAccount": "999999999999"}}
    if "SourceArn" in permit["Properties"]:
        arn = {"Fn::Sub": "arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/another"}
        other = permission("events.amazonaws.com", SourceArn=arn)
    assert check(template(resources, other)).findings == missing.findings


@pytest.mark.parametrize(
    "resources",
    [
        {"It": resource("AWS::Events::Rule", State="DISABLED", Targets=[{"Id": "1", "Arn": ARN}])},
        {
            "It": resource(
                "AWS::Events::Rule", Targets=[{"Id": "1", "Arn": ARN, "RoleArn": "arn:aws:iam::123456789012:role/x"}]
            )
        },
        {"It": resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])},
        {
            "It": resource(
                "AWS::IoT::TopicRule",
                TopicRulePayload={"RuleDisabled": True, "Actions": [{"Lambda": {"FunctionArn": ARN}}]},
            )
        },
        {"It": resource("AWS::IoT::Authorizer", AuthorizerFunctionArn=ARN, Status="INACTIVE")},
        {"It": resource("AWS::CloudWatch::Alarm", ActionsEnabled=False, AlarmActions=[ARN])},
        {"It": resource("AWS::SNS::Topic", Subscription=[{"Protocol": "sqs", "Endpoint": ARN}])},
        {
            "It": resource(
                "AWS::SES::ReceiptRule", Rule={"Enabled": False, "Actions": [{"LambdaAction": {"FunctionArn": ARN}}]}
            )
        },
        {**REST, "Deployment": REST["Users"]},
        {
            **REST,
            "Get": resource(
                "AWS::ApiGateway::Method",
                RestApiId={"Ref": "Api"},
                ResourceId={"Ref": "User"},
                HttpMethod="GET",
                Integration={**PROXY, "Credentials": "arn:aws:iam::123456789012:role/x"},
            ),
        },
        {
            **REST,
            "Get": resource(
                "AWS::ApiGateway::Method",
                RestApiId={"Ref": "Api"},
                ResourceId={"Ref": "User"},
                HttpMethod="GET",
                Integration={"Type": "MOCK"},
            ),
        },
        {"It": resource("AWS::VpcLattice::TargetGroup", Type="LAMBDA", Targets=[{"Id": ARN}])},
        {
            "It": {
                **resource("AWS::SNS::Topic", Subscription=[{"Protocol": "lambda", "Endpoint": ARN}]),
                "Condition": "Never",
            }
        },
    ],
)
def test_a_resource_that_does_not_invoke_by_policy_needs_no_permission(
    check: Callable[..., Any], resources: Any
) -> None:
    """It is disabled, not deployed, not created, uses a role, adds the permission, or invokes something else."""
    result = check(template(resources, Conditions={"Never": {"Fn::Equals": ["a", "b"]}}))
    assert (result.code, result.document["counts"]["passed"]) == (0, 0)


def test_the_path_parameter_and_any_are_not_what_an_api_sends(check: Callable[..., Any]) -> None:
    """The name of a parameter never matches; whether ANY is sent is disputed."""
    named = permission("apigateway.amazonaws.com", SourceArn=of_api("*/GET/users/{id}"))
    assert outcome(check(template(REST, named))) == "fail"
    method = {**REST["Get"], "Properties": {**REST["Get"]["Properties"], "HttpMethod": "ANY"}}
    any_method = permission("apigateway.amazonaws.com", SourceArn=of_api("*/ANY/users/*"))
    assert outcome(check(template({**REST, "Get": method}, any_method))) == "unknown"


def test_a_stage_variable_names_the_function(check: Callable[..., Any]) -> None:
    """The stage has its value."""
    name = "${stageVariables.fn}"
    arn = {"Fn::Join": ["", ["arn:aws:lambda:us-east-1:123456789012:function:", name]]}
    call = {**HTTP["Call"], "Properties": {**HTTP["Call"]["Properties"], "IntegrationUri": arn}}
    stage = resource("AWS::ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="v1", StageVariables={"fn": "Orders"})
    assert outcome(check(template({**HTTP, "Call": call, "Stage": stage}))) == "fail"
    assert outcome(check(template({**HTTP, "Call": call}))) == "pass"


@pytest.mark.parametrize(
    ("source", "permitted", "expected"),
    [
        ({"Ref": "A"}, {"Ref": "A"}, "pass"),
        ({"Ref": "A"}, {"Ref": "B"}, "unknown"),
        ({"Ref": "A"}, "arn:aws:sns:us-east-1:123456789012:orders", "unknown"),
        ({"Ref": "A"}, "arn:aws:sns:us-east-1:123456789012:*", "pass"),
        ({"Fn::Sub": "arn:aws:sns:us-east-1:123456789012:x-${A}"}, "arn:aws:sns:us-east-1:123456789012:y", "fail"),
        ({"Fn::Sub": "arn:aws:sns:us-east-1:123456789012:x-${A}"}, "arn:aws:sns:us-east-1:123456789012:x-1", "unknown"),
        ("arn:aws:sns:us-east-1:123456789012:a", {"Ref": "A"}, "unknown"),
        ("arn:aws:sns:us-east-1:123456789012:a", "arn:aws:sns:us-east-1:123456789012:b", "fail"),
    ],
)
def test_an_unresolved_source_is_equal_only_to_itself(
    check: Callable[..., Any], source: Any, permitted: Any, expected: str
) -> None:
    """Whether another value is the same is unknown."""
    subscription = resource("AWS::SNS::Subscription", Protocol="lambda", Endpoint=ARN, TopicArn=source)
    about = {name: {"Type": "String"} for name in ("A", "B")}
    body = template({"S": subscription}, permission("sns.amazonaws.com", SourceArn=permitted), Parameters=about)
    assert outcome(check(body)) == expected


def test_a_function_outside_the_file_can_have_other_statements(check: Callable[..., Any]) -> None:
    """Without a statement of the file, the outcome is unknown."""
    rule = {
        "It": resource(
            "AWS::Events::Rule", Targets=[{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}]
        )
    }
    result = check(template(rule))
    assert outcome(result) == "unknown"
    assert "the policy of the function arn:aws:lambda:us-east-1:123456789012:function:f" in result.unknowns[0][1]
    permit = permission("events.amazonaws.com", FunctionName="f", SourceArn=of("It"))
    assert outcome(check(template(rule, permit))) == "pass"


def test_the_policy_of_an_alias_is_its_own(check: Callable[..., Any]) -> None:
    """A permission of the function does not allow a trigger of the alias."""
    rule = {
        "It": resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": {"Ref": "Live"}}]),
        "Live": resource("AWS::Lambda::Alias", FunctionName={"Ref": "Orders"}, Name="live"),
    }
    assert outcome(check(template(rule, permission("events.amazonaws.com", SourceArn=of("It"))))) == "fail"
    permit = permission("events.amazonaws.com", SourceArn=of("It"), FunctionName={"Ref": "Live"})
    assert outcome(check(template(rule, permit))) == "pass"


def test_conditions_decide_which_permissions_exist(check: Callable[..., Any]) -> None:
    """A permission with the condition of its trigger counts, one with the contrary condition does not."""
    about = {
        "Parameters": {"Mode": {"Type": "String"}},
        "Conditions": {
            "On": {"Fn::Equals": [{"Ref": "Mode"}, "on"]},
            "Off": {"Fn::Not": [{"Condition": "On"}]},
            "Other": {"Fn::Equals": [{"Ref": "Mode"}, "other"]},
        },
    }
    rule = {"It": {**resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": ARN}]), "Condition": "On"}}
    permit = permission("events.amazonaws.com", SourceArn=of("It"))
    assert outcome(check(template(rule, {**permit, "Condition": "On"}, **about))) == "pass"
    assert outcome(check(template(rule, {**permit, "Condition": "Off"}, **about))) == "fail"
    assert outcome(check(template(rule, {**permit, "Condition": "Other"}, **about))) == "fail"
    always = {"It": {**rule["It"], "Condition": "Always"}}
    assert outcome(check(template(always, {**permit, "Condition": "On"}, **about))) == "unknown"


def test_an_unreadable_policy_can_allow_a_trigger(check: Callable[..., Any]) -> None:
    """The outcome is unknown."""
    policy = resource("AWS::Lambda::ResourcePolicy", ResourceArn=ARN, PolicyDocument={"Fn::ImportValue": "policy"})
    rule = {"It": resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": ARN}]), "Own": policy}
    assert outcome(check(template(rule))) == "unknown"


def test_the_remedy_is_a_permission_with_references(check: Callable[..., Any]) -> None:
    """It can be pasted into the template."""
    rule = {"It": resource("AWS::Events::Rule", Targets=[{"Id": "1", "Arn": ARN}])}
    (finding,) = check(template(rule)).document["findings"]
    assert [remedy["kind"] for remedy in finding["remedies"]] == ["sam"]
    assert "Principal: events.amazonaws.com" in finding["remedies"][0]["text"]
    assert "FunctionName: !Ref Orders" in finding["remedies"][0]["text"]
    assert "SourceArn: !GetAtt It.Arn" in finding["remedies"][0]["text"]


# ── URLs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FIRST = permission("*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
SECOND = permission("*", InvokedViaFunctionUrl=True)


def url(auth_type: Any, **properties: Any) -> dict[str, Any]:
    """Return the URL of the function."""
    return {"Url": resource("AWS::Lambda::Url", TargetFunctionArn=ARN, AuthType=auth_type, **properties)}


@pytest.mark.parametrize(
    ("resources", "permissions", "expected"),
    [
        (url("NONE"), [FIRST, SECOND], "pass"),
        (url("NONE"), [FIRST], "fail"),
        (url("NONE"), [SECOND], "fail"),
        (url("NONE"), [], "fail"),
        (url("AWS_IAM"), [], "pass"),
        (url({"Ref": "Type"}), [FIRST], "unknown"),
        (url({"Ref": "Only"}), [FIRST], "fail"),
        (url("NONE", Qualifier="live"), [FIRST, SECOND], "fail"),
    ],
)
def test_a_url_requires_both_permissions(
    check: Callable[..., Any], resources: Any, permissions: Any, expected: str
) -> None:
    """A file does not say when a URL was created, so that the pair is required."""
    about = {"Type": {"Type": "String"}, "Only": {"Type": "String", "AllowedValues": ["NONE"]}}
    assert outcome(check(template(resources, *permissions, Parameters=about))) == expected
