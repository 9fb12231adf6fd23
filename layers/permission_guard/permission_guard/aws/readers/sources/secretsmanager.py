"""Secrets: their key and their policy. Their value is never read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from permission_guard.model.targets import FunctionTarget

_SUFFIX = "-??????"


def named(name: str, function: FunctionTarget) -> str:
    """Return the ARN of a secret from its name, without the suffix that AWS adds."""
    return f"arn:{function.partition}:secretsmanager:{function.region}:{function.account}:secret:{name}"


def description(client: SecretsManagerClient, arn: str) -> SourceReading:
    """Read which key encrypts a secret. The reply does not mention the key `aws/secretsmanager`."""
    return SourceReading(key=client.describe_secret(SecretId=arn).get("KmsKeyId", ""))


def policy(client: SecretsManagerClient, arn: str) -> SourceReading:
    """Read the policy of a secret."""
    return SourceReading(policy=client.get_resource_policy(SecretId=arn).get("ResourcePolicy", ""))


def _as_given(arn: str) -> str:
    """Return an ARN without a wildcard suffix. Secrets Manager accepts an ARN without its six random characters."""
    return arn.removesuffix(_SUFFIX)


SECRETSMANAGER = SourceService(
    "secretsmanager",
    "secretsmanager",
    state=SourceRead("secretsmanager:DescribeSecret", description, resource_of=_as_given),
    policy=SourceRead("secretsmanager:GetResourcePolicy", policy, resource_of=_as_given),
)
