"""Where records of what failed or succeeded go: from mappings, from asynchronous invocations, and dead letters.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, NeedKind, on
from permission_guard.needs.event_sources.access import key, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventInvokeConfig, EventSourceMapping, Sources
    from permission_guard.needs.base import Need

KAFKA: Final = "kafka://"
"""What the name of a topic of the mapping's own cluster begins with, where that is the destination."""

_OF_MAPPING: Final = "to send to the destination of the event source mapping"
_ON_FAILURE: Final = "to send records of failed asynchronous invocations"
_ON_SUCCESS: Final = "to send records of successful asynchronous invocations"
_DEAD_LETTERS: Final = "to send events that are given up to the dead-letter queue"

_WRITES: Final = {
    "events": (("", "events:PutEvents"),),
    "lambda": (("", "lambda:InvokeFunction"),),
    "s3": (("", "s3:ListBucket"), ("/*", "s3:PutObject")),
    "sns": (("", "sns:Publish"),),
    "sqs": (("", "sqs:SendMessage"),),
}
# EventBridge uses a bus's key as itself, and the key's policy lets it; nothing is asked of who puts events.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html
_KEY_ACTIONS: Final = {
    "s3": ("kms:GenerateDataKey",),
    "sns": ("kms:Decrypt", "kms:GenerateDataKey"),
    "sqs": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def destinations_of(mapping: EventSourceMapping) -> list[str]:
    """Return the destinations that the mapping names: ARNs, or `kafka://` and a topic."""
    config = mapping.configuration.get("DestinationConfig")
    named = (part(config, event).get("Destination") for event in ("OnFailure", "OnSuccess"))
    return [destination for destination in named if isinstance(destination, str) and destination]


def destinations(mapping: EventSourceMapping, sources: Sources) -> tuple[Need, ...]:
    """Return sending to the mapping's queue, topic or bucket; the types of Kafka say what a Kafka topic needs."""
    return tuple(need for arn in destinations_of(mapping) for need in _sending(arn, sources, _OF_MAPPING))


def on_failure_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return sending records of asynchronous invocations that failed to where they go, if anywhere."""
    return tuple(_sending(config.on_failure, sources, _ON_FAILURE))


def on_success_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return sending records of asynchronous invocations that succeeded to where they go, if anywhere."""
    return tuple(_sending(config.on_success, sources, _ON_SUCCESS))


def invoke_config_needs(config: EventInvokeConfig, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return sending the records of all asynchronous invocations to where they go."""
    return (*on_success_needs(config, sources), *on_failure_needs(config, sources))


def dead_letter_needs(target: str, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
    """Return sending to a dead-letter queue: an Amazon SQS queue or an Amazon SNS topic."""
    return tuple(_sending(target, sources, _DEAD_LETTERS))


def _sending(arn: str, sources: Sources, purpose: str) -> Iterator[Need]:
    """Yield sending to a destination, and using the customer's key that it is encrypted with."""
    service = arn.split(":")[2] if arn.startswith("arn:") else ""
    kind, call = NeedKind.DESTINATION, LambdaCall.DESTINATION
    for suffix, action in _WRITES.get(service, ()):
        yield from on(arn + suffix, action, kind=kind, call=call, purpose=purpose)
    if service in _KEY_ACTIONS:
        yield from key(arn, sources, *_KEY_ACTIONS[service], kind=kind, call=call, purpose=purpose)
