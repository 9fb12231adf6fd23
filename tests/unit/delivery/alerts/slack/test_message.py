"""A finding as a Slack message: within Slack's limits, and without formatting, links or mentions from names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.alerts.slack.message import escape, payload
from permission_guard.model.findings import Finding, Status
from permission_guard.model.verdicts import Remedy, Severity
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator


def load(case: str) -> Finding:
    """Return the finding of a case."""
    return Finding.from_document(json.loads((FINDINGS / f"{case}.json").read_text()))


OPENED = load("opened")
HOSTILE = "<!channel> @here <https://evil.example|click> *bold* `code` ```fence``` & \x1b\r\n\u202e :boom: 🚀"
HOSTILE_FINDING = replace(
    OPENED,
    title=HOSTILE,
    reason=HOSTILE,
    impact=HOSTILE,
    subject=HOSTILE,
    rule_name=HOSTILE,
    function_arn=HOSTILE,
    evidence={HOSTILE: HOSTILE, "statement": {"Sid": HOSTILE}},
    remedies=(Remedy(HOSTILE, HOSTILE),),
    event_ids=(HOSTILE,),
)
HUGE_FINDING = replace(
    OPENED,
    title="<" * 5_000,
    reason="🚀" * 5_000,
    impact="i" * 5_000,
    subject="&" * 5_000,
    rule_name="r" * 5_000,
    function_arn="f" * 5_000,
    evidence={"statement": {f"key{number}": "v" * 5_000 for number in range(20)}},
    remedies=tuple(Remedy(f"kind{number}", "x" * 2_400) for number in range(60)),
)
EXAMPLES = {path.stem: load(path.stem) for path in FINDINGS.glob("*.json")}
EXAMPLES |= {"hostile": HOSTILE_FINDING, "huge": HUGE_FINDING}


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


def units(text: str) -> int:
    """Return the length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("case", EXAMPLES)
def test_every_part_is_within_slacks_limits(case: str) -> None:
    """Slack rejects a message that exceeds one limit."""
    blocks = payload(EXAMPLES[case])["blocks"]
    assert len(blocks) <= 50
    assert units(json.dumps(blocks, ensure_ascii=False)) < 40_000
    for part in objects(blocks):
        if part["type"] == "header":
            assert 1 <= units(part["text"]["text"]) <= 150
        if part["type"] == "section":
            assert 1 <= len(part["fields"]) <= 10
            assert all(1 <= units(field["text"]) <= 2_000 for field in part["fields"])
        if part["type"] == "context":
            assert 1 <= len(part["elements"]) <= 10
        if part["type"] in ("text", "mrkdwn", "plain_text"):
            assert 1 <= units(part["text"]) <= 3_000


def test_a_name_cannot_mention_link_or_format() -> None:
    """In mrkdwn, control characters are entities and values are code; elsewhere Slack shows the text literally."""
    body = payload(HOSTILE_FINDING)
    parts = list(objects(body["blocks"]))
    mrkdwn = [part for part in parts if part["type"] == "mrkdwn"]
    assert mrkdwn
    for part in mrkdwn:
        assert part["verbatim"] is True
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", part["text"])
        outside_code = re.sub(r"`[^`\n]*`", "", part["text"])
        assert "boom" not in outside_code
        assert "@" not in outside_code
    header = next(part for part in parts if part["type"] == "header")["text"]
    assert header["type"] == "plain_text"
    assert header["emoji"] is False
    assert not re.search(r"[<>]", header["text"] + body["text"])
    assert {part["type"] for part in parts}.isdisjoint({"link", "user", "broadcast", "channel", "usergroup", "emoji"})


def test_a_command_is_literal() -> None:
    """A command contains no entities: it is pasted as it is shown."""
    command = "aws lambda get-policy --query 'a < b && c > `d`'"
    body = payload(replace(OPENED, remedies=(Remedy("aws-cli", command),)))
    code = [part for part in objects(body["blocks"]) if part["type"] == "rich_text_preformatted"]
    assert code[0]["elements"] == [{"type": "text", "text": command}]


def test_a_command_that_is_too_long_is_omitted_not_cut() -> None:
    """Half a command does something else."""
    text = json.dumps(payload(replace(OPENED, remedies=(Remedy("aws-cli", "x" * 2_501),))))
    assert "xxx" not in text
    assert "Too long for Slack" in text


def test_omitted_sections_are_named() -> None:
    """The reader knows that there is more."""
    text = json.dumps(payload(HUGE_FINDING))
    assert "Omitted because of Slack's size limit: How to fix it (kind" in text


@pytest.mark.parametrize("severity", Severity)
def test_the_severity_is_a_sign_and_a_word(severity: Severity) -> None:
    """It is readable without colours and by screen readers."""
    header = payload(replace(OPENED, severity=severity))["blocks"][0]["text"]["text"]
    assert header[0] in "‼❗⚠ℹ"  # noqa: RUF001 - the sign is meant
    assert header[2:].startswith(f"[{severity.upper()}] Finding Opened")


@pytest.mark.parametrize(("status", "sign"), [(Status.RESOLVED, "✔"), (Status.SUPPRESSED, "⏸")])
def test_a_closed_finding_has_the_sign_of_its_status(status: Status, sign: str) -> None:
    """The sign is that of the status, not of the severity."""
    assert payload(replace(OPENED, status=status))["blocks"][0]["text"]["text"].startswith(sign)


def test_the_context_has_the_ids() -> None:
    """A person can search the logs and the table for them."""
    context = payload(OPENED)["blocks"][-1]["elements"][0]["text"]
    assert f"Finding id `{OPENED.id}`" in context
    assert "CloudTrail `6d1f0f5e-3c5b-4f0e-8c39-1d7b1f0e2a44`" in context


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
