"""Queues: the key they are encrypted with and their policy, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def attributes(client: SQSClient, arn: str) -> SourceReading:
    """Read the attributes of a queue that matter; a queue that SQS's own key encrypts names none."""
    account, name = arn.split(":")[4:6]
    # Asking for the URL would be one more call, and one more permission.
    url = f"{client.meta.endpoint_url.rstrip('/')}/{account}/{name}"
    reply = client.get_queue_attributes(QueueUrl=url, AttributeNames=["KmsMasterKeyId", "Policy"])
    found = reply.get("Attributes", {})
    return SourceReading(key=found.get("KmsMasterKeyId", ""), policy=found.get("Policy", ""))


_READ = SourceRead("sqs:GetQueueAttributes", attributes)

SQS = SourceService("sqs", "sqs", state=_READ, policy=_READ)
