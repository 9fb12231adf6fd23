"""A test message reaches every channel at the same time, and each result says what became of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult
from permission_guard.delivery.samples import at_the_same_time, send_test, sent
from permission_guard.errors import DeliveryError
from permission_guard.model.destinations import Destination, DestinationKind, DestinationResult, Outcome
from tests.unit.delivery.channels import Channel
from tests.unit.delivery.memory_ledger import MemoryLedger

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
TEST = AlertTest(id="0" * 32, by=JANE, at="2026-11-20T09:30:00+00:00", account="123456789012", region="us-east-1")


def destination(name: str) -> Destination:
    """Return an alert channel."""
    return Destination(name=name, type="sns", kind=DestinationKind.ALERTS)


def tried(ledger: MemoryLedger, *channels: Channel, test: AlertTest = TEST) -> list[tuple[str, str, str, str]]:
    """Send a test; return each destination with its outcome, reference and reason."""
    results = send_test(test, [(destination(one.name), one) for one in channels], ledger, None, ThreadPoolExecutor)
    return [(one.destination.name, str(one.outcome), one.reference, one.reason) for one in results]


def test_every_channel_sends_a_test_message_once() -> None:
    """The same request again is answered without a second message. Another request sends another one."""
    sns, slack, ledger = Channel("sns"), Channel("slack"), MemoryLedger()
    assert tried(ledger, sns, slack) == [("sns", "sent", "sns-1", ""), ("slack", "sent", "slack-1", "")]
    again = tried(ledger, sns, slack)
    assert again == [("sns", "already sent", "sns-1", ""), ("slack", "already sent", "slack-1", "")]
    assert sns.sent == slack.sent == [TEST.key]
    tried(ledger, sns, slack, test=replace(TEST, id="1" * 32))
    assert len(sns.sent) == len(slack.sent) == 2


def test_a_channel_that_fails_is_a_result_and_tried_again_alone() -> None:
    """Its own reason is shown; of an error of another package only the type, which has no secret."""
    sns, slack = Channel("sns"), Channel("slack", DeliveryError("HTTP 500"), ValueError("https://hooks/secret"))
    ledger = MemoryLedger()
    assert tried(ledger, slack, sns) == [("slack", "failed", "", "HTTP 500"), ("sns", "sent", "sns-1", "")]
    assert tried(ledger, slack)[0] == ("slack", "failed", "", "ValueError")
    assert tried(ledger, slack)[0] == ("slack", "sent", "slack-1", "")
    assert sns.sent == slack.sent == [TEST.key]


def test_destinations_are_tried_at_the_same_time_and_a_late_one_does_not_hide_the_others() -> None:
    """Two that wait for each other both answer; the third one is not waited for."""
    meeting, end = threading.Barrier(2), threading.Event()

    def meet(name: str) -> DestinationResult:
        meeting.wait(timeout=10)
        return DestinationResult(destination=destination(name), outcome=Outcome.SENT)

    def hang() -> DestinationResult:
        end.wait(timeout=10)
        raise AssertionError

    sends = [
        (destination("late"), hang),
        (destination("a"), lambda: meet("a")),
        (destination("b"), lambda: meet("b")),
    ]
    try:
        results = at_the_same_time(sends, ThreadPoolExecutor, seconds=1)
    finally:
        end.set()
    assert [(one.destination.name, one.outcome) for one in results] == [
        ("late", Outcome.FAILED),
        ("a", Outcome.SENT),
        ("b", Outcome.SENT),
    ]
    assert results[0].reason == "no answer within 1 seconds"


def test_a_timeout_of_a_sender_is_its_own() -> None:
    """It is not taken for the time limit of the test."""

    def fail() -> DestinationResult:
        raise TimeoutError("of a socket")

    (result,) = at_the_same_time([(destination("slack"), fail)], ThreadPoolExecutor)
    assert result.reason == "TimeoutError"
    assert at_the_same_time([], ThreadPoolExecutor) == []


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(DeliveryOutcome.DELIVERED, Outcome.SENT), (DeliveryOutcome.ALREADY_DELIVERED, Outcome.ALREADY_SENT)],
)
def test_what_was_sent_before_is_said(outcome: DeliveryOutcome, expected: Outcome) -> None:
    """Both have the reference."""
    result = sent(destination("sns"), DeliveryResult(channel="sns", outcome=outcome, reference="1"), Outcome.SENT)
    assert (result.outcome, result.reference, result.is_done) == (expected, "1", True)
