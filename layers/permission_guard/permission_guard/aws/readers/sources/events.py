"""Event buses that functions send to: their policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


def bus(client: EventBridgeClient, arn: str) -> SourceReading:
    """Read the policy of an event bus. The reply leaves it out where there is none."""
    return SourceReading(policy=client.describe_event_bus(Name=arn).get("Policy", ""))


EVENTS = SourceService("events", "events", policy=SourceRead("events:DescribeEventBus", bus))
