"""The test message is recognizable as a test."""

from __future__ import annotations

import json
from dataclasses import replace

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.alerts.slack.message import payload as slack_payload
from permission_guard.delivery.alerts.sns.message import publication as sns_publication

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
TEST = AlertTest(id="0" * 32, by=JANE, at="2026-11-20T09:30:00+00:00", account="123456789012", region="us-east-1")


def test_a_test_message_says_that_it_is_one() -> None:
    """And who requested it, in which account and region."""
    content = sns_publication(compose_test(TEST))
    assert content.subject == "[TEST] Permission Guard: test message"
    assert content.attributes == {"notice": ("Test Message",), "account": ("123456789012",), "region": ("us-east-1",)}
    payload = slack_payload(compose_test(TEST))
    assert content.subject in payload["blocks"][0]["text"]["text"]
    for text in (content.text, content.document, json.dumps(payload)):
        assert "This is a test message. There is no finding, and nothing to do." in text
        assert f"{JANE} (as the request says)" in text


def test_slack_and_sns_accept_the_longest_names() -> None:
    """A session's name is chosen by its caller."""
    test = replace(TEST, by="arn:aws:sts::123456789012:assumed-role/" + "<!channel>" * 200)
    assert 0 < len(sns_publication(compose_test(test)).subject) < 100
    header, *blocks = slack_payload(compose_test(test))["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert {part["type"] for block in blocks for part in block["elements"]} == {"rich_text_section"}
