"""Each format shows all of a message in its order, and what others wrote does nothing in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.html import html
from permission_guard.delivery.formats.markdown import markdown
from permission_guard.delivery.formats.plain import text, text_within
from permission_guard.model.verdicts import Remedy
from tests.paths import FINDINGS
from tests.unit.delivery.examples import CASES, EXAMPLES, HOSTILE_FINDING, HUGE_FINDING, OPENED, load

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding

WHOLE = 1_000_000


@pytest.mark.parametrize("case", CASES)
def test_the_plain_text_is_the_one_on_file(case: str) -> None:
    """Each case is a finding and its mail, the subject first, in two files of the same name."""
    message = compose(load(case))
    assert f"{message.headline}\n\n{text(message)}" == (FINDINGS / f"{case}.txt").read_text()


def test_the_markdown_and_the_html_are_those_on_file() -> None:
    """So that a change of them is seen."""
    message = compose(OPENED)
    assert f"{markdown(message, WHOLE, rest='')}\n" == (FINDINGS / "opened.md").read_text()
    assert f"{html(message)}\n" == (FINDINGS / "opened.html").read_text()


@pytest.mark.parametrize("case", EXAMPLES)
def test_every_format_has_every_part(case: str) -> None:
    """Titles of sections, labels of facts, links, and times to the second."""
    message = compose(EXAMPLES[case])
    for shown in (text(message), re.sub(r"\\(.)", r"\1", markdown(message, WHOLE, rest="")), html(message)):
        assert f"{message.facts[0].label}:" in shown
        assert message.references[-1].label in shown
        assert not re.search(r"\d\d:\d\d:\d\d[.+]", shown)


@pytest.mark.parametrize("limit", range(5_000, 30_000, 2_500))
def test_a_text_within_a_limit_omits_whole_sections_and_names_them(limit: int) -> None:
    """Half a command does something else. Equal remedies are no exception."""
    command = "aws \N{GRINNING FACE}" + "x" * 4_000 + " --end"
    message = compose(replace(OPENED, remedies=(Remedy("aws-cli", command),) * 10))
    shown = text_within(message, limit)
    assert len(shown.encode()) <= limit
    assert shown.count("aws \N{GRINNING FACE}") == shown.count("x --end")
    assert shown.endswith(f".\nSee permission-guard findings show {OPENED.id}.\n")
    assert "Omitted because of the size limit: How to fix it (AWS CLI), " in shown
    assert ("x --end" in shown) == (limit > 5_000)
    assert {f"{one.label}:" for one in message.references} <= set(re.findall(r"^[A-Z][A-Za-z ]+:", shown, re.MULTILINE))


def test_a_text_that_fits_is_whole() -> None:
    """Nothing is said of a limit."""
    message = compose(OPENED)
    assert text_within(message, len(text(message).encode())) == text(message)


@pytest.mark.parametrize("limit", [500, 1_000, 2_048, 65_000])
@pytest.mark.parametrize("case", EXAMPLES)
def test_markdown_is_within_its_limit(case: str, limit: int) -> None:
    """In bytes."""
    shown = markdown(compose(EXAMPLES[case]), limit, rest="More: elsewhere.")
    assert len(shown.encode()) <= limit
    assert len(re.findall("^`{3,}$", shown, re.MULTILINE)) % 2 == 0


def test_markdown_shows_foreign_text_literally() -> None:
    """It has no links but ours, no images, no HTML and no formatting of others."""
    shown = markdown(compose(HOSTILE_FINDING), WHOLE, rest="").replace("&#8203;", "\u200b")
    outside = re.sub(r"^(`{3,})\n.*?^\1$", "", shown, flags=re.DOTALL | re.MULTILINE)
    outside = re.sub(r"\\.|`[^`\n]*`", "", outside)
    links = re.findall(r"\[[^\]]*\]\(<([^>]*)>\)", outside)
    assert links
    assert all(link.startswith("https://us-east-1.console.aws.amazon.com/") for link in links)
    bare = re.sub(r"\[[^\]]*\]\(<[^>]*>\)", "", outside).replace("**", "")
    assert not re.search(r"[*_~<>|`&]|!\[|\]\(", bare)


@pytest.mark.parametrize(
    "acts", ["@octocat", "a@b.example", "#1", "x/y#1", "GH-2", "gh-2", "https://x", "www.x.example"]
)
def test_markdown_mentions_nobody_and_refers_to_nothing(acts: str) -> None:
    """GitHub would notify people. In prose the text is broken, in a line of facts it is code."""
    broken = re.sub(r"([@:]|\\#|GH-|www)", r"\1&#8203;", acts.replace("#", r"\#"), flags=re.IGNORECASE)
    shown = markdown(compose(replace(OPENED, title=acts, reason=acts, subject=acts, changed_by=acts)), WHOLE, rest="")
    assert f"**What is wrong**\n{broken}\n" in shown
    assert f"- Subject: `{acts}`\n" in shown
    assert f"- Changed by: `{acts}`" in shown


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    """A command with a fence in it does not end the block."""
    shown = markdown(compose(replace(OPENED, remedies=(Remedy("aws-cli", "a ```` b"),))), WHOLE, rest="")
    assert "`````\na ```` b\n`````" in shown


class _Elements(HTMLParser):
    """Collects elements with their attributes, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()
        self.urls: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(name for name, _ in attrs)))
        self.urls += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.shown += data


@pytest.mark.parametrize("finding", [HOSTILE_FINDING, HUGE_FINDING], ids=["hostile", "huge"])
def test_html_has_only_our_elements(finding: Finding) -> None:
    """What others wrote is text, and links lead to the console."""
    page = _Elements()
    page.feed(html(compose(finding)))
    known = {("p", ()), ("strong", ()), ("ul", ()), ("li", ()), ("pre", ()), ("time", ("datetime",)), ("a", ("href",))}
    assert page.found <= known
    assert all(url.startswith("https://us-east-1.console.aws.amazon.com/") for url in page.urls)
    if finding is HOSTILE_FINDING:
        assert "<script>alert(1)</script>" in page.shown
