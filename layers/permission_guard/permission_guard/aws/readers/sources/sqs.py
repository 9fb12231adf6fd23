"""Queues: the encryption key and the policy, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService
from permission_guard.iam.arn import require_arn

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def attributes(client: SQSClient, arn: str) -> SourceReading:
    """Read the key and the policy of a queue. A queue with SSE-SQS has no key here."""
    queue = require_arn(arn)
    # GetQueueUrl would be one more call and one more permission.
    url = f"{client.meta.endpoint_url.rstrip('/')}/{queue.account}/{queue.resource}"
    reply = client.get_queue_attributes(QueueUrl=url, AttributeNames=["KmsMasterKeyId", "Policy"])
    found = reply.get("Attributes", {})
    return SourceReading(key=found.get("KmsMasterKeyId", ""), policy=found.get("Policy", ""))


_READ = SourceRead("sqs:GetQueueAttributes", attributes)

SQS = SourceService("sqs", "sqs", state=_READ, policy=_READ)
