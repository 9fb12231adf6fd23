"""The services that invoke functions: the ARNs of their sources, and the condition keys that they send."""

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

# A service name, an optional region, and the domain of AWS, of AWS in China, or of Alexa.
_PRINCIPAL = re.compile(
    r"(?P<service>[a-z0-9-]+(?:\.[a-z0-9-]+)*?)"
    r"(?:\.(?P<region>(?:eusc-)?[a-z]{2}(?:-[a-z]+)+-\d))?"
    r"\.(?P<domain>amazonaws\.com(?:\.cn)?|amazon\.com)"
)


def invoker_of(principal: str) -> Invoker:
    """Return the entry of a service principal, also for its regional form and its form in China.

    For a principal without an entry, and for a text that is not a principal, return a general entry: its `is_known` is
    false.
    """
    match = _PRINCIPAL.fullmatch(principal.strip().lower())
    found = _BY_PRINCIPAL.get(f"{match['service']}.{match['domain'].removesuffix('.cn')}") if match else None
    if match is None or found is None or (match["region"] and not found.regional_principal):
        return _general(principal)
    return found


def never_sent(principal: str) -> frozenset[str]:
    """Return the condition keys, in lower case, that a service principal never sends."""
    return invoker_of(principal).never_sends


def _general(principal: str) -> Invoker:
    """Return the general entry for a principal. Its source ARN leaves out characters that are invalid in an ARN."""
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
