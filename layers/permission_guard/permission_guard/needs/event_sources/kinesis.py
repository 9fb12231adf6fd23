"""Needs for Amazon Kinesis data streams.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.needs.base import NOTHING_READ, on
from permission_guard.needs.event_sources.access import key
from permission_guard.needs.event_sources.base import source_service
from permission_guard.needs.event_sources.destinations import destinations

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.needs.base import Need


class Kinesis:
    """A data stream, read with shared throughput or through a dedicated consumer (enhanced fan-out).

    `kinesis:ListStreams` is in AWS's managed policy and error messages, but only the console calls it.
    """

    name = "Amazon Kinesis data stream"
    managed_policy = "service-role/AWSLambdaKinesisExecutionRole"

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping polls a data stream or one of its consumers."""
        return source_service(mapping) == "kinesis"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for describing and reading the stream, and for subscribing if there is a consumer."""
        source = mapping.event_source_arn or ""
        stream, consumer, _ = source.partition("/consumer/")
        reading = on(
            stream,
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        )
        return (
            *reading,
            *(on(source, "kinesis:SubscribeToShard") if consumer else ()),
            *key(stream, sources, "kms:Decrypt", purpose="to decrypt the stream's records"),
            *destinations(mapping, sources),
        )
