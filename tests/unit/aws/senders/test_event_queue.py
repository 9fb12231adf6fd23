"""What is put into the queues behind the bus: ten messages a request, and an error if SQS did not accept one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.errors import DeliveryError
from permission_guard.model.digests import DigestKind, digest_id
from tests.bus_messages import read_event
from tests.fakes import a_finding


class Queue:
    """A queue that accepts every message but those that are named."""

    def __init__(self, rejected: str = "nothing") -> None:
        self.rejected = rejected
        self.requests: list[list[str]] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert QueueUrl == "https://queue"
        bodies = [entry["MessageBody"] for entry in Entries]
        self.requests.append(bodies)
        failed = [{"Message": "denied"} for body in bodies if self.rejected in body]
        return {"Successful": [], **({"Failed": failed} if failed else {})}


def queue(sqs: Any) -> EventQueue:
    """Return the sender of a queue."""
    return EventQueue(sqs, "https://queue")


def test_findings_are_sent_ten_at_a_time() -> None:
    """In their order; an event of the bus with the names only."""
    sqs = Queue()
    queue(sqs).send_findings(a_finding(id=f"{number:032x}") for number in range(25))
    assert list(map(len, sqs.requests)) == [10, 10, 5]
    sent = [read_event(body).finding_id for request in sqs.requests for body in request]
    assert sent == [f"{number:032x}" for number in range(25)]


def test_no_finding_is_no_request() -> None:
    """SQS rejects an empty batch."""
    sqs = Queue()
    queue(sqs).send_findings([])
    assert sqs.requests == []


def test_a_message_that_is_not_accepted_is_an_error() -> None:
    """The caller reports it, and the next sweep sends it again."""
    with pytest.raises(DeliveryError, match="SQS did not accept 1 of 2 messages: denied"):
        queue(Queue(rejected="0" * 31 + "1")).send_findings([a_finding(id=f"{number:032x}") for number in range(2)])


def test_a_digest_is_named_by_its_id() -> None:
    """What it says is in the table."""
    sqs, digest = Queue(), digest_id(DigestKind.BASELINE, "account")
    queue(sqs).send_digest(digest)
    assert json.loads(sqs.requests[0][0])["detail"] == {"digest_id": digest}


def test_what_waits_is_named_by_its_channel() -> None:
    """What it is is in the table."""
    sqs = Queue()
    queue(sqs).send_waiting("slack")
    assert json.loads(sqs.requests[0][0])["detail"] == {"channel": "slack"}
