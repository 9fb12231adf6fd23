"""Secrets: their key and their policy, and never their value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from permission_guard.model.targets import FunctionTarget

_SUFFIX = "-??????"


def named(name: str, function: FunctionTarget) -> str:
    """Return the ARN of a secret of which only the name is given, as far as it is known."""
    return f"arn:{function.partition}:secretsmanager:{function.region}:{function.account}:secret:{name}"


def description(client: SecretsManagerClient, arn: str) -> SourceReading:
    """Read which key encrypts a secret; of `aws/secretsmanager`, it says nothing."""
    return SourceReading(key=client.describe_secret(SecretId=arn).get("KmsKeyId", ""))


def policy(client: SecretsManagerClient, arn: str) -> SourceReading:
    """Read the policy of a secret."""
    return SourceReading(policy=client.get_resource_policy(SecretId=arn).get("ResourcePolicy", ""))


def _as_given(arn: str) -> str:
    """Return an ARN without the six characters at its end, where they are not known: Secrets Manager finds it."""
    return arn.removesuffix(_SUFFIX)


SECRETSMANAGER = SourceService(
    "secretsmanager",
    "secretsmanager",
    state=SourceRead("secretsmanager:DescribeSecret", description, about=_as_given),
    policy=SourceRead("secretsmanager:GetResourcePolicy", policy, about=_as_given),
)
