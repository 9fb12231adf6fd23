"""A message in Slack: within Slack's limits, and without formatting, links or mentions from names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.alerts.slack.message import escape, payload
from permission_guard.delivery.finding_messages import compose
from permission_guard.model.verdicts import Remedy, Severity
from tests.unit.delivery.examples import EXAMPLES, HOSTILE_FINDING, HUGE_FINDING, OPENED, RESOLVED, with_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.findings import Finding


def posted(finding: Finding) -> dict[str, Any]:
    """Return what is posted about a finding."""
    return payload(compose(finding))


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield every object of Block Kit in a payload."""
    if isinstance(value, dict):
        if "type" in value:
            yield value
        for part in value.values():
            yield from objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from objects(part)


def shown(value: object) -> str:
    """Return what Slack shows, as text."""
    return "".join(part["text"] for part in objects(value) if isinstance(part.get("text"), str))


def units(text: str) -> int:
    """Return the length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("case", EXAMPLES)
def test_every_part_is_within_slacks_limits(case: str) -> None:
    """Slack rejects a message that exceeds one limit."""
    blocks = posted(EXAMPLES[case])["blocks"]
    assert len(blocks) <= 50
    assert units(json.dumps(blocks, ensure_ascii=False)) < 40_000
    for part in objects(blocks):
        if part["type"] == "header":
            assert 1 <= units(part["text"]["text"]) <= 150
        if part["type"] in ("text", "link", "plain_text"):
            assert 1 <= units(part["text"]) <= 3_000


@pytest.mark.parametrize("blank", [" ", "\u3000", "\u200b\u202e", "\t\n"])
def test_names_that_nobody_sees_leave_no_text_empty(blank: str) -> None:
    """Slack refuses the whole message if one text of it is empty."""
    message = compose(with_texts(blank))
    for content in (payload(message), payload(replace(message, title="", state="", severity=None, happened=""))):
        texts = [part["text"] for part in objects(content) if part["type"] in ("text", "link", "plain_text")]
        assert all(text != "" for text in texts)
    assert all(fact.is_visible for fact in (*message.facts, *message.references))
    assert not {"Owner", "Subject", "CloudTrail"} & {fact.label for fact in (*message.facts, *message.references)}


def test_a_name_cannot_mention_link_or_format() -> None:
    """Slack shows rich text literally; the header and the notification have entities. Links lead to the console."""
    body = posted(HOSTILE_FINDING)
    parts = list(objects(body["blocks"]))
    assert {part["type"] for part in parts} <= {
        "header",
        "plain_text",
        "rich_text",
        "rich_text_section",
        "rich_text_preformatted",
        "text",
        "link",
        "date",
    }
    header = next(part for part in parts if part["type"] == "header")["text"]
    assert header["type"] == "plain_text"
    assert header["emoji"] is False
    assert not re.search(r"[<>]", header["text"] + body["text"])
    urls = [part["url"] for part in parts if part["type"] == "link"]
    assert urls
    assert all(url.startswith("https://us-east-1.console.aws.amazon.com/") for url in urls)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_a_command_is_literal() -> None:
    """A command contains no entities: it is pasted as it is shown."""
    command = "aws lambda get-policy --query 'a < b && c > `d`'"
    body = posted(replace(OPENED, remedies=(Remedy("aws-cli", command),)))
    code = [part for part in objects(body["blocks"]) if part["type"] == "rich_text_preformatted"]
    assert code[0]["elements"] == [{"type": "text", "text": command}]


def test_a_command_that_is_too_long_is_omitted_not_cut() -> None:
    """Half a command does something else."""
    text = shown(posted(replace(OPENED, remedies=(Remedy("aws-cli", "x" * 2_501),))))
    assert "xxx" not in text
    assert f"Too long for Slack. See permission-guard findings show {OPENED.id}." in text


def test_omitted_sections_are_named_at_the_end() -> None:
    """The reader knows that there is more, and where."""
    last = shown(posted(HUGE_FINDING)["blocks"][-1])
    assert last.startswith("Omitted because of Slack's size limit: How to fix it (kind")
    assert last.endswith(f"See permission-guard findings show {OPENED.id}.")


def test_what_identifies_the_finding_is_shown_however_long_the_rest_is() -> None:
    """Before the evidence."""
    assert f"Finding id: {OPENED.id}" in shown(posted(HUGE_FINDING))
    text = shown(posted(OPENED))
    assert text.index("Finding id: ") < text.index("Evidence")


@pytest.mark.parametrize("severity", Severity)
def test_the_severity_is_a_word_in_the_header_alone(severity: Severity) -> None:
    """It is readable without colours and by screen readers, and notifications have it too."""
    body = posted(replace(OPENED, severity=severity))
    assert body["text"].startswith(f"[{severity.upper()}] Opened: ")
    assert body["blocks"][0]["text"]["text"] == body["text"]
    assert not re.search(rf"\b{severity}\b", shown(body["blocks"][1:]), re.IGNORECASE)


def test_what_is_over_has_no_severity() -> None:
    """Nobody has to hurry."""
    assert posted(RESOLVED)["text"] == "Resolved: orders cannot read its SQS queue"


def test_a_time_is_shown_in_the_readers_time_zone() -> None:
    """Slack's clients format it. One that cannot shows UTC."""
    (time,) = [part for part in objects(posted(OPENED)["blocks"]) if part["type"] == "date"]
    assert (time["timestamp"], time["fallback"]) == (1795169730, "2026-11-20T10:15:30Z")
    assert time["format"] == "{date_num} {time_secs}"


def test_the_function_and_the_event_are_links() -> None:
    """To the console."""
    links = {part["text"]: part["url"] for part in objects(posted(OPENED)["blocks"]) if part["type"] == "link"}
    assert links["orders"].endswith("#/functions/orders")
    assert links[OPENED.changed_event].endswith(f"#/events/{OPENED.changed_event}")


@pytest.mark.parametrize("limit", range(6, 30))
def test_an_entity_is_not_cut_in_two(limit: int) -> None:
    """Slack shows half an entity literally."""
    escaped = escape("<a&b>🚀<c>", limit)
    assert units(escaped) <= limit
    assert re.fullmatch(r"(?:&lt;|&gt;|&amp;|[abc🚀])*…?", escaped)


def test_text_that_fits_is_escaped_and_not_cut() -> None:
    """A text of exactly the limit is complete."""
    assert escape("a<b", 6) == "a&lt;b"
    assert escape("", 6) == ""
