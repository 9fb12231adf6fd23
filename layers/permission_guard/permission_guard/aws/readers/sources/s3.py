"""Buckets: the default encryption key and the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BY_KMS = frozenset({"aws:kms", "aws:kms:dsse"})


def encryption(client: S3Client, arn: str) -> SourceReading:
    """Read a bucket's default encryption. `aws:kms` without a key means the key `aws/s3`."""
    rules = client.get_bucket_encryption(Bucket=_name(arn))["ServerSideEncryptionConfiguration"]["Rules"]
    defaults = [rule["ApplyServerSideEncryptionByDefault"] for rule in rules if _encrypts_by_default(rule)]
    keys = [default.get("KMSMasterKeyID", "") for default in defaults if default["SSEAlgorithm"] in _BY_KMS]
    return SourceReading(key=next(iter(keys), ""))


def policy(client: S3Client, arn: str) -> SourceReading:
    """Read a bucket's policy."""
    return SourceReading(policy=client.get_bucket_policy(Bucket=_name(arn))["Policy"])


def _encrypts_by_default(rule: object) -> bool:
    return isinstance(rule, dict) and "ApplyServerSideEncryptionByDefault" in rule


def _bucket(arn: str) -> str:
    return arn.partition("/")[0]


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


S3 = SourceService(
    "s3",
    "s3",
    state=SourceRead(
        "s3:GetEncryptionConfiguration",
        encryption,
        resource_of=_bucket,
        none_code="ServerSideEncryptionConfigurationNotFoundError",
    ),
    policy=SourceRead("s3:GetBucketPolicy", policy, resource_of=_bucket, none_code="NoSuchBucketPolicy"),
)
