"""Needs for dead-letter queues, which receive failed events of asynchronous invocations.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.needs.base import NOTHING_READ
from permission_guard.needs.event_sources.access import part
from permission_guard.needs.event_sources.destinations import dead_letter_needs

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need


class DeadLetter:
    """The queue or topic in DeadLetterConfig."""

    name = "dead-letter queue"
    managed_policy = ""

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for sending to the queue or publishing to the topic, and for its customer managed key."""
        return dead_letter_needs(target_of(function), sources)


def target_of(function: Function) -> str:
    """Return the ARN of the function's dead-letter queue, empty if it has none."""
    target = part(function.configuration, "DeadLetterConfig").get("TargetArn")
    return target if isinstance(target, str) else ""
