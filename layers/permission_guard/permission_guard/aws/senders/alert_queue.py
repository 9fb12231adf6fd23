"""Put messages that are not about one finding into the queue of `send_alert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.bus.alert_tests import alert_test_body
from permission_guard.bus.digests import digest_body

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from permission_guard.bus.alert_tests import AlertTest


class AlertQueue:
    """The queue of the function that sends alerts."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._sqs = client
        self._url = queue_url

    def send_test(self, test: AlertTest) -> None:
        """Have every alert channel send a test message."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=alert_test_body(test))

    def send_digest(self, digest_id: str) -> None:
        """Have every alert channel send a stored digest; each sends it once."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=digest_body(digest_id))
