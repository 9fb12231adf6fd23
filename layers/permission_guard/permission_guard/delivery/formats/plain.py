"""A message as plain text, for mail and for tickets without markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.blocks import Block, blocks, joined_within
from permission_guard.delivery.message import Link, Time
from permission_guard.delivery.text import cut_bytes, one_line, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.message import Fact, Message, Part, Section

_OMITTED: Final = "Omitted because of the size limit"
_TITLES: Final = 300


def text(message: Message) -> str:
    """Return all of a message, under its line: the subject has the severity, and may be cut."""
    return "\n\n".join(block.shown for block in _blocks(message)) + "\n"


def text_within(message: Message, limit: int) -> str:
    """Return a message as text of at most `limit` bytes; it names the sections that are omitted.

    A section of prose or a listing takes at most a third of it; commands are whole or not at all.
    """

    def note(omitted: Sequence[str]) -> str:
        return f"{_OMITTED}: {cut_bytes(one_line(', '.join(omitted), _TITLES), _TITLES)}.\n{message.rest}".rstrip()

    note_bytes = len(f"\n\n{_OMITTED}: .\n{message.rest}".encode()) + _TITLES
    return joined_within(_blocks(message, limit // 3), limit - 1, note, note_bytes) + "\n"


def fact_text(fact: Fact) -> str:
    """Return a fact without its label and its addresses."""
    return "".join(map(_part, fact.parts))


def _blocks(message: Message, longest: int | None = None) -> list[Block[str]]:
    return [Block(message.line), *blocks(message, _Plain(), longest)]


class _Plain:
    def line(self, text: str) -> str:
        return text

    def facts(self, facts: Sequence[Fact]) -> str:
        width = max(len(fact.label) for fact in facts) + 2
        return "\n".join(_lines(fact, width) for fact in facts)

    def section(self, section: Section) -> str:
        return f"{section.title}:\n{section.text}"


def _lines(fact: Fact, width: int) -> str:
    """Return a fact, with each address on a line of its own: mail programs make links of addresses."""
    shown = f"{fact.label + ':':<{width}}{fact_text(fact)}"
    urls = [part.url for part in fact.parts if isinstance(part, Link)]
    return "\n".join([shown, *(f"{'':<{width}}{url}" for url in urls)])


def _part(part: Part) -> str:
    if isinstance(part, Link):
        return part.text
    return utc(part.at) if isinstance(part, Time) else part
