"""A message as the Markdown that chats have in common: Slack, Microsoft Teams, Google Chat and Discord.

They have no common escape, so what would act in one of them is replaced by a character that looks alike, or broken by a
zero-width space. An address is a line of its own, of which all make a link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.blocks import blocks, joined_within
from permission_guard.delivery.formats.plain import fact_text
from permission_guard.delivery.message import Link, SectionStyle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.message import Fact, Message, Section

_BREAK: Final = "\u200b"
_LOOK_ALIKES: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'", "*": "\u2217", "~": "\u223c"})
_IN_CODE: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'"})

# A mention, an address, an image or a link, an emoji, an entity, and a heading.
_ACTS: Final = re.compile(r"@|:(?=//)|www(?=\.)|\](?=\()|(?<![\w:]):(?=[\w+-]+:(?!\w))|&(?=#?\w+;)|^#")
_ITALIC: Final = re.compile(r"(?<!\w)_|_(?!\w)")
_ENTITY: Final = re.compile(r"&(?=#?\w+;)")
_CHANGED_IN_CODE: Final = re.compile(r"[<>`]|&#?\w+;")


def chat(message: Message, limit: int) -> str:
    """Return the blocks of a message that fit into `limit` bytes, without its headline.

    A section of prose or a listing takes at most a quarter of it; commands are whole or not at all.
    """
    rest = literal(f"More: {message.rest}" if message.rest else "Shortened.")
    parts = [*blocks(message, _Chat(message.rest), limit // 4)]
    return joined_within(parts, limit, lambda _omitted: rest, len(f"\n\n{rest}".encode()))


def literal(text: str) -> str:
    """Return prose that chats show as it is: without mentions, links, emojis and formatting."""
    return _ITALIC.sub("\u02cd", _ACTS.sub(rf"\g<0>{_BREAK}", text.translate(_LOOK_ALIKES)))


class _Chat:
    def __init__(self, rest: str) -> None:
        self._rest = rest

    def line(self, text: str) -> str:
        return f"*{literal(text)}*"

    def facts(self, facts: Sequence[Fact]) -> str:
        return "\n".join(line for fact in facts for line in _lines(fact))

    def section(self, section: Section) -> str:
        heading = f"*{literal(section.title)}*"
        if section.style is SectionStyle.PROSE:
            return f"{heading}\n{literal(section.text)}"
        if section.style is SectionStyle.LISTING:
            return f"{heading}\n```\n{_ENTITY.sub(f'&{_BREAK}', section.text.translate(_IN_CODE))}\n```"
        if _CHANGED_IN_CODE.search(section.text):  # a command that a chat changes does something else
            return f"{heading}\n{literal(f'A chat cannot show this command as it is. {self._rest}'.rstrip())}"
        return f"{heading}\n```\n{section.text}\n```"


def _lines(fact: Fact) -> list[str]:
    urls = [part.url for part in fact.parts if isinstance(part, Link)]
    return [f"{literal(fact.label)}: {literal(fact_text(fact))}", *urls]
