"""A message as Markdown, for tickets: CommonMark, without HTML.

Text of others mentions nobody, refers to nothing and is no link: GitHub would notify people for it.
https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.blocks import blocks, joined_within
from permission_guard.delivery.message import Link, SectionStyle, Time
from permission_guard.delivery.text import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.message import Fact, Message, Part, Section

_MARKUP: Final = re.compile(r"([\\`*_\[\]<>~|#!&])")
_HARMLESS: Final = re.compile(r"[A-Za-z0-9 ,.-]*")

# A zero-width space ends what GitHub would make a mention, a reference or a link of. In code GitHub makes none.
_AUTOLINKS: Final = re.compile(r"@|#|:(?=//)|www(?=\.)|GH-(?=\d)", re.IGNORECASE)
_BREAK: Final = "&#8203;"


def markdown(message: Message, limit: int, *, rest: str) -> str:
    """Return a message as Markdown of at most `limit` bytes, without its headline: that is the ticket's title.

    A section of prose or a listing takes at most a third of it; commands are whole or not at all. `rest` is Markdown
    that says where to see the omitted ones.
    """
    parts = [*blocks(message, _Markdown(), limit // 3)]
    return joined_within(parts, limit, lambda _omitted: rest, len(f"\n\n{rest}".encode()))


def escape(text: str) -> str:
    """Return prose that Markdown shows literally, without formatting, links, images, entities or mentions."""
    return _AUTOLINKS.sub(rf"\g<0>{_BREAK}", _MARKUP.sub(r"\\\1", text))


class _Markdown:
    def line(self, text: str) -> str:
        return f"**{escape(text)}**"

    def facts(self, facts: Sequence[Fact]) -> str:
        return "\n".join(f"- {escape(fact.label)}: {''.join(map(_part, fact.parts))}" for fact in facts)

    def section(self, section: Section) -> str:
        heading = f"**{escape(section.title)}**"
        if section.style is SectionStyle.PROSE:
            return f"{heading}\n{escape(section.text)}"
        return f"{heading}\n{_fenced(section.text)}"


def _part(part: Part) -> str:
    if isinstance(part, Link):
        return f"[{escape(part.text)}](<{part.url}>)"
    return utc(part.at) if isinstance(part, Time) else _shown(part)


def _shown(text: str) -> str:
    """Return a text as it is if nothing in it can act; else as inline code, which has no mentions and no links.

    It has no backticks, which would end the code.
    """
    is_harmless = _HARMLESS.fullmatch(text) and not _AUTOLINKS.search(text)
    return text if is_harmless else f"`{text.replace('`', chr(39))}`"


def _fenced(text: str) -> str:
    """Return a text between fences that have more backticks than the text has in a row."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
