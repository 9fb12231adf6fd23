"""Names of a template's resources after deployment: from the template, else plausible names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable  # noqa: TC003 - the type of a field
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON


@dataclass(frozen=True, slots=True)
class Place:
    """The account, region and partition to which a template is deployed."""

    account: str
    region: str
    partition: str

    @property
    def url_suffix(self) -> str:
        """The value of AWS::URLSuffix."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"


class NameResolver(Protocol):
    """The parts of `intrinsics.Resolver` that names need."""

    @property
    def place(self) -> Place:
        """The place to which the template is deployed."""

    @property
    def resources(self) -> Mapping[str, Any]:
        """The resources by logical id."""

    def type_of(self, logical_id: str) -> str:
        """Return the type of a resource."""

    def value(self, raw: JSON) -> JSON:
        """Resolve a value as far as possible."""

    def once(self, key: str, resolve: Callable[[], JSON]) -> JSON | None:
        """Return the result of `resolve`, None if it refers to itself."""

    def unresolved(self, name: str, *, own: bool = False) -> str:
        """Return the text that stands for an unresolved value."""


@dataclass(frozen=True, slots=True)
class ResourceNaming:
    """The naming of a resource type.

    `name` is the property with the name. `arn` is the ARN and `ref` the result of `Ref`, with `{p}` for the partition,
    `{r}` the region, `{a}` the account and `{n}` the name. `attributes` has the other attributes. `generated` returns a
    plausible name for a logical id: the name that the resource has if the template gives it none.
    """

    arn: str
    name: str = ""
    ref: str = "{n}"
    attributes: tuple[tuple[str, str], ...] = ()
    generated: Callable[[str], str] = str


def _within(longest: int) -> Callable[[str], str]:
    """Return a function that shortens logical ids, to names that are as different as they are."""

    def shortened(logical_id: str) -> str:
        digest = _digest(logical_id)[:6]
        return logical_id if len(logical_id) <= longest else f"{logical_id[: longest - 6]}{digest}"

    return shortened


def _digest(logical_id: str) -> str:
    return hashlib.sha256(logical_id.encode()).hexdigest()


def _of_stack(logical_id: str) -> str:
    """Return a name as CloudFormation generates it: never the logical id alone, so a literal one is another name."""
    return f"my-stack-{logical_id[:40]}-{_digest(logical_id)[:12].upper()}"


def _bucket(logical_id: str) -> str:
    """Return the name of a bucket, which has no capitals."""
    return _of_stack(logical_id[:30]).lower()


def _api_id(logical_id: str) -> str:
    """Return an id of ten letters and digits."""
    return _digest(logical_id)[:10]


def _agent_id(logical_id: str) -> str:
    """Return an id of ten letters and digits."""
    return logical_id if len(logical_id) == 10 else _within(10)(logical_id.ljust(11, "0"))  # noqa: PLR2004


def _lattice_id(logical_id: str) -> str:
    """Return an id of a target group: `tg-` and 17 letters and digits."""
    return f"tg-{_digest(logical_id)[:17]}"


_QUEUE_URL: Final = "https://sqs.{r}.amazonaws.com/{a}/{n}"
_TABLE: Final = "arn:{p}:dynamodb:{r}:{a}:table/{n}"
_STREAM: Final = f"{_TABLE}/stream/2026-01-01T00:00:00.000"
_POOL: Final = "arn:{p}:cognito-idp:{r}:{a}:userpool/{r}_{n}"

_SAML: Final = "arn:{p}:iam::{a}:saml-provider/{n}"

