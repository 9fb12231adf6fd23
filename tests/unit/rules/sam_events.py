"""One template for each way in which AWS SAM allows a caller to invoke a function, and the expected violations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

FUNCTION_ARN: Final = {"Fn::GetAtt": ["Fn", "Arn"]}
ARN: Final = ("AWS:SourceArn",)
ACCOUNT: Final = ("AWS:SourceAccount",)
BOTH: Final = ("AWS:SourceAccount", "AWS:SourceArn")
API: Final = "apigateway.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Written:
    """A statement that SAM writes: its principal, its condition keys, and the rules that it violates."""

    principal: str
    keys: tuple[str, ...]
    rule_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A template for one event type, property or resource type.

    `statements` are its distinct statements, and `why` is the reason for the expected violations.
    """

    name: str
    about: str
    resources: dict[str, Any]
    statements: tuple[Written, ...]
    why: str


def function(**properties: Any) -> dict[str, Any]:
    """Return a function with a role, so that SAM does not create one."""
    always = {
        "Handler": "app.handler",
        "Runtime": "python3.13",
        "CodeUri": "s3://artefacts/code.zip",
        "Role": "arn:aws:iam::123456789012:role/orders",
    }
    return {"Type": "AWS::Serverless::Function", "Properties": {**always, **properties}}


