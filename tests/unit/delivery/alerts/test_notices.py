"""Messages that are not about one finding: each channel sends one of a key, and a test is recognizable as a test."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.alerts.base import send_notice
from permission_guard.delivery.alerts.notice import Notice, of_test
from permission_guard.delivery.alerts.slack.message import notice_payload
from permission_guard.delivery.alerts.sns.message import MAX_MESSAGE_BYTES, notice_publication
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.errors import DeliveryError
from permission_guard.model.verdicts import FINDING_ID
from tests.unit.delivery.memory_ledger import MemoryLedger

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
NOTICE = of_test(
    AlertTest(id="0" * 32, by=JANE, at="2026-11-20T09:30:00+00:00", account="123456789012", region="us-east-1")
)


class Channel:
    """A channel that raises the given errors, one for each send, before it accepts a notice."""

    def __init__(self, name: str, *failures: Exception) -> None:
        self.name = name
        self.failures = list(failures)
        self.sent: list[Notice] = []

    def send(self, finding: Finding, reference: str | None) -> str | None:
        raise NotImplementedError

    def send_notice(self, notice: Notice) -> str | None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(notice)
        return f"{self.name}-1"


def test_every_channel_sends_a_notice_once() -> None:
    """Queues deliver a message more than once."""
    sns, slack, ledger = Channel("sns"), Channel("slack"), MemoryLedger()
    assert [one.outcome for one in send_notice(NOTICE, [sns, slack], ledger)] == [DeliveryOutcome.DELIVERED] * 2
    again = send_notice(NOTICE, [sns, slack], ledger)
    assert [one.outcome for one in again] == [DeliveryOutcome.ALREADY_DELIVERED] * 2
    assert sns.sent == slack.sent == [NOTICE]
    send_notice(replace(NOTICE, key="test-message/1"), [sns, slack], ledger)
    assert len(sns.sent) == len(slack.sent) == 2


def test_a_channel_that_fails_is_tried_again_alone() -> None:
    """The error names it, and the others do not send twice."""
    sns, slack, ledger = Channel("sns"), Channel("slack", DeliveryError("HTTP 500")), MemoryLedger()
    with pytest.raises(DeliveryError, match=f"{NOTICE.key} was not delivered: slack: HTTP 500"):
        send_notice(NOTICE, [slack, sns], ledger)
    send_notice(NOTICE, [slack, sns], ledger)
    assert sns.sent == slack.sent == [NOTICE]


def test_a_test_takes_no_place_of_a_finding_in_the_ledger() -> None:
    """Its nonce comes from the caller, who could choose a finding's id and so prevent its alert."""
    assert not FINDING_ID.fullmatch(NOTICE.key)


def test_a_test_message_says_that_it_is_one() -> None:
    """And who requested it, in which account and region."""
    content = notice_publication(NOTICE)
    assert content.subject == "[TEST] Permission Guard: test message from 123456789012, us-east-1"
    assert content.attributes == {"notice": "Test Message"}
    assert "There is no finding, and nothing to do." in content.message
    assert f"Requested by {JANE} at 2026-11-20T09:30:00+00:00" in content.message
    payload = notice_payload(NOTICE)
    assert payload["text"] == payload["blocks"][0]["text"]["text"] == content.subject
    assert JANE in json.dumps(payload)


@pytest.mark.parametrize("text", ["<!channel> *bold* `x`", "🚀" * 80_000])
def test_the_channels_accept_any_notice(text: str) -> None:
    """Slack shows the text literally, and each cuts it to its limit."""
    notice = Notice(key="digest/1", kind="Digest", headline=f"[DIGEST] {text}"[:400], text=text)
    content, payload = notice_publication(notice), notice_payload(notice)
    assert len(content.message.encode()) <= MAX_MESSAGE_BYTES
    assert 0 < len(content.subject) < 100
    header, body = payload["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert "<!channel>" not in header["text"]["text"]
    (element,) = body["elements"][0]["elements"]
    assert element["type"] == "text"
    assert len(element["text"].encode("utf-16-le")) // 2 <= 2_500