_FIFO: Final = {"AWS::SNS::Topic": "FifoTopic", "AWS::SQS::Queue": "FifoQueue"}
_NAMINGS: Final = {
    "AWS::AmazonMQ::Broker": ResourceNaming("arn:{p}:mq:{r}:{a}:broker:{n}:b-0a1b2c3d", "BrokerName"),
    "AWS::ApiGateway::RestApi": ResourceNaming("arn:{p}:apigateway:{r}::/restapis/{n}", generated=_api_id),
    "AWS::ApiGatewayV2::Api": ResourceNaming(
        "arn:{p}:apigateway:{r}::/apis/{n}", attributes=(("ApiId", "{n}"),), generated=_api_id
    ),
    "AWS::AppSync::Api": ResourceNaming(
        "arn:{p}:appsync:{r}:{a}:apis/{n}", ref="arn:{p}:appsync:{r}:{a}:apis/{n}", attributes=(("ApiId", "{n}"),)
    ),
    "AWS::AppSync::GraphQLApi": ResourceNaming(
        "arn:{p}:appsync:{r}:{a}:apis/{n}", ref="arn:{p}:appsync:{r}:{a}:apis/{n}", attributes=(("ApiId", "{n}"),)
    ),
    "AWS::Bedrock::Agent": ResourceNaming(
        "arn:{p}:bedrock:{r}:{a}:agent/{n}", attributes=(("AgentId", "{n}"),), generated=_agent_id
    ),
    "AWS::CloudFront::Distribution": ResourceNaming(
        "arn:{p}:cloudfront::{a}:distribution/{n}", attributes=(("Id", "{n}"),)
    ),
    "AWS::CloudWatch::Alarm": ResourceNaming("arn:{p}:cloudwatch:{r}:{a}:alarm:{n}", "AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": ResourceNaming("arn:{p}:cloudwatch:{r}:{a}:alarm:{n}", "AlarmName"),
    "AWS::CodeCommit::Repository": ResourceNaming("arn:{p}:codecommit:{r}:{a}:{n}", "RepositoryName"),
    "AWS::Cognito::UserPool": ResourceNaming(_POOL, ref="{r}_{n}", attributes=(("UserPoolId", "{r}_{n}"),)),
    "AWS::Config::ConfigRule": ResourceNaming(
        "arn:{p}:config:{r}:{a}:config-rule/config-rule-{n}", attributes=(("ConfigRuleId", "config-rule-{n}"),)
    ),
    "AWS::DynamoDB::GlobalTable": ResourceNaming(
        _TABLE, "TableName", attributes=(("StreamArn", _STREAM),), generated=_of_stack
    ),
    "AWS::DynamoDB::Table": ResourceNaming(
        _TABLE, "TableName", attributes=(("StreamArn", _STREAM),), generated=_of_stack
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ResourceNaming(
        "arn:{p}:elasticloadbalancing:{r}:{a}:targetgroup/{n}/0a1b2c3d4e5f6a7b",
        "Name",
        ref="arn:{p}:elasticloadbalancing:{r}:{a}:targetgroup/{n}/0a1b2c3d4e5f6a7b",
        generated=_within(32),
    ),
    "AWS::EFS::AccessPoint": ResourceNaming(
        "arn:{p}:elasticfilesystem:{r}:{a}:access-point/{n}", attributes=(("AccessPointId", "{n}"),)
    ),
    "AWS::EFS::FileSystem": ResourceNaming(
        "arn:{p}:elasticfilesystem:{r}:{a}:file-system/{n}", attributes=(("FileSystemId", "{n}"),)
    ),
    "AWS::Events::EventBus": ResourceNaming("arn:{p}:events:{r}:{a}:event-bus/{n}", "Name"),
    "AWS::Events::Rule": ResourceNaming("arn:{p}:events:{r}:{a}:rule/{n}", "Name", generated=_within(64)),
    "AWS::IAM::ManagedPolicy": ResourceNaming("arn:{p}:iam::{a}:policy/{n}", "ManagedPolicyName"),
    "AWS::IAM::Role": ResourceNaming("arn:{p}:iam::{a}:role/{n}", "RoleName"),
    "AWS::IAM::SAMLProvider": ResourceNaming(_SAML, "Name", ref=_SAML),
    "AWS::IAM::User": ResourceNaming("arn:{p}:iam::{a}:user/{n}", "UserName"),
    "AWS::IoT::Authorizer": ResourceNaming("arn:{p}:iot:{r}:{a}:authorizer/{n}", "AuthorizerName"),
    "AWS::IoT::CertificateProvider": ResourceNaming(
        "arn:{p}:iot:{r}:{a}:certificateprovider:{n}", "CertificateProviderName"
    ),
    "AWS::IoT::ProvisioningTemplate": ResourceNaming(
        "arn:{p}:iot:{r}:{a}:provisioningtemplate/{n}", "TemplateName", generated=_within(36)
    ),
    "AWS::IoT::TopicRule": ResourceNaming("arn:{p}:iot:{r}:{a}:rule/{n}", "RuleName"),
    "AWS::KMS::Key": ResourceNaming("arn:{p}:kms:{r}:{a}:key/{n}", attributes=(("KeyId", "{n}"),)),
    "AWS::Kinesis::Stream": ResourceNaming("arn:{p}:kinesis:{r}:{a}:stream/{n}", "Name"),
    "AWS::Lambda::Function": ResourceNaming("arn:{p}:lambda:{r}:{a}:function:{n}", "FunctionName"),
    "AWS::Logs::LogGroup": ResourceNaming("arn:{p}:logs:{r}:{a}:log-group:{n}:*", "LogGroupName"),
    "AWS::S3::Bucket": ResourceNaming("arn:{p}:s3:::{n}", "BucketName", generated=_bucket),
    "AWS::SES::ReceiptRuleSet": ResourceNaming("arn:{p}:ses:{r}:{a}:receipt-rule-set/{n}", "RuleSetName"),
    "AWS::SNS::Topic": ResourceNaming("arn:{p}:sns:{r}:{a}:{n}", "TopicName", ref="arn:{p}:sns:{r}:{a}:{n}"),
    "AWS::SQS::Queue": ResourceNaming(
        "arn:{p}:sqs:{r}:{a}:{n}", "QueueName", ref=_QUEUE_URL, attributes=(("QueueUrl", _QUEUE_URL),)
    ),
    "AWS::SecretsManager::Secret": ResourceNaming(
        "arn:{p}:secretsmanager:{r}:{a}:secret:{n}-AbCdEf",
        "Name",
        ref="arn:{p}:secretsmanager:{r}:{a}:secret:{n}-AbCdEf",
        attributes=(("Id", "arn:{p}:secretsmanager:{r}:{a}:secret:{n}-AbCdEf"),),
    ),
    "AWS::StepFunctions::StateMachine": ResourceNaming(
        "arn:{p}:states:{r}:{a}:stateMachine:{n}", "StateMachineName", ref="arn:{p}:states:{r}:{a}:stateMachine:{n}"
    ),
    "AWS::VpcLattice::TargetGroup": ResourceNaming(
        "arn:{p}:vpc-lattice:{r}:{a}:targetgroup/{n}",
        ref="arn:{p}:vpc-lattice:{r}:{a}:targetgroup/{n}",
        generated=_lattice_id,
        attributes=(("Id", "{n}"),),
    ),
}
"""Resource types that invoke functions, that functions read or that belong to them; from CloudFormation's reference."""


def reference(resolver: NameResolver, logical_id: str) -> JSON:
    """Return the result of `Ref` for a resource."""
    kind = resolver.type_of(logical_id)
    if kind in _SPECIAL:
        return _SPECIAL[kind](resolver, logical_id)
    naming = _NAMINGS.get(kind)
    if naming is None:
        return _unknown(resolver, logical_id, "")
    if kind == "AWS::IAM::ManagedPolicy":
        return _arn(resolver, logical_id, naming)
    return _formatted(resolver, logical_id, naming.ref)


def attribute(resolver: NameResolver, logical_id: str, name: str) -> JSON:
    """Return an attribute of a resource."""
    kind = resolver.type_of(logical_id)
    if kind in _SPECIAL:
        if name.lower().endswith("arn"):
            return _SPECIAL[kind](resolver, logical_id)
        if name == "Version" and kind == "AWS::Lambda::Version":
            return _version(resolver, logical_id)
        return _unknown(resolver, logical_id, name)
    naming = _NAMINGS.get(kind)
    if naming is None:
        return _unknown(resolver, logical_id, name)
    special = dict(naming.attributes).get(name, "{n}" if naming.name and name == naming.name else None)
    if special is not None:
        return _formatted(resolver, logical_id, special)
    return _arn(resolver, logical_id, naming) if name.lower().endswith("arn") else _unknown(resolver, logical_id, name)


def physical_name(resolver: NameResolver, logical_id: str) -> str:
    """Return the name of a resource: the value of its name property, or else a plausible name."""
    naming = _NAMINGS.get(resolver.type_of(logical_id))
    given = _given(resolver, logical_id, naming.name if naming else "")
    return given or (naming.generated(logical_id) + _ending(resolver, logical_id) if naming else logical_id)


def _ending(resolver: NameResolver, logical_id: str) -> str:
    """Return what CloudFormation appends to the generated name of a FIFO topic or queue."""
    kind = resolver.type_of(logical_id)
    is_fifo = kind in _FIFO and _given(resolver, logical_id, _FIFO[kind]).lower() == "true"
    return ".fifo" if is_fifo else ""


def generated_names(resources: Mapping[str, Any]) -> dict[str, str]:
    """Return the logical ids of resources by the names that are generated for them."""
    kinds = {name: str(resource.get("Type")) for name, resource in resources.items() if isinstance(resource, dict)}
    found = {_NAMINGS[kind].generated(name): name for name, kind in kinds.items() if kind in _NAMINGS}
    return {generated: name for generated, name in found.items() if generated != name}


def _own_name(resolver: NameResolver, logical_id: str, name: str) -> str:
    """Return the value of a property, or else the logical id."""
    return _given(resolver, logical_id, name) or logical_id


def _given(resolver: NameResolver, logical_id: str, name: str) -> str:
    """Return the value of a property as text, empty if there is none."""
    properties = resolver.resources[logical_id].get("Properties")
    raw = properties.get(name) if isinstance(properties, dict) else None
    found = resolver.once(f"{name} of {logical_id}", lambda: resolver.value(raw))
    return str(found) if isinstance(found, (str, int)) else ""


def _formatted(resolver: NameResolver, logical_id: str, text: str) -> str:
    place = resolver.place
    name = physical_name(resolver, logical_id)
    return text.format(p=place.partition, r=place.region, a=place.account, n=name)


def _arn(resolver: NameResolver, logical_id: str, naming: ResourceNaming) -> str:
    """Return a resource's ARN. ARNs of roles and policies contain a path, those of EventBridge rules the bus."""
    arn = _formatted(resolver, logical_id, naming.arn)
    kind = resolver.type_of(logical_id)
    if kind == "AWS::Events::Rule":
        bus = _own_name(resolver, logical_id, "EventBusName").rpartition("/")[2]
        return arn if bus in {logical_id, "default"} else arn.replace(":rule/", f":rule/{bus}/")
    if kind.startswith("AWS::IAM::"):
        return arn.replace("/", path_of(resolver, logical_id), 1)
    return arn


def path_of(resolver: NameResolver, logical_id: str) -> str:
    """Return the path of a role or policy."""
    path = _own_name(resolver, logical_id, "Path")
    return path if path.startswith("/") and path.endswith("/") else "/"


def _qualified(resolver: NameResolver, logical_id: str) -> str:
    """Return the ARN of an alias or a version."""
    place = resolver.place
    function = _own_name(resolver, logical_id, "FunctionName")
    arn = f"arn:{place.partition}:lambda:{place.region}:{place.account}:function:{function}"
    arn = function if function.startswith("arn:") else arn
    if resolver.type_of(logical_id) == "AWS::Lambda::Alias":
        return f"{arn}:{_own_name(resolver, logical_id, 'Name')}"
    return f"{arn}:{_version(resolver, logical_id)}"


def _version(resolver: NameResolver, logical_id: str) -> str:
    """Return a plausible number: each version of the template has its own."""
    versions = [name for name in resolver.resources if resolver.type_of(name) == "AWS::Lambda::Version"]
    return str(versions.index(logical_id) + 1)


def _consumer(resolver: NameResolver, logical_id: str) -> str:
    stream = _own_name(resolver, logical_id, "StreamARN")
    return f"{stream}/consumer/{_own_name(resolver, logical_id, 'ConsumerName')}:1"


def _oidc_provider(resolver: NameResolver, logical_id: str) -> str:
    url = _own_name(resolver, logical_id, "Url").removeprefix("https://")
    return f"arn:{resolver.place.partition}:iam::{resolver.place.account}:oidc-provider/{url}"


def _stage(resolver: NameResolver, logical_id: str) -> str:
    return _own_name(resolver, logical_id, "StageName")


def _id(_resolver: NameResolver, logical_id: str) -> str:
    return logical_id


def _unknown(resolver: NameResolver, logical_id: str, name: str) -> str:
    """Return an unresolved value. It is in the own account unless a custom resource or a nested stack returns it."""
    kind = resolver.type_of(logical_id)
    own = kind.startswith("AWS::") and not kind.startswith("AWS::CloudFormation::")
    return resolver.unresolved(f"{logical_id}.{name}" if name else logical_id, own=own)


_SPECIAL: Final[dict[str, Callable[[NameResolver, str], str]]] = {
    "AWS::ApiGateway::Authorizer": _id,
    "AWS::ApiGateway::Stage": _stage,
    "AWS::ApiGatewayV2::Authorizer": _id,
    "AWS::IAM::OIDCProvider": _oidc_provider,
    "AWS::Kinesis::StreamConsumer": _consumer,
    "AWS::Lambda::Alias": _qualified,
    "AWS::Lambda::Version": _qualified,
}
"""Resource types whose reference and ARN contain more than the name."""
