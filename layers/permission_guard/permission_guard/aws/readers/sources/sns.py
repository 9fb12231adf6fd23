"""Topics: the encryption key and the policy, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


def attributes(client: SNSClient, arn: str) -> SourceReading:
    """Read the key and the policy of a topic. A topic without encryption has no key."""
    found = client.get_topic_attributes(TopicArn=arn)["Attributes"]
    return SourceReading(key=found.get("KmsMasterKeyId", ""), policy=found.get("Policy", ""))


_READ = SourceRead("sns:GetTopicAttributes", attributes)

SNS = SourceService("sns", "sns", state=_READ, policy=_READ)
