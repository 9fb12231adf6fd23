"""One source of every kind that can invoke a function, and the calls that read them back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from sandbox.client.process import Sandbox

NAME = "inventories"
INVOCATION = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{}/invocations"

# Each permission and a call that needs it; a word in angle brackets stands for a generated id of a source.
CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("lambda:ListFunctionUrlConfigs", "lambda", "list_function_url_configs", {"FunctionName": "<function>"}),
    ("lambda:ListTags", "lambda", "list_tags", {"Resource": "<function>"}),
    ("organizations:DescribeOrganization", "organizations", "describe_organization", {}),
    ("s3:ListAllMyBuckets", "s3", "list_buckets", {"MaxBuckets": 1000}),
    ("s3:GetBucketNotification", "s3", "get_bucket_notification_configuration", {"Bucket": NAME}),
    ("events:ListEventBuses", "events", "list_event_buses", {}),
    ("events:ListRules", "events", "list_rules", {"EventBusName": NAME}),
    ("events:ListTargetsByRule", "events", "list_targets_by_rule", {"Rule": NAME}),
    ("events:ListTargetsByRule", "events", "list_targets_by_rule", {"Rule": NAME, "EventBusName": NAME}),
    ("sns:ListTopics", "sns", "list_topics", {}),
    ("sns:ListSubscriptions", "sns", "list_subscriptions", {}),
    ("apigateway:GET", "apigateway", "get_rest_apis", {}),
    ("apigateway:GET", "apigateway", "get_resources", {"restApiId": "<rest>", "embed": ["methods"]}),
    ("apigateway:GET", "apigateway", "get_authorizers", {"restApiId": "<rest>"}),
    ("apigateway:GET", "apigateway", "get_stages", {"restApiId": "<rest>"}),
    ("apigateway:GET", "apigatewayv2", "get_apis", {}),
    ("apigateway:GET", "apigatewayv2", "get_integrations", {"ApiId": "<http>"}),
    ("apigateway:GET", "apigatewayv2", "get_routes", {"ApiId": "<http>"}),
    ("apigateway:GET", "apigatewayv2", "get_authorizers", {"ApiId": "<http>"}),
    ("apigateway:GET", "apigatewayv2", "get_stages", {"ApiId": "<http>"}),
    ("logs:DescribeLogGroups", "logs", "describe_log_groups", {}),
    ("logs:DescribeSubscriptionFilters", "logs", "describe_subscription_filters", {"logGroupName": NAME}),
    (
        "logs:DescribeAccountPolicies",
        "logs",
        "describe_account_policies",
        {"policyType": "SUBSCRIPTION_FILTER_POLICY"},
    ),
    ("elasticloadbalancing:DescribeTargetGroups", "elbv2", "describe_target_groups", {}),
    ("elasticloadbalancing:DescribeTargetHealth", "elbv2", "describe_target_health", {"TargetGroupArn": "<group>"}),
    ("cognito-idp:ListUserPools", "cognito-idp", "list_user_pools", {"MaxResults": 60}),
    ("cognito-idp:DescribeUserPool", "cognito-idp", "describe_user_pool", {"UserPoolId": "<pool>"}),
    ("config:DescribeConfigRules", "config", "describe_config_rules", {}),
    ("iot:ListTopicRules", "iot", "list_topic_rules", {}),
    ("iot:GetTopicRule", "iot", "get_topic_rule", {"ruleName": NAME}),
    ("iot:ListAuthorizers", "iot", "list_authorizers", {}),
    ("iot:DescribeAuthorizer", "iot", "describe_authorizer", {"authorizerName": NAME}),
    ("secretsmanager:ListSecrets", "secretsmanager", "list_secrets", {}),
    ("cloudwatch:DescribeAlarms", "cloudwatch", "describe_alarms", {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}),
]
_KINDS = (
    "events",
    "rest_api",
    "http_api",
    "logs",
    "account_logs",
    "target_group",
    "iot",
    "bucket",
    "topic",
    "pool",
    "config",
    "secret",
    "alarms",
)
IDS = [f"{service}-{method}-{len(asked)}" for _, service, method, asked in CALLS]


class Sources:
    """Sources that are set up to invoke `function`; `ids` are the ids that AWS generated.

    `kinds` are those to make, one of every kind if there are none. `name` is the name of each.
    """

    def __init__(self, sandbox: Sandbox, function: str, *kinds: str, name: str = NAME) -> None:
        self._sandbox, self.function, self._name = sandbox, function, name
        self.ids = {"function": function}
        for kind in kinds or _KINDS:
            getattr(self, f"_{kind}")()

    def _client(self, service: str) -> Any:
        return self._sandbox.client(service)

    def _events(self) -> None:
        events = self._client("events")
        events.create_event_bus(Name=self._name)
        for bus in ("default", self._name):
            events.put_rule(Name=self._name, EventBusName=bus, EventPattern='{"source": ["never"]}')
            events.put_targets(Rule=self._name, EventBusName=bus, Targets=[{"Id": "1", "Arn": self.function}])

    def _rest_api(self) -> None:
        client, uri = self._client("apigateway"), INVOCATION.format(self.function)
        api = self.ids["rest"] = client.create_rest_api(name=self._name)["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
        client.put_method(**method, authorizationType="NONE")
        client.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        source = "method.request.header.Authorization"
        authorizer = {"name": self._name, "type": "TOKEN", "authorizerUri": uri, "identitySource": source}
        self.ids["authorizer"] = client.create_authorizer(restApiId=api, **authorizer)["id"]
        client.create_deployment(restApiId=api, stageName="live")

    def _http_api(self) -> None:
        client = self._client("apigatewayv2")
        api = self.ids["http"] = client.create_api(Name=self._name, ProtocolType="HTTP")["ApiId"]
        settings = {"IntegrationType": "AWS_PROXY", "IntegrationUri": self.function, "PayloadFormatVersion": "2.0"}
        integration = client.create_integration(ApiId=api, **settings)["IntegrationId"]
        client.create_route(ApiId=api, RouteKey="GET /orders", Target=f"integrations/{integration}")
        client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        uri, source = INVOCATION.format(self.function), ["$request.header.Authorization"]
        settings = {"AuthorizerType": "REQUEST", "AuthorizerUri": uri, "AuthorizerPayloadFormatVersion": "2.0"}
        authorizer = client.create_authorizer(ApiId=api, Name=self._name, IdentitySource=source, **settings)
        self.ids["authorizer"] = authorizer["AuthorizerId"]

    def _bucket(self) -> None:
        self._client("s3").create_bucket(Bucket=self._name)
        configuration = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": self.function, "Events": ["s3:*"]}]}
        self._client("s3").put_bucket_notification_configuration(
            Bucket=self._name, NotificationConfiguration=configuration
        )

    def _topic(self) -> None:
        sns = self._client("sns")
        topic = sns.create_topic(Name=self._name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=self.function)

    def _pool(self) -> None:
        lambdas = {"PreSignUp": self.function}
        pool = self._client("cognito-idp").create_user_pool(PoolName=self._name, LambdaConfig=lambdas)
        self.ids["pool"] = pool["UserPool"]["Id"]

    def _config(self) -> None:
        rule = {"ConfigRuleName": self._name, "Source": {"Owner": "CUSTOM_LAMBDA", "SourceIdentifier": self.function}}
        self._client("config").put_config_rule(ConfigRule=rule)

    def _secret(self) -> None:
        secrets, yearly = self._client("secretsmanager"), {"AutomaticallyAfterDays": 365}
        secrets.create_secret(Name=self._name, SecretString="x")
        secrets.rotate_secret(SecretId=self._name, RotationLambdaARN=self.function, RotationRules=yearly)

    def _logs(self) -> None:
        logs, pattern = self._client("logs"), {"filterName": self._name, "filterPattern": ""}
        logs.create_log_group(logGroupName=self._name)
        logs.put_subscription_filter(logGroupName=self._name, **pattern, destinationArn=self.function)

    def _account_logs(self) -> None:
        document = json.dumps({"DestinationArn": self.function, "FilterPattern": "ERROR"})
        kind = "SUBSCRIPTION_FILTER_POLICY"
        self._client("logs").put_account_policy(
            policyName=self._name, policyType=kind, policyDocument=document, scope="ALL"
        )

    def _target_group(self) -> None:
        client = self._client("elbv2")
        group = client.create_target_group(Name=self._name, TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
        client.register_targets(TargetGroupArn=group, Targets=[{"Id": self.function}])
        self.ids["group"] = group

    def _iot(self) -> None:
        iot, action = self._client("iot"), {"lambda": {"functionArn": self.function}}
        iot.create_topic_rule(ruleName=self._name, topicRulePayload={"sql": "SELECT * FROM 'a'", "actions": [action]})
        settings = {"authorizerFunctionArn": self.function, "signingDisabled": True, "status": "ACTIVE"}
        iot.create_authorizer(authorizerName=self._name, **settings)

    def _alarms(self) -> None:
        client = self._client("cloudwatch")
        settings = {"MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
        limit = {"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
        client.put_metric_alarm(AlarmName=self._name, **settings, **limit, OKActions=[self.function])
        client.put_metric_alarm(AlarmName=f"{self._name}-2", **settings, **limit)
        rule = {"AlarmName": f"{self._name}-3", "AlarmRule": f"ALARM({self._name})"}
        client.put_composite_alarm(**rule, AlarmActions=[f"{self.function}:live"])


def ask(client: Any, method: str, asked: dict[str, Any], sources: Sources) -> Any:
    """Make a call with the generated ids filled in; return the reply, validated by botocore's model."""
    names = {f"<{name}>": value for name, value in sources.ids.items()}
    given = {key: names.get(value, value) if isinstance(value, str) else value for key, value in asked.items()}
    answer = getattr(client, method)(**given)
    answer.pop("ResponseMetadata")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).output_shape
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), report.generate_report()
    return answer
