"""The dead-letter queues are counted by their names."""

from __future__ import annotations

from typing import Any

from permission_guard.aws.readers.dead_letters import DeadLetters
from tests.in_memory.aws import InMemoryAws


def test_each_queue_has_its_count() -> None:
    """An empty one has none."""
    sqs: Any = InMemoryAws().client("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("AlertDeadLetterQueue", "FixDeadLetterQueue")]
    for _ in range(2):
        sqs.send_message(QueueUrl=urls[0], MessageBody="{}")
    assert DeadLetters(sqs, urls).counts() == [("AlertDeadLetterQueue", 2), ("FixDeadLetterQueue", 0)]


def test_without_queues_nothing_is_counted() -> None:
    """SQS is not called."""
    sqs: Any = None
    assert DeadLetters(sqs, ()).counts() == []
