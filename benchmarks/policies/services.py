"""The services that invoke functions by a policy, as AWS documents their sources and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.policies.sampling import OWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.policies.sampling import Sampler


@dataclass(frozen=True, slots=True)
class Source:
    """What a service sends as `aws:SourceArn`, the patterns under which people admit it, and its own name.

    `named` is the ARN by which the source is listed in its own API: that of the API, whatever the stage and path.
    """

    sent: str
    patterns: tuple[str, ...] = ()
    named: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service principal; `ways` are the keys by which its documentation holds it.

    `kind` is AWS's name of the API that lists its sources, empty where nobody lists them. `sends_account` says that the
    account is documented to be sent.
    """

    principal: str
    source: Callable[[Sampler, str], Source]
    ways: tuple[str, ...]
    kind: str = ""
    sends_account: bool = True
    partitions: tuple[str, ...] = ("aws", "aws-cn", "aws-us-gov")


def _bucket(draw: Sampler, _account: str) -> Source:
    bucket = f"{draw.name().lower().replace('_', '-')}-{draw.id(4)}"
    return Source(draw.arn("s3", bucket, account="", region=""), (draw.arn("s3", f"{bucket[:5]}*", "", ""),))


def _topic(draw: Sampler, account: str) -> Source:
    name = draw.name()
    return Source(draw.arn("sns", name, account), (draw.arn("sns", f"{name[:3]}*", account),))


def _rule(draw: Sampler, account: str) -> Source:
    name = draw.name() if draw.chance(0.7) else f"{draw.name()}/{draw.name()}"
    patterns = (draw.arn("events", "rule/*", account), draw.arn("events", f"rule/{name[:4]}*", account))
    return Source(draw.arn("events", f"rule/{name}", account), patterns)


def _rest_api(draw: Sampler, account: str) -> Source:
    api, method, path = draw.id(), draw.pick("GET", "POST"), draw.name()
    here = draw.arn("execute-api", api, account)
    patterns = (f"{here}/*", f"{here}/*/*", f"{here}/*/{method}/{path}", f"{here}/live/*/*", f"{here}/*/*/{path}")
    return Source(f"{here}/live/{method}/{path}", patterns, here)


def _web_socket_api(draw: Sampler, account: str) -> Source:
    here = draw.arn("execute-api", draw.id(), account)
    return Source(f"{here}/live/$connect", (f"{here}/*", f"{here}/*/$connect", f"{here}/*$connect"), here)


def _authorizer(draw: Sampler, account: str) -> Source:
    here = draw.arn("execute-api", draw.id(), account)
    return Source(f"{here}/authorizers/{draw.id(6)}", (f"{here}/authorizers/*",), here)


def _log_group(draw: Sampler, account: str) -> Source:
    group = f"/aws/lambda/{draw.name()}"
    here = draw.arn("logs", f"log-group:{group}", account)
    return Source(f"{here}:*", (draw.arn("logs", "log-group:*", account), f"{here[:-2]}*:*"), here)


def _of(service: str, resource: str, *wider: str) -> Callable[[Sampler, str], Source]:
    """Return a source whose ARN is the service's, with a name, or an id, filled in; a word has no hyphen."""

    def source(draw: Sampler, account: str) -> Source:
        name = draw.name()
        filled = resource.format(name=name, word=name.replace("-", "_"), id=draw.id())
        return Source(draw.arn(service, filled, account), tuple(draw.arn(service, item, account) for item in wider))

    return source


def _target_group(draw: Sampler, account: str) -> Source:
    resource = f"targetgroup/{draw.name().replace('_', '-')}/{draw.id(16)}"
    return Source(draw.arn("elasticloadbalancing", resource, account))


def _distribution(draw: Sampler, account: str) -> Source:
    return Source(draw.arn("cloudfront", f"distribution/E{draw.id(12).upper()}", account, region=""))


ANY: Final = ("arn", "both", "account", "organization", "paths")
GLOBAL: Final = ("aws",)
US: Final = ("aws", "aws-us-gov")

