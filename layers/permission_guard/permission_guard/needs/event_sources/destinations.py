"""Needs for destinations of event source mappings and asynchronous invocations, and for dead-letter queues.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.iam.arn import split_arn
from permission_guard.needs.base import NOTHING_READ, NeedKind, on
from permission_guard.needs.event_sources.access import key, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventInvokeConfig, EventSourceMapping, Sources
    from permission_guard.needs.base import Need

KAFKA: Final = "kafka://"
"""The prefix of a destination that is a topic of the mapping's own cluster."""

_OF_MAPPING: Final = "to send to the destination of the event source mapping"
_ON_FAILURE: Final = "to send records of failed asynchronous invocations"
_ON_SUCCESS: Final = "to send records of successful asynchronous invocations"
_DEAD_LETTERS: Final = "to send failed events to the dead-letter queue"

_WRITES: Final = {
    "events": (("", "events:PutEvents"),),
    "lambda": (("", "lambda:InvokeFunction"),),
    "s3": (("", "s3:ListBucket"), ("/*", "s3:PutObject")),
    "sns": (("", "sns:Publish"),),
    "sqs": (("", "sqs:SendMessage"),),
}
# EventBridge uses the key of an event bus with its own permissions: the sender of events requires none.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html
_KEY_ACTIONS: Final = {
    "s3": ("kms:GenerateDataKey",),
    "sns": ("kms:Decrypt", "kms:GenerateDataKey"),
    "sqs": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def destinations_of(mapping: EventSourceMapping) -> list[str]:
    """Return the destinations of the mapping: ARNs, or `kafka://` and a topic."""
    config = mapping.configuration.get("DestinationConfig")
    named = (part(config, event).get("Destination") for event in ("OnFailure", "OnSuccess"))
    return [destination for destination in named if isinstance(destination, str) and destination]


def destinations(mapping: EventSourceMapping, sources: Sources) -> tuple[Need, ...]:
    """Return the needs for sending to the mapping's queue, SNS topic or bucket; `kafka` has those of a Kafka topic."""
    return tuple(need for arn in destinations_of(mapping) for need in _sending(arn, sources, _OF_MAPPING))


def on_failure_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return the needs for sending records of failed asynchronous invocations to their destination, if any."""
    return tuple(_sending(config.on_failure, sources, _ON_FAILURE))


def on_success_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return the needs for sending records of successful asynchronous invocations to their destination, if any."""
    return tuple(_sending(config.on_success, sources, _ON_SUCCESS))


def invoke_config_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return the needs for sending the records of asynchronous invocations to their destinations."""
    return (*on_success_needs(config, sources), *on_failure_needs(config, sources))


def dead_letter_needs(target: str, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return the needs for sending to a dead-letter queue: an Amazon SQS queue or an Amazon SNS topic."""
    return tuple(_sending(target, sources, _DEAD_LETTERS))


def _sending(arn: str, sources: Sources, purpose: str) -> Iterator[Need]:
    """Yield the needs for sending to a destination, and for using its customer managed key."""
    service = split_arn(arn)[2] if arn.startswith("arn:") else ""
    kind, call = NeedKind.DESTINATION, LambdaCall.DESTINATION
    for suffix, action in _WRITES.get(service, ()):
        yield from on(arn + suffix, action, kind=kind, call=call, purpose=purpose)
    if service in _KEY_ACTIONS:
        yield from key(arn, sources, *_KEY_ACTIONS[service], kind=kind, call=call, purpose=purpose)
