"""Amazon SQS queues.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.event_sources.base import Need, on, source_service

if TYPE_CHECKING:
    from permission_guard.model import EventSourceMapping


class Sqs:
    """A standard or FIFO queue."""

    name = "Amazon SQS queue"
    managed_policy = "service-role/AWSLambdaSQSQueueExecutionRole"

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Tell whether the mapping polls a queue."""
        return source_service(mapping) == "sqs"

    def needs(self, mapping: EventSourceMapping) -> tuple[Need, ...]:
        """Return receiving, deleting and describing, on the queue."""
        queue = mapping.event_source_arn or ""
        return on(queue, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
