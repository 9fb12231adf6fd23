"""Data streams and their consumers: the key of a stream, the policies of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import Look, Seen, Service

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def summary(client: KinesisClient, arn: str) -> Seen:
    """Read how a stream is encrypted."""
    found = client.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
    return Seen(key=found.get("KeyId", "") if found.get("EncryptionType") == "KMS" else "")


def policy(client: KinesisClient, arn: str) -> Seen:
    """Read the policy of a stream or a consumer; one that has none says `{}`."""
    return Seen(policy=client.get_resource_policy(ResourceARN=arn)["Policy"])


def _stream(arn: str) -> str:
    return arn.partition("/consumer/")[0]


KINESIS = Service(
    "kinesis",
    "kinesis",
    state=Look("kinesis:DescribeStreamSummary", summary, about=_stream),
    policy=Look("kinesis:GetResourcePolicy", policy),
)
