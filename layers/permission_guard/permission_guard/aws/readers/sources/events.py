"""Event buses that are sent to: their policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


def bus(client: EventBridgeClient, arn: str) -> SourceReading:
    """Describe an event bus; one that has no policy leaves it out."""
    return SourceReading(policy=client.describe_event_bus(Name=arn).get("Policy", ""))


EVENTS = SourceService("events", "events", policy=SourceRead("events:DescribeEventBus", bus))
