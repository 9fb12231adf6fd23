"""A message as blocks of text in its order, in one of the formats, and as many of them as fit into a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from permission_guard.delivery.message import Fact, Message, Section

SEPARATOR = "\n\n"


class Format(Protocol):
    """How a format shows the kinds of blocks."""

    def line(self, text: str) -> str:
        """Return one line of prose."""

    def facts(self, facts: Sequence[Fact]) -> str:
        """Return labelled lines."""

    def section(self, section: Section) -> str:
        """Return a titled part."""


@record
class Block:
    """A text of a message. One with a `title` may be omitted if there is not enough room."""

    text: str
    title: str = ""


def blocks(message: Message, shown: Format) -> Iterator[Block]:
    """Yield the blocks of a message, without its headline: that is the subject, or the title above them."""
    yield Block(shown.line(message.happened))
    if message.facts:
        yield Block(shown.facts(message.facts))
    yield from (Block(shown.section(section), section.title) for section in message.sections)
    if message.references:
        yield Block(shown.facts(message.references))
    yield from (Block(shown.section(section), section.title) for section in message.evidence)


def joined_within(parts: Sequence[Block], limit: int, note: Callable[[Sequence[str]], str], note_bytes: int) -> str:
    """Return the blocks as one text of at most `limit` bytes. Each is whole: half a command does something else.

    Blocks without a title come first. If one is omitted, the `note` about the omitted titles, of at most `note_bytes`,
    is at the end.
    """
    whole = SEPARATOR.join(part.text for part in parts)
    if len(whole.encode()) <= limit:
        return whole
    left = limit - note_bytes
    kept: set[int] = set()
    for number, part in sorted(enumerate(parts), key=lambda one: bool(one[1].title)):
        size = len(f"{SEPARATOR}{part.text}".encode())
        if size <= left:
            left -= size
            kept.add(number)
    omitted = [part.title for number, part in enumerate(parts) if number not in kept and part.title]
    return SEPARATOR.join([*(part.text for number, part in enumerate(parts) if number in kept), note(omitted)])
