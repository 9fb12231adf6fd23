"""Data streams and their consumers: the key of a stream, the policies of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def summary(client: KinesisClient, arn: str) -> SourceReading:
    """Read how a stream is encrypted."""
    found = client.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
    return SourceReading(key=found.get("KeyId", "") if found.get("EncryptionType") == "KMS" else "")


def policy(client: KinesisClient, arn: str) -> SourceReading:
    """Read the policy of a stream or a consumer. Without one, the reply has `{}`."""
    return SourceReading(policy=client.get_resource_policy(ResourceARN=arn)["Policy"])


def _stream(arn: str) -> str:
    return arn.partition("/consumer/")[0]


KINESIS = SourceService(
    "kinesis",
    "kinesis",
    state=SourceRead("kinesis:DescribeStreamSummary", summary, resource_of=_stream),
    policy=SourceRead("kinesis:GetResourcePolicy", policy),
)
