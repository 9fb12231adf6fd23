"""A finding as a Jira issue.

The description is a document of nodes (ADF), not markup: text in a node is shown literally. A mention would be a
node of its own, and a link is a mark. An empty text is not valid. A time is text: ADF's node for a date has no time.
https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from permission_guard.delivery.formats.blocks import blocks, fitting
from permission_guard.delivery.message import Link, SectionStyle, Time
from permission_guard.delivery.text import utc
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.summary import message_of
from permission_guard.delivery.tickets.titles import title_with_severity
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.delivery.message import Fact, Part, Section
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

LABEL = "permission-guard"
PROPERTY = "permission-guard"

_LISTING = 4_000
_EMPTY_DOCUMENT = 200
"""More characters than a document without nodes and the separators between nodes have."""
_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9_-]")


def summary(about: Ticketed) -> str:
    """Return the summary of a finding's issue."""
    return title_with_severity(about, limits.JIRA_SUMMARY_CHARACTERS)


def finding_label(about: Ticketed) -> str:
    """Return the label by which JQL finds the issue of a finding."""
    return f"{LABEL}-{_NOT_IN_A_LABEL.sub('_', about.id)}"


def property_value(about: Ticketed, mark: Mark) -> dict[str, JSON]:
    """Return the value of the issue's entity property, which people do not see: the finding's id and the mark."""
    return {"finding": about.id, **mark.values()}


def marked(value: JSON, about: Ticketed) -> Mark | None:
    """Return the mark in the value of an entity property, None if the issue is not the one of this finding."""
    if not isinstance(value, dict) or value.get("finding") != about.id:
        return None
    return Mark.read(value)


def description(about: Ticketed) -> dict[str, JSON]:
    """Return the description of a finding's issue, within the size limit."""
    message = message_of(about)
    note = _paragraph(_text(f"The rest does not fit into an issue. {message.rest}"))
    room = limits.JIRA_TEXT_CHARACTERS - _EMPTY_DOCUMENT - _size([note])
    parts, omitted = fitting([*blocks(message, _Nodes(), _LISTING)], room, _size)
    nodes = [node for part in parts for node in part if node["content"]]
    return _document(*nodes, *([note] if omitted else []))


def comment(text: str) -> dict[str, JSON]:
    """Return a comment."""
    return _document(_paragraph(_text(text)))


class _Nodes:
    """Shows each block as a list of nodes: prose as a paragraph, listings and commands as code."""

    def line(self, text: str) -> list[dict[str, JSON]]:
        return [_paragraph(_text(text, "strong"))]

    def facts(self, facts: Sequence[Fact]) -> list[dict[str, JSON]]:
        return [_paragraph(_text(f"{fact.label}: ", "strong"), *map(_part, fact.parts)) for fact in facts]

    def section(self, section: Section) -> list[dict[str, JSON]]:
        heading = {"type": "heading", "attrs": {"level": 3}, "content": list(_text(section.title))}
        if section.style is SectionStyle.PROSE:
            return [heading, _paragraph(_text(section.text))]
        return [heading, {"type": "codeBlock", "content": list(_text(section.text))}]


def _part(part: Part) -> Iterator[dict[str, JSON]]:
    if isinstance(part, Link):
        yield {"type": "text", "text": part.text, "marks": [{"type": "link", "attrs": {"href": part.url}}]}
    else:
        yield from _text(utc(part.at) if isinstance(part, Time) else part)


def _text(text: str, *marks: str) -> Iterator[dict[str, JSON]]:
    """Yield a node of text, none for an empty one."""
    if text:
        node: dict[str, JSON] = {"type": "text", "text": text}
        yield node | ({"marks": [{"type": mark} for mark in marks]} if marks else {})


def _paragraph(*texts: Iterator[dict[str, JSON]]) -> dict[str, JSON]:
    return {"type": "paragraph", "content": [node for text in texts for node in text]}


def _document(*nodes: dict[str, JSON]) -> dict[str, JSON]:
    return {"type": "doc", "version": 1, "content": list(nodes)}


def _size(nodes: list[dict[str, JSON]]) -> int:
    return len(json.dumps(nodes))
