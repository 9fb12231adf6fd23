"""Needs for Amazon SQS queues.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
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


class Sqs:
    """A standard or FIFO queue."""

    name = "Amazon SQS queue"
    managed_policy = "service-role/AWSLambdaSQSQueueExecutionRole"

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Return whether the mapping polls a queue."""
        return source_service(mapping) == "sqs"

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for receiving, deleting and decrypting messages, and for describing the queue."""
        queue = mapping.event_source_arn or ""
        return (
            *on(queue, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
            *key(queue, sources, "kms:Decrypt", purpose="to decrypt the queue's messages"),
            *destinations(mapping, sources),
        )
