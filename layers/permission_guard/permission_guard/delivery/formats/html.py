"""A message as HTML, for mail programs and chats that show it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from permission_guard.delivery.formats.blocks import blocks
from permission_guard.delivery.message import Link, SectionStyle, Time
from permission_guard.delivery.text import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.message import Fact, Message, Part, Section


def html(message: Message) -> str:
    """Return a message as HTML, without its headline: a fragment without scripts, styles and images."""
    return "\n".join(block.shown for block in blocks(message, _Html()))


class _Html:
    def line(self, text: str) -> str:
        return f"<p><strong>{escape(text)}</strong></p>"

    def facts(self, facts: Sequence[Fact]) -> str:
        rows = (f"<li>{escape(fact.label)}: {''.join(map(_part, fact.parts))}</li>" for fact in facts)
        return f"<ul>{''.join(rows)}</ul>"

    def section(self, section: Section) -> str:
        heading, text = f"<p><strong>{escape(section.title)}</strong></p>", escape(section.text)
        return f"{heading}\n<p>{text}</p>" if section.style is SectionStyle.PROSE else f"{heading}\n<pre>{text}</pre>"


def _part(part: Part) -> str:
    if isinstance(part, Link):
        return f'<a href="{escape(part.url)}">{escape(part.text)}</a>'
    if isinstance(part, Time):
        return f'<time datetime="{utc(part.at)}">{utc(part.at)}</time>'
    return escape(part)
