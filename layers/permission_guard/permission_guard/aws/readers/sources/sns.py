"""Topics: the key they are encrypted with and their policy, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


def attributes(client: SNSClient, arn: str) -> SourceReading:
    """Read the attributes of a topic; one that is not encrypted names no key."""
    found = client.get_topic_attributes(TopicArn=arn)["Attributes"]
    return SourceReading(key=found.get("KmsMasterKeyId", ""), policy=found.get("Policy", ""))


_READ = SourceRead("sns:GetTopicAttributes", attributes)

SNS = SourceService("sns", "sns", state=_READ, policy=_READ)
