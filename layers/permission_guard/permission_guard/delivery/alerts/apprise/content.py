"""A message as the services of Apprise take it: within their lengths, and escaped for what they show."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.alerts.apprise.targets import Form
from permission_guard.delivery.formats.chat import chat, literal
from permission_guard.delivery.formats.plain import fact_text, text_within
from permission_guard.delivery.message import Fact, Message, SectionStyle
from permission_guard.delivery.text import cut, cut_bytes
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE: Final = re.compile(r"^```\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
_SHORT: Final = 1_500
"""Bytes below which the facts have no addresses, and only what identifies the finding and one remedy is shown."""
_LEAST: Final = 200
_LONGEST_DETAIL: Final = 4_000
_DETAILS: Final = 40_000

_PAGERDUTY: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}
_OPSGENIE: Final[Mapping[Severity, int]] = {
    Severity.CRITICAL: 1,
    Severity.HIGH: 2,
    Severity.MEDIUM: 3,
    Severity.LOW: 4,
}
_LOWEST_PRIORITY: Final = 5


@record
class Content:
    """The title and the body. Without a `title` the body has the headline."""

    title: str
    body: str


def content(message: Message, form: Form, longest_title: int, longest_body: int) -> Content:
    """Return a message in a form, of at most `longest_body` bytes and `longest_title` characters; zero for no title."""
    if form is Form.PAGERDUTY:
        return Content("", cut(message.headline, longest_body))
    headline = literal(message.headline) if form is Form.CHAT else message.headline
    if form is Form.HTML:
        return Content("", _html(message, longest_body))
    title = cut(headline, longest_title) if longest_title else ""
    above = "" if title else cut_bytes(headline, longest_body // 4) + "\n\n"
    room = longest_body - len(above.encode()) - len(title.encode())
    shown = _shortened(message) if longest_body < _SHORT else message
    body = chat(shown, room) if form is Form.CHAT else text_within(shown, room)
    return Content(title, above + body)


def details(message: Message) -> dict[str, str]:
    """Return the facts and sections of a message by their titles, as far as they fit: an incident has fields."""
    facts = {fact.label: fact_text(fact) for fact in (*message.facts, *message.references)}
    found = {"What happened": message.happened, **{label: cut(text, _LONGEST_DETAIL) for label, text in facts.items()}}
    left = _DETAILS - sum(len(text.encode()) for text in found.values())
    for section in (*message.sections, *message.evidence):
        is_whole = len(section.text) <= _LONGEST_DETAIL
        text = section.text if is_whole or section.style is SectionStyle.COMMAND else cut(section.text, _LONGEST_DETAIL)
        if (needed := len(text.encode())) <= left and section.title not in found:
            left -= needed
            found[section.title] = text
    return found


def pagerduty_severity(message: Message) -> str:
    """Return the severity of an event. https://developer.pagerduty.com/docs/send-alert-event."""
    return _PAGERDUTY[message.severity] if message.severity else "info"


def opsgenie_priority(message: Message) -> int:
    """Return the priority of an alert, 1 for P1. https://docs.opsgenie.com/docs/alert-api."""
    return _OPSGENIE[message.severity] if message.severity else _LOWEST_PRIORITY


def _html(message: Message, limit: int) -> str:
    """Return the chat's Markdown as HTML of at most `limit` bytes, with its code as such: escaping makes it longer."""
    above = f"{escape(cut(literal(message.headline), limit // 8))}\n\n"
    room = limit - len(above.encode())
    shown = _shortened(message) if limit < _SHORT else message
    limit_of_text = room
    while (needed := len((text := _with_code(chat(shown, limit_of_text))).encode())) > room:
        limit_of_text -= needed - room
    return above + text


def _with_code(text: str) -> str:
    return _CODE.sub(r"<pre>\1</pre>", escape(text, quote=False))


def _shortened(message: Message) -> Message:
    """Return a message without addresses and evidence, and with the references that a reader needs."""
    kept = {"Rule", "Finding id"}
    facts = tuple(Fact(fact.label, (cut(fact_text(fact), _LEAST),)) for fact in message.facts[:1])
    return Message(
        key=message.key,
        group=message.group,
        attributes=message.attributes,
        title=cut(message.title, _LEAST),
        happened=cut(message.happened, _LEAST),
        state=message.state,
        severity=message.severity,
        facts=facts,
        sections=message.sections,
        references=tuple(fact for fact in message.references if fact.label in kept),
        rest=message.rest,
        findings=message.findings,
        over=message.over,
    )
