"""The state and the policies of a template's resources that an execution role reads from or writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import Policy, parse_policy
from permission_guard.iam.arn import parse_arn, split_arn
from permission_guard.model.state import SourceState, Unread
from permission_guard.offline.physical_names import attribute, reference
from permission_guard.offline.scenarios import not_in_file
from permission_guard.offline.unresolved import fill, listed, text

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver
    from permission_guard.offline.template import Template
    from permission_guard.offline.template_roles import Bound

_KEY: Final = "AWS::KMS::Key"
_ACCESS_POINT: Final = "AWS::EFS::AccessPoint"
_FILE_SYSTEM: Final = "AWS::EFS::FileSystem"
_TYPES: Final = {
    "dynamodb": ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"),
    "elasticfilesystem": (_ACCESS_POINT, _FILE_SYSTEM),
    "events": ("AWS::Events::EventBus",),
    "kinesis": ("AWS::Kinesis::Stream",),
    "kms": (_KEY,),
    "lambda": ("AWS::Lambda::Function",),
    "s3": ("AWS::S3::Bucket",),
    "sns": ("AWS::SNS::Topic",),
    "sqs": ("AWS::SQS::Queue",),
}
"""The types of resources by the service in their ARNs."""

_POLICIES: Final = {
    "AWS::Events::EventBusPolicy": ("EventBusName", "Statement"),
    "AWS::Kinesis::ResourcePolicy": ("ResourceArn", "ResourcePolicy"),
    "AWS::S3::BucketPolicy": ("Bucket", "PolicyDocument"),
    "AWS::SNS::TopicPolicy": ("Topics", "PolicyDocument"),
    "AWS::SQS::QueuePolicy": ("Queues", "PolicyDocument"),
}
"""The resources with policies of other resources: the properties that name those, and that have the policy."""

_DESTINATIONS: Final = frozenset({"events", "lambda", "s3", "sns", "sqs"})


class TemplateSources:
    """What a template says of the resources that a role uses, in one scenario."""

    def __init__(self, template: Template, resolver: Resolver, bound: Bound) -> None:
        self._template = template
        self._resolver = resolver
        self._bound = bound
        self._fills = {**bound.fills, **bound.fixed}

    def resource(self, arn: str) -> str | None:
        """Return the resource of the template that an ARN names, or whose part it names."""
        whole = arn.partition("/stream/")[0] if ":dynamodb:" in arn else arn
        service = split_arn(arn)[2] if arn.startswith("arn:") else ""
        if service == "s3":
            whole = arn.partition("/")[0]
        return next(
            (
                name
                for kind in _TYPES.get(service, ())
                for name in self._template.ids_of(kind)
                if fill(text(attribute(self._resolver, name, "Arn")), self._fills) == whole
                and self._template.is_created(self._resolver, name)
            ),
            None,
        )

    def state(self, arn: str) -> SourceState | None:
        """Return the state of a resource, None if the file does not say it.

        Log groups exist: a file does not show that they do not. A destination outside the file counts as one without a
        customer managed key.
        """
        parsed = parse_arn(arn)
        service = parsed.service if parsed else ""
        if service == "logs":
            return SourceState(exists=True)
        resource = self.resource(arn)
        if resource is None:
            return SourceState() if service in _DESTINATIONS else None
        if service == "elasticfilesystem":
            return self._access_point(resource)
        return SourceState(kms_key_arn=self._key(resource, service))

    def policy(self, arn: str) -> Policy | Unread | None:
        """Return the policy of a resource, None if it has none, unread if the resource is outside the file."""
        if ":lambda:" in arn:
            return None  # the policy of a function allows nothing to its own role
        resource = self.resource(arn)
        if resource is None:
            return not_in_file(f"the policy of {arn} is not in the file")
        document = self._policy_of(resource)
        return parse_policy(self._bound.filled(document), name=resource) if document else None

    def _policy_of(self, resource: str) -> JSON:
        properties = self._resolver.properties(resource)
        kind = self._resolver.type_of(resource)
        if kind == _KEY:
            return properties.get("KeyPolicy")
        if kind == _FILE_SYSTEM:
            return properties.get("FileSystemPolicy")
        named = {text(reference(self._resolver, resource)), text(attribute(self._resolver, resource, "Arn"))}
        for of, (names, policy) in _POLICIES.items():
            for logical_id in self._template.ids_of(of):
                found = self._resolver.properties(logical_id)
                is_named = named & {text(item) for item in listed(found.get(names))}
                if is_named and self._template.is_created(self._resolver, logical_id):
                    return found.get(policy) if policy != "Statement" else _as_document(found.get(policy))
        return properties.get("Policy") if kind == "AWS::Events::EventBus" else _stream_policy(properties)

    def _key(self, resource: str, service: str) -> str | None:
        """Return the ARN of a resource's customer managed key."""
        properties = self._resolver.properties(resource)
        named = _bucket_key(properties) if service == "s3" else properties.get("KmsMasterKeyId")
        key = fill(text(named), self._fills) if named else ""
        if not key or "alias/aws/" in key:
            return None
        place = self._template.place
        name = key if key.startswith("alias/") else f"key/{key}"
        return key if key.startswith("arn:") else f"arn:{place.partition}:kms:{place.region}:{place.account}:{name}"

    def _access_point(self, resource: str) -> SourceState | None:
        """Return the file system behind an access point, and whether its policy requires IAM."""
        file_system = text(self._resolver.properties(resource).get("FileSystemId", ""))
        for name in self._template.created(self._resolver, _FILE_SYSTEM):
            if text(reference(self._resolver, name)) == file_system:
                arn = fill(text(attribute(self._resolver, name, "Arn")), self._fills)
                return SourceState(file_system=arn, uses_iam=bool(self._policy_of(name)))
        return None


def _as_document(statement: JSON) -> JSON:
    return {"Version": "2012-10-17", "Statement": statement} if statement else None


def _stream_policy(properties: JSON) -> JSON:
    stream = properties.get("StreamSpecification")
    policy = stream.get("ResourcePolicy") if isinstance(stream, dict) else None
    return policy.get("PolicyDocument") if isinstance(policy, dict) else None


def _bucket_key(properties: JSON) -> JSON:
    """Return the KMS key in a bucket's default encryption."""
    encryption = properties.get("BucketEncryption")
    rules = encryption.get("ServerSideEncryptionConfiguration") if isinstance(encryption, dict) else None
    defaults = (rule.get("ServerSideEncryptionByDefault") for rule in listed(rules) if isinstance(rule, dict))
    keys = (one.get("KMSMasterKeyID") for one in defaults if isinstance(one, dict))
    return next((key for key in keys if key), None)
