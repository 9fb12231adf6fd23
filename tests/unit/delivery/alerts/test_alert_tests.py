"""The test message: every channel sends it once, and it is recognizable as a test."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.alerts.alert_tests import send_test
from permission_guard.delivery.alerts.slack.message import payload as slack_payload
from permission_guard.delivery.alerts.sns.message import publication as sns_publication
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.errors import DeliveryError
from tests.unit.delivery.memory_ledger import MemoryLedger

if TYPE_CHECKING:
    from permission_guard.delivery.message import Message

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
TEST = AlertTest(id="0" * 32, by=JANE, at="2026-11-20T09:30:00+00:00", account="123456789012", region="us-east-1")


class Channel:
    """A channel that raises the given errors, one for each send, before it accepts a message."""

    def __init__(self, name: str, *failures: Exception) -> None:
        self.name = name
        self.failures = list(failures)
        self.sent: list[str] = []

    def send(self, message: Message, reference: str | None) -> str | None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message.key)
        return f"{self.name}-1"


def test_every_channel_sends_a_test_message_once() -> None:
    """Queues deliver a message more than once."""
    sns, slack, ledger = Channel("sns"), Channel("slack"), MemoryLedger()
    assert [one.outcome for one in send_test(TEST, [sns, slack], ledger)] == [DeliveryOutcome.DELIVERED] * 2
    again = send_test(TEST, [sns, slack], ledger)
    assert [one.outcome for one in again] == [DeliveryOutcome.ALREADY_DELIVERED] * 2
    assert sns.sent == slack.sent == [TEST.key]
    send_test(replace(TEST, id="1" * 32), [sns, slack], ledger)
    assert len(sns.sent) == len(slack.sent) == 2


def test_a_channel_that_fails_is_tried_again_alone() -> None:
    """The error names it, and the others do not send twice."""
    sns, slack, ledger = Channel("sns"), Channel("slack", DeliveryError("HTTP 500")), MemoryLedger()
    with pytest.raises(DeliveryError, match=f"{TEST.key} was not delivered: slack: HTTP 500"):
        send_test(TEST, [slack, sns], ledger)
    send_test(TEST, [slack, sns], ledger)
    assert sns.sent == slack.sent == [TEST.key]


def test_a_test_message_says_that_it_is_one() -> None:
    """And who requested it, in which account and region."""
    content = sns_publication(compose_test(TEST))
    assert content.subject == "[TEST] Permission Guard: test message"
    assert content.attributes == {"notice": ("Test Message",), "account": ("123456789012",), "region": ("us-east-1",)}
    payload = slack_payload(compose_test(TEST))
    assert content.subject in payload["blocks"][0]["text"]["text"]
    for text in (content.text, content.document, json.dumps(payload)):
        assert "This is a test message. There is no finding, and nothing to do." in text
        assert JANE in text


def test_slack_and_sns_accept_the_longest_names() -> None:
    """A session's name is chosen by its caller."""
    test = replace(TEST, by="arn:aws:sts::123456789012:assumed-role/" + "<!channel>" * 200)
    assert 0 < len(sns_publication(compose_test(test)).subject) < 100
    header, *blocks = slack_payload(compose_test(test))["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert {part["type"] for block in blocks for part in block["elements"]} == {"rich_text_section"}
