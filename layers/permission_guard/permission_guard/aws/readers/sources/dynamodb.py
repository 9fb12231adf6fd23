"""Streams of tables: the key of the table, the policy of the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def table(client: DynamoDBClient, arn: str) -> SourceReading:
    """Read how a table is encrypted. The reply does not mention the key that DynamoDB owns."""
    found = client.describe_table(TableName=arn)["Table"]
    return SourceReading(key=found.get("SSEDescription", {}).get("KMSMasterKeyArn", ""))


def policy(client: DynamoDBClient, arn: str) -> SourceReading:
    """Read the policy of a table's stream."""
    return SourceReading(policy=client.get_resource_policy(ResourceArn=arn).get("Policy", ""))


def _table(arn: str) -> str:
    return arn.partition("/stream/")[0]


DYNAMODB = SourceService(
    "dynamodb",
    "dynamodb",
    state=SourceRead("dynamodb:DescribeTable", table, resource_of=_table),
    policy=SourceRead("dynamodb:GetResourcePolicy", policy, none_code="PolicyNotFoundException"),
)
