"""Where a mapping sends records of what failed or succeeded.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.event_sources.access import key, part
from permission_guard.event_sources.base import NOTHING_READ, NeedKind, on
from permission_guard.iam import LambdaCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.event_sources.base import Need, Sources
    from permission_guard.model import EventInvokeConfig, EventSourceMapping

KAFKA: Final = "kafka://"
"""What the name of a topic of the mapping's own cluster begins with, where that is the destination."""

_PURPOSE: Final = "to send to the destination of the event source mapping"
_WRITES: Final = {
    "sqs": (("", "sqs:SendMessage"),),
    "sns": (("", "sns:Publish"),),
    "s3": (("", "s3:ListBucket"), ("/*", "s3:PutObject")),
}
_KEY_ACTIONS: Final = {
    "sqs": ("kms:Decrypt", "kms:GenerateDataKey"),
    "sns": ("kms:Decrypt", "kms:GenerateDataKey"),
    "s3": ("kms:GenerateDataKey",),
}


def destinations_of(mapping: EventSourceMapping) -> list[str]:
    """Return the destinations that the mapping names: ARNs, or `kafka://` and a topic."""
    config = mapping.configuration.get("DestinationConfig")
    named = (part(config, event).get("Destination") for event in ("OnFailure", "OnSuccess"))
    return [destination for destination in named if isinstance(destination, str) and destination]


def destinations(mapping: EventSourceMapping, sources: Sources) -> tuple[Need, ...]:
    """Return sending to the mapping's queue, topic or bucket; the types of Kafka say what a Kafka topic needs."""
    return tuple(need for arn in destinations_of(mapping) for need in _needs(arn, sources))


def invoke_config_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return sending the results of asynchronous invocations to where they go."""
    return tuple(need for arn in (config.on_success, config.on_failure) if arn for need in _needs(arn, sources))


def _needs(arn: str, sources: Sources) -> Iterator[Need]:
    service = arn.split(":")[2] if arn.startswith("arn:") else ""
    kind, call = NeedKind.DESTINATION, LambdaCall.DESTINATION
    for suffix, action in _WRITES.get(service, ()):
        yield from on(arn + suffix, action, kind=kind, call=call, purpose=_PURPOSE)
    if service in _KEY_ACTIONS:
        yield from key(arn, sources, *_KEY_ACTIONS[service], kind=kind, call=call, purpose=_PURPOSE)