def by_event(kind: str, more: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """Return the resources of a template: a function with one event, and what the event refers to."""
    event = {"Type": kind, **({"Properties": properties} if properties else {})}
    return {"Fn": function(Events={"Event": event}), **(more or {})}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a resource."""
    return {"Type": kind, "Properties": properties}


def connected(kind: str, **source: Any) -> dict[str, Any]:
    """Return a connector from a resource to the function."""
    ends = {"Source": {"Id": "Source", **source}, "Destination": {"Id": "Fn"}, "Permissions": ["Write"]}
    return {"Fn": function(), "Source": resource(kind), "Link": resource("AWS::Serverless::Connector", **ends)}


NONE: Final = "SAM writes no statement: "

CASES: Final = (
    Case(
        "s3",
        "S3",
        by_event("S3", {"Bucket": resource("AWS::S3::Bucket")}, Bucket={"Ref": "Bucket"}, Events="s3:ObjectCreated:*"),
        (Written("s3.amazonaws.com", ACCOUNT),),
        "SAM names only the account, because the bucket needs the statement first. Other accounts' buckets are denied.",
    ),
    Case(
        "sns",
        "SNS",
        by_event("SNS", {"Topic": resource("AWS::SNS::Topic")}, Topic={"Ref": "Topic"}),
        (Written("sns.amazonaws.com", ARN),),
        "A topic's ARN contains its account.",
    ),
    Case(
        "sns-by-queue",
        "SNS",
        by_event("SNS", {"Topic": resource("AWS::SNS::Topic")}, Topic={"Ref": "Topic"}, SqsSubscription=True),
        (),
        NONE + "Lambda polls the queue.",
    ),
    Case(
        "api-implicit",
        "Api",
        by_event("Api", Path="/orders/{id}", Method="get"),
        (Written(API, ARN),),
        "The ARN names the account and the API; the stage is a wildcard.",
    ),
    Case(
        "api-explicit",
        "Api",
        by_event(
            "Api",
            {"Rest": resource("AWS::Serverless::Api", StageName="live")},
            Path="/{proxy+}",
            Method="any",
            RestApiId={"Ref": "Rest"},
        ),
        (Written(API, ARN),),
        "Wildcards for the stage, the method and the path match no API of another account.",
    ),
    Case(
        "api-authorizer",
        "AWS::Serverless::Api",
        by_event(
            "Api",
            {
                "Rest": resource(
                    "AWS::Serverless::Api",
                    StageName="live",
                    Auth={"DefaultAuthorizer": "Custom", "Authorizers": {"Custom": {"FunctionArn": FUNCTION_ARN}}},
                )
            },
            Path="/orders",
            Method="get",
            RestApiId={"Ref": "Rest"},
        ),
        (Written(API, ARN),),
        "The authorizer's statement ends in authorizers/*, of one API of this account.",
    ),
    Case(
        "http-api",
        "HttpApi",
        by_event("HttpApi", Path="/orders", Method="post"),
        (Written(API, ARN),),
        "The ARN names the account and the API.",
    ),
    Case(
        "http-api-authorizer",
        "AWS::Serverless::HttpApi",
        by_event(
            "HttpApi",
            {
                "Http": resource(
                    "AWS::Serverless::HttpApi",
                    Auth={
                        "DefaultAuthorizer": "Custom",
                        "Authorizers": {
                            "Custom": {
                                "FunctionArn": FUNCTION_ARN,
                                "AuthorizerPayloadFormatVersion": "2.0",
                                "Identity": {"Headers": ["authorization"]},
                                "EnableFunctionDefaultPermissions": True,
                            }
                        },
                    },
                )
            },
            ApiId={"Ref": "Http"},
            Path="/orders",
            Method="post",
        ),
        (Written(API, ARN),),
        "Both statements name the account and the API.",
    ),
    Case(
        "web-socket-api",
        "AWS::Serverless::WebSocketApi",
        {
            "Fn": function(),
            "Socket": resource(
                "AWS::Serverless::WebSocketApi",
                RouteSelectionExpression="$request.body.action",
                Routes={key: {"FunctionArn": FUNCTION_ARN} for key in ("$connect", "$default", "send")},
                Auth={"AuthType": "CUSTOM", "AuthArn": FUNCTION_ARN},
            ),
        },
        (Written(API, ARN),),
        "The statement of each route names the account, the API and the stage; the Serverless Framework names nothing.",
    ),
    Case(
        "schedule",
        "Schedule",
        by_event("Schedule", Schedule="rate(1 day)"),
        (Written("events.amazonaws.com", ARN),),
        "A schedule of this kind is an EventBridge rule, whose ARN contains its account.",
    ),
    Case(
        "schedule-v2",
        "ScheduleV2",
        by_event("ScheduleV2", ScheduleExpression="rate(1 day)"),
        (),
        NONE + "EventBridge Scheduler invokes with an IAM role.",
    ),
    Case(
        "cloudwatch-event",
        "CloudWatchEvent",
        by_event("CloudWatchEvent", Pattern={"source": ["aws.ec2"]}),
        (Written("events.amazonaws.com", ARN),),
        "The old name of an EventBridge rule.",
    ),
    Case(
        "event-bridge-rule",
        "EventBridgeRule",
        by_event("EventBridgeRule", EventBusName="orders", Pattern={"source": ["orders"]}),
        (Written("events.amazonaws.com", ARN),),
        "The ARN contains the account, whichever bus the rule is on.",
    ),
    Case(
        "cloudwatch-logs",
        "CloudWatchLogs",
        by_event("CloudWatchLogs", LogGroupName="/aws/lambda/orders", FilterPattern="ERROR"),
        (Written("logs.amazonaws.com", ARN),),
        "The `*` at the end is part of the ARN that CloudWatch Logs sends.",
    ),
    Case(
        "iot-rule",
        "IoTRule",
        by_event("IoTRule", Sql="SELECT * FROM 'orders'"),
        (Written("iot.amazonaws.com", BOTH),),
        "The ARN and the account agree.",
    ),
    Case(
        "alexa-skill",
        "AlexaSkill",
        by_event("AlexaSkill", SkillId="amzn1.ask.skill.0f0f0f0f"),
        (Written("alexa-appkit.amazon.com", ("lambda:EventSourceToken",)),),
        "The token names the skill; Alexa sends no other key for it.",
    ),
    Case(
        "alexa-skill-without-id",
        "AlexaSkill",
        by_event("AlexaSkill"),
        (Written("alexa-appkit.amazon.com", (), ("PG108",)),),
        "Any skill can use the function as its endpoint.",
    ),
    Case(
        "cognito",
        "Cognito",
        by_event(
            "Cognito", {"Pool": resource("AWS::Cognito::UserPool")}, UserPool={"Ref": "Pool"}, Trigger="PreSignUp"
        ),
        (Written("cognito-idp.amazonaws.com", ARN),),
        "A user pool's ARN contains its account.",
    ),
    Case(
        "url-for-everyone",
        "FunctionUrlConfig",
        {"Fn": function(FunctionUrlConfig={"AuthType": "NONE"})},
        (
            Written("*", ("lambda:FunctionUrlAuthType",), ("PG107",)),
            Written("*", ("lambda:InvokedViaFunctionUrl",), ("PG107",)),
        ),
        "The pair of statements makes the URL public.",
    ),
    Case(
        "url-with-authentication",
        "FunctionUrlConfig",
        {"Fn": function(FunctionUrlConfig={"AuthType": "AWS_IAM"})},
        (),
        NONE + "callers need a policy in their own account.",
    ),
    Case(
        "url-of-an-alias",
        "FunctionUrlConfig",
        {"Fn": function(AutoPublishAlias="live", FunctionUrlConfig={"AuthType": "NONE"})},
        (
            Written("*", ("lambda:FunctionUrlAuthType",), ("PG107",)),
            Written("*", ("lambda:InvokedViaFunctionUrl",), ("PG107",)),
        ),
        "An alias has its own policy and URL.",
    ),
    Case(
        "alias",
        "AutoPublishAlias",
        {
            "Bucket": resource("AWS::S3::Bucket"),
            "Fn": function(
                AutoPublishAlias="live",
                Events={
                    "Upload": {"Type": "S3", "Properties": {"Bucket": {"Ref": "Bucket"}, "Events": "s3:*"}},
                    "Skill": {"Type": "AlexaSkill"},
                },
            ),
        },
        (Written("alexa-appkit.amazon.com", (), ("PG108",)), Written("s3.amazonaws.com", ACCOUNT)),
        "The statements belong to the alias, and are evaluated like the function's.",
    ),
    Case(
        "graphql-api-authorizer",
        "AWS::Serverless::GraphQLApi",
        {
            "Fn": function(),
            "Graph": resource(
                "AWS::Serverless::GraphQLApi",
                SchemaInline="type Query { order: String }",
                Auth={"Type": "AWS_LAMBDA", "LambdaAuthorizer": {"AuthorizerUri": FUNCTION_ARN}},
            ),
        },
        (Written("appsync.amazonaws.com", ARN),),
        "SAM names the API, which CDK leaves out.",
    ),
    Case(
        "state-machine",
        "AWS::Serverless::StateMachine",
        {
            "Fn": function(),
            "Flow": resource(
                "AWS::Serverless::StateMachine",
                Definition={"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": FUNCTION_ARN, "End": True}}},
                Policies=[{"LambdaInvokePolicy": {"FunctionName": {"Ref": "Fn"}}}],
                Events={"Daily": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)"}}},
            ),
        },
        (),
        NONE + "a state machine invokes with its role, and events start the state machine.",
    ),
    Case(
        "connector-events",
        "AWS::Events::Rule",
        connected("AWS::Events::Rule"),
        (Written("events.amazonaws.com", ARN),),
        "A rule's ARN contains its account.",
    ),
    Case(
        "connector-http-api",
        "AWS::ApiGatewayV2::Api",
        connected("AWS::ApiGatewayV2::Api", Qualifier="*"),
        (Written(API, ARN),),
        "The ARN names the account and the API.",
    ),
    Case(
        "connector-rest-api",
        "AWS::ApiGateway::RestApi",
        connected("AWS::ApiGateway::RestApi", Qualifier="live/GET/orders"),
        (Written(API, ARN),),
        "The ARN names the account and the API.",
    ),
    Case(
        "connector-sns",
        "AWS::SNS::Topic",
        connected("AWS::SNS::Topic"),
        (Written("sns.amazonaws.com", ARN),),
        "A topic's ARN contains its account.",
    ),
    Case(
        "connector-s3",
        "AWS::S3::Bucket",
        connected("AWS::S3::Bucket"),
        (Written("s3.amazonaws.com", BOTH),),
        "The connector names the bucket and its account.",
    ),
    Case(
        "connector-appsync",
        "AWS::AppSync::GraphQLApi",
        connected("AWS::AppSync::GraphQLApi"),
        (Written("appsync.amazonaws.com", ARN),),
        "The ARN names the account and the API.",
    ),
)

PULLED: Final = {"DocumentDB", "DynamoDB", "Kinesis", "MQ", "MSK", "SQS", "SelfManagedKafka"}
"""Event types that Lambda polls: they have an event source mapping and no statement."""

WITHOUT_STATEMENTS: Final = {
    "AWS::Serverless::Application": "another template",
    "AWS::Serverless::CapacityProvider": "where functions run",
    "AWS::Serverless::LayerVersion": "code",
    "AWS::Serverless::MicrovmImage": "where functions run",
    "AWS::Serverless::NetworkConnector": "how functions reach a network",
    "AWS::Serverless::SimpleTable": "a table, which Lambda polls",
    "AWS::Serverless::WebFunction": "an AWS::Lambda::WebFunction, with an endpoint instead of a policy",
}
"""SAM's resource types that add no statement to the policy of a function."""
