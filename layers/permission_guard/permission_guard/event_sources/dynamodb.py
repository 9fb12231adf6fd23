"""Amazon DynamoDB Streams.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.event_sources.base import Need, on, source_service

if TYPE_CHECKING:
    from permission_guard.model import EventSourceMapping


class DynamoDB:
    """A table's stream.

    `dynamodb:ListStreams` is in AWS's managed policy and in its error messages; mappings work without it.
    """

    name = "Amazon DynamoDB stream"
    managed_policy = "service-role/AWSLambdaDynamoDBExecutionRole"

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Tell whether the mapping polls a table's stream."""
        return source_service(mapping) == "dynamodb"

    def needs(self, mapping: EventSourceMapping) -> tuple[Need, ...]:
        """Return describing and reading, on the stream."""
        stream = mapping.event_source_arn or ""
        return on(stream, "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