SERVICES: Final = (
    Service("s3.amazonaws.com", _bucket, ("both", "account", "organization", "paths"), "s3"),
    Service("sns.amazonaws.com", _topic, ("arn",), "sns", sends_account=False),
    Service("events.amazonaws.com", _rule, ANY, "events"),
    Service("apigateway.amazonaws.com", _rest_api, ("arn",), "apigateway", sends_account=False),
    Service("apigateway.amazonaws.com", _web_socket_api, ("arn",), "apigatewayv2", sends_account=False),
    Service("apigateway.amazonaws.com", _authorizer, ("arn",), "apigateway", sends_account=False),
    Service("logs.amazonaws.com", _log_group, ("arn", "both"), "logs"),
    Service("elasticloadbalancing.amazonaws.com", _target_group, ("arn", "both"), "elbv2"),
    Service(
        "cognito-idp.amazonaws.com",
        _of("cognito-idp", "userpool/us-east-1_{id}", "userpool/*"),
        ("arn", "both"),
        "cognito-idp",
        partitions=US,
    ),
    Service(
        "config.amazonaws.com",
        _of("config", "config-rule/config-rule-{id}", "config-rule/*"),
        ("account", "both"),
        "config",
    ),
    Service("iot.amazonaws.com", _of("iot", "rule/{word}", "rule/*"), ("arn", "both"), "iot"),
    Service("iot.amazonaws.com", _of("iot", "authorizer/{name}"), ("both",), "iot"),
    Service(
        "lambda.alarms.cloudwatch.amazonaws.com",
        _of("cloudwatch", "alarm:{name}", "alarm:*"),
        ("arn", "both"),
        "cloudwatch",
    ),
    Service(
        "secretsmanager.amazonaws.com", _of("secretsmanager", "secret:{name}-AbC123"), ("account",), "secretsmanager"
    ),
    Service(
        "ses.amazonaws.com",
        _of("ses", "receipt-rule-set/{name}:receipt-rule/{id}", "receipt-rule-set/*"),
        ("account", "both"),
        partitions=US,
    ),
    Service("codecommit.amazonaws.com", _of("codecommit", "{name}"), ("arn", "both")),
    Service("connect.amazonaws.com", _of("connect", "instance/{id}", "instance/*"), ("arn", "both"), partitions=US),
    Service("bedrock.amazonaws.com", _of("bedrock", "agent/{id}", "agent/*"), ("account", "both"), partitions=US),
    Service(
        "lexv2.amazonaws.com",
        _of("lex", "bot-alias/{id}/TSTALIASID", "bot-alias/*"),
        ("arn", "both"),
        partitions=US,
    ),
    Service(
        "vpc-lattice.amazonaws.com",
        _of("vpc-lattice", "targetgroup/tg-{id}0a1b2c3"),
        ("arn",),
        sends_account=False,
        partitions=GLOBAL,
    ),
    Service(
        "appsync.amazonaws.com",
        _of("appsync", "apis/{id}", "apis/*"),
        ("arn",),
        sends_account=False,
        partitions=("aws", "aws-cn"),
    ),
    Service("cloudfront.amazonaws.com", _distribution, ("arn",), sends_account=False, partitions=GLOBAL),
)
"""Those of section 4 of AWS's facts that still call, and that people write statements for."""

SKILLS: Final = ("alexa-appkit.amazon.com", "alexa-connectedhome.amazon.com")
EDGE: Final = ("edgelambda.amazonaws.com", "replicator.lambda.amazonaws.com")
POLLED: Final = ("sqs.amazonaws.com", "kinesis.amazonaws.com", "dynamodb.amazonaws.com", "mq.amazonaws.com")
WITH_ROLES: Final = (
    "scheduler.amazonaws.com",
    "pipes.amazonaws.com",
    "states.amazonaws.com",
    "codepipeline.amazonaws.com",
    "firehose.amazonaws.com",
)


def services_in(draw: Sampler) -> list[Service]:
    """Return the services that there are in the function's partition."""
    return [service for service in SERVICES if draw.partition in service.partitions]


def principal_of(service: Service, draw: Sampler) -> str:
    """Return a principal as it is written in the function's region."""
    suffix = "amazonaws.com.cn" if draw.partition == "aws-cn" else "amazonaws.com"
    if service.principal == "logs.amazonaws.com" and draw.chance(0.5):
        return f"logs.{draw.region}.{suffix}"
    if service.principal == "sns.amazonaws.com" and draw.region == "eu-south-1" and draw.chance(0.5):
        return f"sns.{draw.region}.amazonaws.com"
    return service.principal


def own_source(service: Service, draw: Sampler) -> Source:
    """Return a source of the function's own account."""
    return service.source(draw, OWN)
