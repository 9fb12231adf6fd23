"""How many messages the dead-letter queues of the stack have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient


class DeadLetters:
    """Counts the messages of dead-letter queues."""

    def __init__(self, client: SQSClient, queue_urls: Sequence[str]) -> None:
        self._sqs = client
        self._urls = queue_urls

    def counts(self) -> list[tuple[str, int]]:
        """Return the name of each queue, and about how many messages it has."""
        return [(url.rpartition("/")[2], self._count(url)) for url in self._urls]

    def _count(self, url: str) -> int:
        reply = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(reply["Attributes"]["ApproximateNumberOfMessages"])
