"""Read the triggers that a template configures: which resource invokes which function, and as what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from permission_guard.invokers import (
    appsync,
    bedrock,
    cloudfront,
    cloudwatch,
    codecommit,
    cognito_idp,
    config,
    elasticloadbalancing,
    events,
    iot,
    logs,
    s3,
    secretsmanager,
    ses,
    sns,
)
from permission_guard.offline import template_apis
from permission_guard.offline.configured import Configured, TemplateTrigger
from permission_guard.offline.unresolved import listed, sole_unresolved, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver

_NAMES: Final = re.compile(r"[A-Za-z0-9]+")


def triggers_of(resolver: Resolver, logical_id: str) -> tuple[list[TemplateTrigger], list[str]]:
    """Return the triggers of a resource in one scenario, each of them once, and what may be one and was not read."""
    configured = Configured(resolver, logical_id, resolver.properties(logical_id))
    found = READERS[resolver.type_of(logical_id)](configured)
    return list(dict.fromkeys(one for one in found if one.function)), configured.unread


def _bucket(one: Configured) -> Iterator[TemplateTrigger]:
    for notification in one.objects("NotificationConfiguration", "LambdaConfigurations"):
        yield TemplateTrigger(
            "s3", s3.INVOKER, one.arn, text(notification.get("Function") or ""), f"the bucket {one.name}"
        )


def _topic(one: Configured) -> Iterator[TemplateTrigger]:
    topic = one.reference
    for subscription in one.objects("Subscription"):
        yield from _subscribed(one, topic, subscription)


def _subscription(one: Configured) -> Iterator[TemplateTrigger]:
    return _subscribed(one, one.text("TopicArn"), one.properties)


def _subscribed(one: Configured, topic: str, subscription: dict[str, Any]) -> Iterator[TemplateTrigger]:
    endpoint, protocol = subscription.get("Endpoint"), text(subscription.get("Protocol") or "")
    # Only the protocol `lambda` has the ARN of a function as its endpoint.
    function = one.function(endpoint) if unresolved_in(protocol) else text(endpoint or "")
    if function and (protocol == "lambda" or unresolved_in(protocol)):
        yield TemplateTrigger("sns", sns.INVOKER, topic, function, f"the topic {topic.rpartition(':')[2]}")


def _rule(one: Configured) -> Iterator[TemplateTrigger]:
    for target in one.objects("Targets") if one.part("State") != "DISABLED" else ():
        function = None if target.get("RoleArn") else one.function(target.get("Arn"))
        if function:
            yield TemplateTrigger("events", events.INVOKER, one.arn, function, f"the rule {one.name}")


def _subscription_filter(one: Configured) -> Iterator[TemplateTrigger]:
    destination = None if one.part("RoleArn") else one.function(one.part("DestinationArn"))
    if destination:
        group = one.text("LogGroupName")
        arn = one.own_arn("logs", f"log-group:{group}")
        yield TemplateTrigger("logs", logs.INVOKER, arn, destination, f"the log group {group}", (f"{arn}:*",))


def _target_group(one: Configured) -> Iterator[TemplateTrigger]:
    for target in one.objects("Targets") if one.part("TargetType") == "lambda" else ():
        what = f"the target group {one.name}"
        yield TemplateTrigger("elbv2", elasticloadbalancing.INVOKER, one.arn, text(target.get("Id") or ""), what)


def _user_pool(one: Configured) -> Iterator[TemplateTrigger]:
    found = one.part("LambdaConfig")
    for name, value in found.items() if isinstance(found, dict) else ():
        function = value.get("LambdaArn") if isinstance(value, dict) else value
        if function and name != "KMSKeyID":
            what = f"the user pool {one.name}"
            yield TemplateTrigger("cognito-idp", cognito_idp.INVOKER, one.arn, text(function), what)


def _config_rule(one: Configured) -> Iterator[TemplateTrigger]:
    if one.part("Source", "Owner") == "CUSTOM_LAMBDA":
        function = one.text("Source", "SourceIdentifier")
        yield TemplateTrigger("config", config.INVOKER, one.arn, function, f"the Config rule {one.name}")


def _topic_rule(one: Configured) -> Iterator[TemplateTrigger]:
    payload = one.part("TopicRulePayload")
    if not isinstance(payload, dict) or text(payload.get("RuleDisabled", False)) == "true":
        return
    actions = [*one.objects("TopicRulePayload", "Actions"), one.part("TopicRulePayload", "ErrorAction")]
    invoked = [action.get("Lambda") for action in actions if isinstance(action, dict)]
    functions = [text(action.get("FunctionArn") or "") for action in invoked if isinstance(action, dict)]
    sql = text(payload.get("Sql", ""))
    in_sql = iot.functions_in_sql(sql)
    if None in in_sql or sole_unresolved(sql):
        one.skip("functions in its SQL")
    for function in (*functions, *filter(None, in_sql)):
        yield TemplateTrigger("iot", iot.INVOKER, one.arn, function, f"the IoT rule {one.name}")


def _authorizer(one: Configured) -> Iterator[TemplateTrigger]:
    if one.part("Status") != "INACTIVE":
        function = one.text("AuthorizerFunctionArn")
        yield TemplateTrigger("iot", iot.INVOKER, one.arn, function, f"the IoT authorizer {one.name}")


def _provisioning_template(one: Configured) -> Iterator[TemplateTrigger]:
    function = one.text("PreProvisioningHook", "TargetArn")
    yield TemplateTrigger("iot", iot.INVOKER, one.arn, function, f"the provisioning template {one.name}")


def _certificate_provider(one: Configured) -> Iterator[TemplateTrigger]:
    function = one.text("LambdaFunctionArn")
    yield TemplateTrigger("iot", iot.INVOKER, one.arn, function, f"the certificate provider {one.name}")


def _appsync_api(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield the Lambda authorizers of a GraphQL API or of an Event API."""
    providers = (
        one.properties,
        *one.objects("AdditionalAuthenticationProviders"),
        *one.objects("EventConfig", "AuthProviders"),
    )
    for authorizer in (provider.get("LambdaAuthorizerConfig") for provider in providers):
        if isinstance(authorizer, dict) and authorizer.get("AuthorizerUri"):
            function, what = text(authorizer["AuthorizerUri"]), f"the authorizer of the AppSync API {one.name}"
            yield TemplateTrigger("appsync", appsync.INVOKER, one.arn, function, what)


