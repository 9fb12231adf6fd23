"""Put messages into the queues behind the bus, without the bus: your own targets there get each transition once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.aws.senders.batches import batches
from permission_guard.bus.digests import digest_body
from permission_guard.bus.events import event_body
from permission_guard.bus.ticket_reviews import summary_body, ticket_review_body
from permission_guard.bus.waiting import waiting_body
from permission_guard.errors import DeliveryError
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

    from permission_guard.bus.ticket_reviews import TicketReview
    from permission_guard.model.findings import Finding

SUMMARY_DELAY_SECONDS: Final = 60
"""What changes within this time is one write of a summary."""


class EventQueue:
    """The queue of one function behind the bus."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._sqs = client
        self._url = queue_url

    def send_findings(self, findings: Iterable[Finding]) -> None:
        """Send messages about the last transitions of findings. DeliveryError if SQS did not accept them all."""
        self._send(map(event_body, findings))

    def send_digest(self, digest_id: str) -> None:
        """Have a digest sent. DeliveryError if SQS did not accept the message."""
        self._send([digest_body(digest_id)])

    def send_waiting(self, channel: str) -> None:
        """Have what waits for an alert channel sent. DeliveryError if SQS did not accept the message."""
        self._send([waiting_body(channel)])

    def send_reviews(self, reviews: Iterable[TicketReview]) -> None:
        """Have the tickets of findings read. DeliveryError if SQS did not accept all messages."""
        self._send(map(ticket_review_body, reviews))

    def send_summary_review(self) -> None:
        """Have the summaries of tickets read. DeliveryError if SQS did not accept the message."""
        self._send([summary_body(is_review=True)])

    def request_summary(self) -> None:
        """Have the summaries of tickets written in a minute. DeliveryError if SQS did not accept the message."""
        self._send([summary_body(is_review=False)], delay=SUMMARY_DELAY_SECONDS)

    def _send(self, messages: Iterable[str], delay: int = 0) -> None:
        # The messages of a batch together must not be larger than one message may be. JSON is ASCII here.
        for bodies in batches(messages, len, most=limits.QUEUE_BATCH_MESSAGES, most_bytes=limits.QUEUE_MESSAGE):
            reply = self._sqs.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "MessageBody": body, "DelaySeconds": delay}
                    for number, body in enumerate(bodies)
                ],
            )
            if failed := reply.get("Failed"):
                raise DeliveryError(
                    f"SQS did not accept {len(failed)} of {len(bodies)} messages: {failed[0].get('Message')}"
                )
