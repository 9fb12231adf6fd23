"""Alerts and tickets in Chromium: a reader sees all of them, and nothing in a name acts.

Nothing in the pages keeps a script from running: what others wrote must not become one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.html import html
from permission_guard.model.verdicts import Remedy
from tests.unit.delivery.examples import EXAMPLES, OPENED, PROPOSED
from tools.pictures import dom, slack
from tools.pictures.chromium import rendered
from tools.pictures.pages import PAGES, WIDTH, chat_page, markdown, page, teams_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.model.findings import Finding

RUN = "document.documentElement.dataset.ran = 1"
FOREIGN = (
    f"<script>{RUN}</script><img src=x onerror='{RUN}'><b onclick='{RUN}'>bold</b> <!channel> <@U0123ABCD> "
    "<https://evil.example|click> [click](https://evil.example) [js](javascript:alert) "
    "![i](https://evil.example/i.png) <https://evil.example> *bold* __bold__ `code` ``` <!-- --> &lt;i&gt; "
    "| a | b |"
)
"""What each markup that the bot writes would act on, without invisible characters: all of it must be visible."""

OURS = {"us-east-1.console.aws.amazon.com"}
ALL = {**PAGES, "chat": chat_page, "teams": teams_page}


def foreign(finding: Finding) -> Finding:
    """Return a finding in which everything that others choose is foreign markup, also where a line begins."""
    texts = ("title", "reason", "impact", "subject", "rule_name", "changed_by", "changed_from", "changed_with")
    lines = f"# x\n> x\n- x\n    x\n---\n{FOREIGN}\n<script>{RUN}</script>"
    return replace(
        finding,
        **dict.fromkeys(texts, FOREIGN),  # type: ignore[arg-type]
        function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{FOREIGN}",
        evidence={FOREIGN: FOREIGN, "list": [FOREIGN]},
        remedies=(Remedy("aws-cli", lines, changes=FOREIGN, step=FOREIGN),),
    )


def open_page(show: Callable[[Finding], str], finding: Finding) -> dom.Dom:
    """Return a page about a finding as Chromium rendered it."""
    return dom.read(rendered(show(finding), WIDTH))


def squeezed(text: str) -> str:
    """Return a text without the space between its words: a page wraps lines where it wants."""
    return re.sub(r"[\s\u200b]+", "", text)


@pytest.mark.parametrize("name", ALL)
def test_a_reader_sees_every_text(name: str) -> None:
    """Nothing is cut, covered, outside of the page or hidden."""
    shown = open_page(ALL[name], PROPOSED)
    assert shown.texts > 5
    assert shown.invisible == ()


@pytest.mark.parametrize("name", [name for name in ALL if name != "ops-item"])
def test_every_text_of_the_message_is_in_the_page(name: str) -> None:
    """An OpsItem has room for a part of it, and says so."""
    text = squeezed(open_page(ALL[name], PROPOSED).text)
    for one in texts(PROPOSED):
        assert squeezed(one) in text


def texts(finding: Finding) -> Iterator[str]:
    """Yield what a message says, without the format of its parts."""
    message = compose(finding)
    yield from (message.title, message.happened)
    for section in (*message.sections, *message.evidence):
        yield from (section.title, section.text)
    for fact in (*message.facts, *message.references):
        yield fact.label
        yield from (part for part in fact.parts if isinstance(part, str))


@pytest.mark.parametrize("name", ALL)
def test_foreign_markup_is_text(name: str) -> None:
    """No script runs, no picture is loaded, and no link leads elsewhere. A reader sees it as it is written."""
    shown = open_page(ALL[name], foreign(PROPOSED))
    tags = [tag for tag, _ in shown.elements]
    assert "data-ran" not in dict(shown.elements)["html"]
    assert tags.count("script") == 1
    assert not {"img", "iframe", "object", "embed", "form", "input", "table", "hr", "del"} & {*tags}
    assert tags.count("em") == (len(headings(foreign(PROPOSED))) if name == "teams" else 0)
    assert not [attributes for _, attributes in shown.elements if any(key.startswith("on") for key in attributes)]
    links = [attributes["href"] or "" for tag, attributes in shown.elements if tag == "a"]
    # A mail program makes a link of an address in plain text, whoever wrote it.
    assert {urlsplit(one).netloc for one in links if name != "mail"} <= OURS
    assert {urlsplit(one).scheme for one in links} <= {"https"}
    assert shown.invisible == ()
    opened, closed = ("\u2039", "\u203a") if name == "teams" else ("<", ">")  # chats have no common escape
    assert squeezed(f"{opened}script{closed}{RUN}{opened}/script{closed}") in squeezed(shown.text)


def headings(finding: Finding) -> list[str]:
    """Return what the Markdown for chats emphasizes: what happened, and the titles of the parts."""
    message = compose(finding)
    return [message.happened, *(one.title for one in (*message.sections, *message.evidence))]


def test_a_long_message_fits_into_slack() -> None:
    """With the longest names, nothing sticks out."""
    assert open_page(PAGES["slack"], EXAMPLES["huge"]).invisible == ()


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "image_url": "https://evil.example"},
        {"type": "rich_text", "elements": [{"type": "rich_text_quote", "elements": []}]},
        {"type": "rich_text", "elements": [], "block_id": "x"},
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "x", "style": {"strike": True}}]}
            ],
        },
    ],
)
def test_a_block_that_the_picture_does_not_show_is_an_error(block: dict[str, Any]) -> None:
    """Otherwise a text would be missing in the picture and nobody would notice."""
    with pytest.raises(slack.UnknownBlockError):
        slack.html([block])
    assert slack.html(payload(compose(OPENED))["blocks"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<p style="width:40px;overflow:hidden;white-space:nowrap">a long text in a narrow box</p>', "cut at a side"),
        ('<div style="height:8px;overflow:hidden">one<br>two</div>', "cut above or below"),
        ('<p style="position:absolute;left:-90px;width:80px">away</p>', "outside of the page"),
        ('<p style="display:none">none</p>', "not shown"),
        ('<p style="visibility:hidden">hidden</p>', "hidden"),
        ('<p style="color:#ffffff">white</p>', "the colour of its background"),
        ('<p>under</p><div style="position:absolute;inset:0;background:#eeeeee">over</div>', "covered"),
    ],
)
def test_a_text_that_cannot_be_seen_is_found(body: str, why: str) -> None:
    """Otherwise the tests above would prove nothing."""
    shown = dom.read(rendered(page("test", body), WIDTH))
    assert why in {reason for _, reason in shown.invisible}


def test_markup_that_is_not_escaped_acts() -> None:
    """The pages and the tests would notice: Markdown as GitHub reads it lets HTML and links through."""
    body = markdown(f"<img src=x onerror='{RUN}'>\n\n[click](https://evil.example)")
    shown = dom.read(rendered(page("test", body), WIDTH))
    assert "data-ran" in dict(shown.elements)["html"]
    assert [attributes["href"] for tag, attributes in shown.elements if tag == "a"] == ["https://evil.example"]


def test_html_for_chats_has_no_frame_of_its_own() -> None:
    """A fragment: the page around it is the program's."""
    assert "<html" not in html(compose(OPENED))