def _rotation(one: Configured) -> Iterator[TemplateTrigger]:
    if one.part("RotationLambdaARN"):
        secret = one.text("SecretId")
        source = secret if secret.startswith("arn:") else one.own_arn("secretsmanager", f"secret:{secret}")
        what = f"the secret {source.partition(':secret:')[2]}"
        function = one.text("RotationLambdaARN")
        yield TemplateTrigger("secretsmanager", secretsmanager.INVOKER, source, function, what)


def _alarm(one: Configured) -> Iterator[TemplateTrigger]:
    if text(one.part("ActionsEnabled")) == "false":
        return
    for actions in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for function in filter(None, map(one.function, listed(one.part(actions)))):
            yield TemplateTrigger("cloudwatch", cloudwatch.INVOKER, one.arn, function, f"the alarm {one.name}")


def _repository(one: Configured) -> Iterator[TemplateTrigger]:
    for trigger in one.objects("Triggers"):
        function = one.function(trigger.get("DestinationArn"))
        if function:
            yield TemplateTrigger("codecommit", codecommit.INVOKER, one.arn, function, f"the repository {one.name}")


def _receipt_rule(one: Configured) -> Iterator[TemplateTrigger]:
    rule_set = one.text("RuleSetName")
    name = text(one.part("Rule", "Name") or one.logical_id)
    for action in one.objects("Rule", "Actions"):
        function = action.get("LambdaAction")
        if isinstance(function, dict) and text(one.part("Rule", "Enabled")) != "false":
            source = one.own_arn("ses", f"receipt-rule-set/{rule_set}:receipt-rule/{name}")
            arn = text(function.get("FunctionArn") or "")
            yield TemplateTrigger("ses", ses.INVOKER, source, arn, f"the receipt rule {name}")


