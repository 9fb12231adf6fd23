"""The services that invoke functions: what their sources look like, and which keys they send."""

from __future__ import annotations

import re

from permission_guard.invokers import (
    alexa,
    apigateway,
    appsync,
    bedrock,
    cloudfront,
    cloudwatch,
    codecommit,
    cognito_idp,
    config,
    connect,
    edge,
    elasticloadbalancing,
    events,
    iot,
    iotevents,
    lex,
    lexv2,
    logs,
    pinpoint,
    pollers,
    role_users,
    s3,
    secretsmanager,
    ses,
    sns,
    vpc_lattice,
)
from permission_guard.invokers.base import Authority, Invoker, Sent

INVOKERS: tuple[Invoker, ...] = (
    alexa.CUSTOM_SKILL,
    alexa.SMART_HOME,
    apigateway.INVOKER,
    appsync.INVOKER,
    bedrock.INVOKER,
    cloudfront.INVOKER,
    cloudwatch.INVOKER,
    codecommit.INVOKER,
    cognito_idp.INVOKER,
    config.INVOKER,
    connect.INVOKER,
    edge.EDGE,
    edge.REPLICATOR,
    elasticloadbalancing.INVOKER,
    events.INVOKER,
    iot.INVOKER,
    iotevents.INVOKER,
    lex.INVOKER,
    lexv2.INVOKER,
    logs.INVOKER,
    pinpoint.INVOKER,
    pollers.DYNAMODB,
    pollers.KAFKA,
    pollers.KINESIS,
    pollers.MQ,
    pollers.SQS,
    role_users.CODEPIPELINE,
    role_users.FIREHOSE,
    role_users.PIPES,
    role_users.S3_BATCH,
    role_users.SCHEDULER,
    role_users.STATES,
    s3.INVOKER,
    secretsmanager.INVOKER,
    ses.INVOKER,
    sns.INVOKER,
    vpc_lattice.INVOKER,
)

_BY_PRINCIPAL = {invoker.principal: invoker for invoker in INVOKERS}

# A service, with or without a region, under AWS's domain, that of China, or Alexa's.
_PRINCIPAL = re.compile(
    r"(?P<service>[a-z0-9-]+(?:\.[a-z0-9-]+)*?)"
    r"(?:\.(?P<region>(?:eusc-)?[a-z]{2}(?:-[a-z]+)+-\d))?"
    r"\.(?P<domain>amazonaws\.com(?:\.cn)?|amazon\.com)"
)


def invoker_of(principal: str) -> Invoker:
    """Return what is known of a service principal, also of its regional form and that of China.

    One that is in no table, and a text that is no principal, is judged like any other service, and `is_known` is false.
    """
    match = _PRINCIPAL.fullmatch(principal.strip().lower())
    found = _BY_PRINCIPAL.get(f"{match['service']}.{match['domain'].removesuffix('.cn')}") if match else None
    if match is None or found is None or (match["region"] and not found.regional_principal):
        return _unknown(principal)
    return found


def never_sent(principal: str) -> frozenset[str]:
    """Return the condition keys, in lower case, that a service principal never sends."""
    return invoker_of(principal).never_sends


def _unknown(principal: str) -> Invoker:
    """Return the general rule for a principal; of its name, only what can stand in an ARN goes into its source's."""
    service = re.sub(r"[^a-z0-9-]", "", principal.strip().lower().split(".", 1)[0])
    return Invoker(
        principal,
        f"{service} resource" if service else "resource",
        "arn:{partition}:" + (service or "SERVICE") + ":{region}:{account}:RESOURCE",
        article="an" if service[:1] in {"a", "e", "i", "o"} else "a",
        sends_source_arn=Sent.UNKNOWN,
        sends_source_account=Sent.UNKNOWN,
        sends_event_source_token=Sent.UNKNOWN,
        is_known=False,
    )


__all__ = ["INVOKERS", "Authority", "Invoker", "Sent", "invoker_of", "never_sent"]
