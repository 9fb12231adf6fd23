"""A message that SNS accepts and a subscriber can filter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.alerts.sns.message import MAX_MESSAGE_BYTES, publication
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.model.verdicts import Remedy
from tests.unit.delivery.examples import OPENED, RESOLVED

if TYPE_CHECKING:
    from permission_guard.delivery.alerts.sns.message import Publication
    from permission_guard.model.findings import Finding


def published(finding: Finding) -> Publication:
    """Return what is published about a finding."""
    return publication(compose(finding))


def test_the_message_is_the_plain_text_under_its_headline() -> None:
    """Mail clients show the headline as the subject. It alone has the severity."""
    content = published(OPENED)
    assert content.subject == "[HIGH] Opened: orders cannot read its SQS queue"
    assert content.message == text(compose(OPENED))
    assert "high" not in content.message.lower()
    assert published(RESOLVED).subject == "Resolved: orders cannot read its SQS queue"


def test_a_subscriber_can_filter_by_the_attributes() -> None:
    """A filter policy names attributes and their values."""
    assert published(OPENED).attributes == {
        "severity": ("high",),
        "rule_id": ("PG201",),
        "transition": ("Finding Opened",),
        "status": ("open",),
        "account": ("123456789012",),
        "region": ("us-east-1",),
    }


@pytest.mark.parametrize(
    "title",
    ["a" * 5_000, "line\r\nBcc: everyone", " \t lead", "größe 🚀 \u202e", "\x00\x1b[31m", "…", "é" * 200],
)
def test_sns_accepts_the_subject_of_any_title(title: str) -> None:
    """ASCII, under 100 characters, without line breaks, control characters and leading spaces."""
    for finding in (OPENED, RESOLVED):
        subject = published(replace(finding, title=title)).subject
        assert subject.isascii()
        assert subject.isprintable()
        assert 0 < len(subject) < 100
        assert not subject.startswith(" ")


def test_a_message_is_within_the_size_limit_of_sns() -> None:
    """The limit is in bytes; a character takes up to four."""
    huge = replace(OPENED, remedies=tuple(Remedy("aws-cli", "🚀" * 15_000) for _ in range(30)))
    assert len(published(huge).message.encode()) <= MAX_MESSAGE_BYTES