def _agent(one: Configured) -> Iterator[TemplateTrigger]:
    for group in one.objects("ActionGroups"):
        executor = group.get("ActionGroupExecutor")
        function = executor.get("Lambda") if isinstance(executor, dict) else None
        if function:
            yield TemplateTrigger("bedrock", bedrock.INVOKER, one.arn, text(function), f"the agent {one.name}")


def _distribution(one: Configured) -> Iterator[TemplateTrigger]:
    """Yield the functions whose URLs a distribution calls with origin access control."""
    raw = one.resolver.resources[one.logical_id].get("Properties")
    written = raw.get("DistributionConfig") if isinstance(raw, dict) else None
    origins = written.get("Origins") if isinstance(written, dict) else None
    for origin in origins if isinstance(origins, list) else ():
        if not isinstance(origin, dict) or not origin.get("OriginAccessControlId"):
            continue
        for logical_id in _named_in(origin.get("DomainName"), one.resolver, "AWS::Lambda::Url"):
            url = one.resolver.properties(logical_id)
            if url.get("AuthType") == "AWS_IAM":
                function, alias = text(url.get("TargetFunctionArn") or ""), text(url.get("Qualifier") or "")
                what = f"the distribution {one.name}"
                yield TemplateTrigger(
                    "cloudfront", cloudfront.INVOKER, one.arn, f"{function}:{alias}" if alias else function, what
                )


def _named_in(raw: JSON, resolver: Resolver, kind: str) -> Iterator[str]:
    """Yield the resources of a type to which a value refers, as it is written."""
    if isinstance(raw, str):
        yield from (name for name in _NAMES.findall(raw) if resolver.type_of(name) == kind)
    parts = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    for part in parts:
        yield from _named_in(part, resolver, kind)


READERS: Final[dict[str, Callable[[Configured], Iterator[TemplateTrigger]]]] = {
    "AWS::ApiGateway::Authorizer": template_apis.authorizers,
    "AWS::ApiGateway::Method": template_apis.methods,
    "AWS::ApiGateway::RestApi": template_apis.rest_apis,
    "AWS::ApiGatewayV2::Api": template_apis.apis,
    "AWS::ApiGatewayV2::Authorizer": template_apis.authorizers_v2,
    "AWS::ApiGatewayV2::Route": template_apis.routes,
    "AWS::AppSync::Api": _appsync_api,
    "AWS::AppSync::GraphQLApi": _appsync_api,
    "AWS::Bedrock::Agent": _agent,
    "AWS::CloudFront::Distribution": _distribution,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _alarm,
    "AWS::CodeCommit::Repository": _repository,
    "AWS::Cognito::UserPool": _user_pool,
    "AWS::Config::ConfigRule": _config_rule,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _target_group,
    "AWS::Events::Rule": _rule,
    "AWS::IoT::Authorizer": _authorizer,
    "AWS::IoT::CertificateProvider": _certificate_provider,
    "AWS::IoT::ProvisioningTemplate": _provisioning_template,
    "AWS::IoT::TopicRule": _topic_rule,
    "AWS::Logs::SubscriptionFilter": _subscription_filter,
    "AWS::S3::Bucket": _bucket,
    "AWS::SES::ReceiptRule": _receipt_rule,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
    "AWS::SecretsManager::RotationSchedule": _rotation,
}
"""The types of resources that can be configured to invoke functions, each with what reads its triggers."""

NOT_READ: Final = (
    "AWS::Cognito::IdentityPool",
    "AWS::Config::OrganizationConfigRule",
    "AWS::Connect::IntegrationAssociation",
    "AWS::IoT::CertificateProvider",
    "AWS::IoT::ProvisioningTemplate",
    "AWS::IoTEvents::DetectorModel",
    "AWS::Lex::Bot",
    "AWS::Lex::BotAlias",
    "AWS::Logs::AccountPolicy",
    "AWS::Pinpoint::ApplicationSettings",
    "AWS::Pinpoint::Campaign",
    "AWS::Transfer::Server",
)
"""The types of resources whose functions need a permission, and whose triggers are not read."""
