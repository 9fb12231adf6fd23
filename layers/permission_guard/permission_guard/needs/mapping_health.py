"""Read AWS's reports on event source mappings that lack a permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping

CANNOT_ASSUME: Final = "failed to assume your function execution role"
_UNAUTHORIZED: Final = (
    # StateTransitionReason of Amazon MQ and Apache Kafka: "Lambda doesn't have the required permissions to access the
    # event source." EVENT_SOURCE_AUTHN_ERROR beside it is about credentials and certificates.
    # https://docs.aws.amazon.com/lambda/latest/dg/services-mq-errors.html
    "event_source_authz_error",
    # LastProcessingResult of Apache Kafka. Other results on this page ("SASL authentication failed", "Server failed to
    # authenticate Lambda" ...) are about credentials and certificates.
    # https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-troubleshoot.html
    "failed to authorize lambda",
    # Recorded: "PROBLEM: Lambda failed to assume your function execution role. Please check if ...".
    CANNOT_ASSUME,
    # Recorded for queues: "Lambda does not have required permissions to access the queue ...", "The function execution
    # role does not have permissions to call ReceiveMessage on SQS."
    "not have required permissions",
    "not have the required permissions",
    "not have permissions to",
    # CreateEventSourceMapping for streams, clusters, brokers and their secrets: "Cannot access stream ... Please ensure
    # the role can perform the GetRecords ... Actions on your stream in IAM."
    "ensure the role can perform",
    # Messages of the services themselves, and of Kafka's TopicAuthorizationException.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    "not authorized to perform",
    "not authorized to access",
    "access denied",
    "accessdenied",
)
"""Parts of AWS's messages, in lower case, that report a missing permission."""


def permission_error_of(mapping: EventSourceMapping) -> str:
    """Return AWS's messages about a missing permission, empty if there are none."""
    messages = (mapping.state_transition_reason, mapping.last_processing_result)
    return "; ".join(filter(reports_missing_permission, messages))


def reports_missing_permission(message: str) -> bool:
    """Return whether a message of AWS reports that the execution role lacks a permission."""
    return any(pattern in message.lower() for pattern in _UNAUTHORIZED)
