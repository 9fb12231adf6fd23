"""A message as blocks in its order, in one of the formats, and as many of them as fit into a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from permission_guard.delivery.message import Section, SectionStyle
from permission_guard.delivery.text import cut_bytes
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from permission_guard.delivery.message import Fact, Message

SEPARATOR = "\n\n"

Shown = TypeVar("Shown")
Shown_co = TypeVar("Shown_co", covariant=True)


class Format(Protocol[Shown_co]):
    """How a format shows the kinds of blocks: as text, or as nodes of a document."""

    def line(self, text: str) -> Shown_co:
        """Return one line of prose."""

    def facts(self, facts: Sequence[Fact]) -> Shown_co:
        """Return labelled lines."""

    def section(self, section: Section) -> Shown_co:
        """Return a titled part."""


@record
class Block(Generic[Shown]):
    """A part of a message as a format shows it. One with a `title` may be omitted if there is not enough room."""

    shown: Shown
    title: str = ""


def blocks(message: Message, form: Format[Shown], longest: int | None = None) -> Iterator[Block[Shown]]:
    """Yield the blocks of a message, without its headline: that is the subject, or the title above them.

    Prose and listings are cut to `longest` bytes; commands are whole.
    """
    yield Block(form.line(message.happened))
    if message.facts:
        yield Block(form.facts(message.facts))
    yield from (Block(form.section(shortened(section, longest)), section.title) for section in message.sections)
    if message.references:
        yield Block(form.facts(message.references))
    yield from (Block(form.section(shortened(section, longest)), section.title) for section in message.evidence)


def fitting(parts: Sequence[Block[Shown]], limit: int, size: Callable[[Shown], int]) -> tuple[list[Shown], list[str]]:
    """Return the blocks that fit into a limit together, in their order, and the titles of those that do not.

    Each is whole: half a command does something else. Blocks without a title come first.
    """
    kept: set[int] = set()
    for number, part in sorted(enumerate(parts), key=lambda one: bool(one[1].title)):
        if (needed := size(part.shown)) <= limit:
            limit -= needed
            kept.add(number)
    omitted = [part.title for number, part in enumerate(parts) if number not in kept and part.title]
    return [part.shown for number, part in enumerate(parts) if number in kept], omitted


def joined_within(
    parts: Sequence[Block[str]], limit: int, note: Callable[[Sequence[str]], str], note_bytes: int
) -> str:
    """Return the blocks as one text of at most `limit` bytes.

    If one is omitted, the `note` about the omitted titles, of at most `note_bytes`, is at the end.
    """
    whole = SEPARATOR.join(part.shown for part in parts)
    if len(whole.encode()) <= limit:
        return whole
    kept, omitted = fitting(parts, limit - note_bytes, lambda text: len(f"{SEPARATOR}{text}".encode()))
    return SEPARATOR.join([*kept, note(omitted)])


def shortened(section: Section, longest: int | None) -> Section:
    """Return a section whose text has at most `longest` bytes, unless it is a command."""
    if longest is None or section.style is SectionStyle.COMMAND:
        return section
    return Section(section.title, cut_bytes(section.text, longest), section.style)
