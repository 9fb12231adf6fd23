"""The content of a finding's GitHub issue, within GitHub's limits, and without effect on anybody."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.github.content import body, function_label, labels, marked, title
from permission_guard.model.verdicts import Remedy
from tests.integration.tickets.contract import APPLIED, OPENED, RESOLVED

MARK = Mark.of(OPENED)
FOREIGN = "@octocat &#64;octocat #1 GH-2 acme/x#3 https://evil.example www.evil.example <img src=x> [a](b) `@x`"


def outside_code(text: str) -> str:
    """Return Markdown without its code."""
    return re.sub(r"(`{3,})\n.*?\n\1|`[^`\n]+`", "", text, flags=re.DOTALL)


def test_an_issue_has_the_problem_and_the_fix() -> None:
    """Commands are in blocks of code, whole."""
    text = body(OPENED, MARK)
    assert title(OPENED) == "[HIGH] PG201: orders cannot read its SQS queue"
    assert title(RESOLVED) == "PG201: orders cannot read its SQS queue"
    assert "**A problem was found.**" in text
    assert f"```\n{OPENED.remedies[0].text}\n```" in text
    assert f"- Finding id: {OPENED.id}\n" in text
    assert "\n\n**What was wrong**\n" in body(RESOLVED, MARK)


def test_the_first_line_has_the_id_and_the_mark() -> None:
    """GitHub does not show it."""
    first = body(APPLIED, Mark.of(APPLIED, has_comment=True)).splitlines()[0]
    assert re.fullmatch(r"<!-- permission-guard \{.*\} -->", first)
    assert marked(first, APPLIED) == Mark.of(APPLIED, has_comment=True)
    assert marked(f"See below.\r\n{first}", APPLIED) == Mark.of(APPLIED, has_comment=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- permission-guard {} -->",
        "<!-- permission-guard {no json} -->",
        '<!-- permission-guard {"finding": "another"} -->',
        '<!-- permission-guard ["finding"] -->',
        '<!-- permission-guard {"x": ' + "[" * 100_000 + "} -->",
        '<!-- permission-guard {"x": ' + "[" * 100_000 + "]" * 100_000 + "} -->",
    ],
)
def test_without_its_own_marker_an_issue_is_not_about_the_finding(text: str) -> None:
    """People can write anything."""
    assert marked(text, OPENED) is None


def test_foreign_text_mentions_nobody_and_refers_to_nothing() -> None:
    """GitHub would notify the people. In code it makes no link of anything."""
    finding = replace(
        OPENED, title=FOREIGN, reason=FOREIGN, impact=FOREIGN, subject=FOREIGN, remedies=(Remedy(FOREIGN, FOREIGN),)
    )
    _, _, shown = body(finding, MARK).partition("\n")
    text = outside_code(re.sub(r"\(<https://us-east-1\.console\.aws\.amazon\.com/[^>]*>\)", "", shown))
    assert "octocat" in text
    for acts in ("@octocat", "@x", "&#64;", "#1", "#3", "GH-2", "://", "www.", " <img", " [a](b)"):
        assert acts not in text.replace("\\#&#8203;", "").replace("&#8203;", "\u200b")


def test_a_long_finding_fits_without_half_a_command() -> None:
    """What does not fit is named."""
    remedies = tuple(Remedy("aws-cli", f"command {number} " + "x" * 15_000) for number in range(6))
    text = body(replace(OPENED, remedies=remedies, reason="🚀" * 4_000, evidence={"a": "b" * 60_000}), MARK)
    assert len(text) <= 65_536
    assert text.endswith(f"The rest does not fit into an issue. See permission-guard findings show {OPENED.id}.")
    shown = re.findall(r"command \d x+", text)
    assert 0 < len(shown) < 6
    assert {len(one) for one in shown} == {15_010}
    assert len(title(replace(OPENED, title="t" * 400))) == 256


def test_the_labels_are_the_bots_and_the_functions() -> None:
    """A label has at most 50 characters, and a comma would separate two."""
    assert labels(OPENED) == ["permission-guard", "orders"]
    role = "arn:aws:iam::123456789012:role/path/a,b"
    assert function_label(replace(OPENED, function_arn="", role_arn=role)) == "a_b"
    prefix = "arn:aws:lambda:us-east-1:123456789012:function:"
    one, other = (function_label(replace(OPENED, function_arn=f"{prefix}{'n' * 60}{end}")) for end in "ab")
    assert len(one) == len(other) == 50
    assert one != other
    assert function_label(replace(OPENED, function_arn="")) == "unnamed"
