"""A finding as an SNS message that SNS accepts and a subscriber can filter."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from permission_guard.delivery.alerts.sns.message import MAX_MESSAGE_BYTES, publication
from permission_guard.delivery.message import compose
from permission_guard.model.findings import Finding
from permission_guard.model.verdicts import Remedy
from tests.paths import FINDINGS

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))


def test_the_message_is_the_plain_text_under_its_headline() -> None:
    """Mail clients show the headline as the subject."""
    content = publication(OPENED)
    assert content.subject == "[HIGH] Finding Opened: orders cannot read its SQS queue"
    assert content.message == compose(OPENED).body


def test_a_subscriber_can_filter_by_the_attributes() -> None:
    """A filter policy names attributes and their values."""
    assert publication(OPENED).attributes == {
        "severity": "high",
        "rule_id": "PG201",
        "transition": "Finding Opened",
        "status": "open",
        "account": "123456789012",
        "region": "us-east-1",
    }


@pytest.mark.parametrize(
    "title",
    ["a" * 5_000, "line\r\nBcc: everyone", " \t lead", "größe 🚀 \u202e", "\x00\x1b[31m", "…", "é" * 200],
)
def test_sns_accepts_the_subject_of_any_title(title: str) -> None:
    """ASCII, under 100 characters, without line breaks, control characters and leading spaces."""
    subject = publication(replace(OPENED, title=title)).subject
    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100
    assert not subject.startswith(" ")


def test_a_message_is_within_the_size_limit_of_sns() -> None:
    """The limit is in bytes; a character takes up to four."""
    huge = replace(OPENED, remedies=tuple(Remedy("aws-cli", "🚀" * 15_000) for _ in range(30)))
    assert len(publication(huge).message.encode()) <= MAX_MESSAGE_BYTES
