"""Needs for Amazon DynamoDB Streams.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.needs.base import NOTHING_READ, on
from permission_guard.needs.event_sources.access import key
from permission_guard.needs.event_sources.base import source_service
from permission_guard.needs.event_sources.destinations import destinations

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.needs.base import Need

_DOUBT: Final = "AWS does not say whether reading the stream of a table requires the table's key"


class DynamoDB:
    """A table's stream.

    `dynamodb:ListStreams` is in AWS's managed policy and error messages, but mappings work without it.
    """

    name = "Amazon DynamoDB stream"
    managed_policy = "service-role/AWSLambdaDynamoDBExecutionRole"

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping polls a table's stream."""
        return source_service(mapping) == "dynamodb"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for describing and reading the stream."""
        stream = mapping.event_source_arn or ""
        decrypting = key(stream, sources, "kms:Decrypt", purpose="to decrypt the stream's records")
        return (
            *on(stream, "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
            *(replace(need, doubt=need.doubt or _DOUBT) for need in decrypting),
            *destinations(mapping, sources),
        )
