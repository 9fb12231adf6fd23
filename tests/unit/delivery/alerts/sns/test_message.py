"""A message that SNS accepts and a subscriber can filter."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.alerts.sns.message import MAX_MESSAGE_BYTES, publication
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.model.verdicts import Remedy, Severity
from tests.paths import REPOSITORY
from tests.unit.delivery.alerts.test_alert_tests import TEST
from tests.unit.delivery.alerts.test_digests import DIGEST
from tests.unit.delivery.examples import EXAMPLES, OPENED, RESOLVED

if TYPE_CHECKING:
    from permission_guard.delivery.alerts.sns.message import Publication
    from permission_guard.model.findings import Finding

SCHEMA = REPOSITORY / "docs" / "schemas" / "alert.v1.json"


def published(finding: Finding) -> Publication:
    """Return what is published about a finding."""
    return publication(compose(finding))


def test_the_message_is_the_plain_text_under_its_headline() -> None:
    """Mail clients show the headline as the subject. It alone has the severity."""
    content = published(OPENED)
    assert content.subject == "[HIGH] Opened: orders cannot read its SQS queue"
    assert content.text == text(compose(OPENED))
    assert "high" not in content.text.lower()
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
        "finding_id": (OPENED.id,),
    }
    owned = publication(replace(compose(OPENED), owner="payments-team"))
    assert owned.attributes["owner"] == ("payments-team",)


def test_several_findings_are_arrays_of_values() -> None:
    """A filter policy that names one of them matches."""
    second = replace(OPENED, id="2" * 32, rule_id="PG204", severity=Severity.CRITICAL)
    attributes = publication(compose(OPENED, second)).attributes
    assert attributes["rule_id"] == ("PG204", "PG201")
    assert attributes["finding_id"] == (second.id, OPENED.id)
    assert attributes["severity"] == ("critical",)


def test_raw_delivery_to_a_queue_keeps_the_attributes() -> None:
    """SQS takes ten, and SNS discards what has more.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
    """
    assert len(publication(replace(compose(OPENED), owner="payments-team")).attributes) <= 10


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
    for text_of_remedy in ("🚀" * 15_000, '"' * 15_000, "\\n" * 7_000, 'x\n"' * 6_000):
        huge = replace(OPENED, remedies=tuple(Remedy("aws-cli", text_of_remedy) for _ in range(30)))
        content = published(huge)
        assert len(content.message.encode()) <= MAX_MESSAGE_BYTES
        assert "Omitted because of the size limit" in content.text
        document = json.loads(content.document)
        assert document["omitted"][0] == "How to fix it (AWS CLI)"
        assert document["rest"] == f"See permission-guard findings show {OPENED.id}."
        assert OPENED.reason in content.text


def test_the_text_takes_what_the_document_leaves() -> None:
    """A message that fits is whole, however its room is divided."""
    large = replace(OPENED, remedies=tuple(Remedy("aws-cli", "x" * 19_000) for _ in range(6)))
    content = published(large)
    assert content.text == text(compose(large))
    assert len(json.loads(content.document)["sections"]) == len(compose(large).sections)


@pytest.mark.parametrize("name", [*EXAMPLES, "digest", "test"])
def test_the_document_has_the_form_of_its_schema(name: str) -> None:
    """The schema is what subscribers rely on."""
    message = {"digest": compose_digest(DIGEST), "test": compose_test(TEST)}.get(name) or compose(EXAMPLES[name])
    document = json.loads(publication(message).document)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["title"] == message.title
    assert document["finding_ids"] == list(message.findings)


def test_the_document_has_what_a_program_needs() -> None:
    """Which finding, how severe, what happened, where, and what to run."""
    document = json.loads(published(OPENED).document)
    assert document["finding_ids"] == [OPENED.id]
    assert (document["severity"], document["state"]) == ("high", "Opened")
    assert document["attributes"]["rule_id"] == ["PG201"]
    function = document["facts"][0]
    assert (function["label"], function["text"]) == ("Function", "orders in account 123456789012, us-east-1")
    assert function["links"][0]["url"].endswith("#/functions/orders")
    commands = [section["text"] for section in document["sections"] if section["style"] == "command"]
    assert commands[0].startswith("aws iam attach-role-policy --role-name orders-role")
    assert json.loads(published(RESOLVED).document)["severity"] is None
    assert json.loads(published(RESOLVED).document)["attributes"]["severity"] == ["high"]


def test_each_protocol_gets_its_form() -> None:
    """SNS chooses by the names in the object."""
    content = published(OPENED)
    assert json.loads(content.message) == {
        "default": content.document,
        "email": content.text,
        "sms": "[HIGH] Opened: orders cannot read its SQS queue",
    }
