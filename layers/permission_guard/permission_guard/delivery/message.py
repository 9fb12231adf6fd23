"""The message for people, the same for every channel and ticket system.

Its order is that of a reader under pressure: what happened to which function, who did it, why it matters and how to fix
it; then what identifies the finding, and the evidence last. A format renders it: `formats/`, or the channel's own.
"""

from __future__ import annotations

from enum import StrEnum, auto
from typing import TYPE_CHECKING, TypeAlias

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from permission_guard.model.verdicts import Severity


@record
class Link:
    """A text that is a link. The address is ours; the text may be a name that others chose."""

    text: str
    url: str


@record
class Time:
    """A time in UTC: each format shows it in its own form, to the second."""

    at: datetime


Part: TypeAlias = str | Link | Time
"""A part of a line: text of others, which each format escapes, a link, or a time."""


@record
class Fact:
    """A labelled line. Its parts follow each other without a space."""

    label: str
    parts: tuple[Part, ...]

    @property
    def is_visible(self) -> bool:
        """Whether it shows anything: a name may consist of characters that nobody sees, which are left out."""
        return any(
            isinstance(part, Time) or (part.text if isinstance(part, Link) else part).strip() for part in self.parts
        )


class SectionStyle(StrEnum):
    """How a format may show the text of a section."""

    PROSE = auto()  # may be wrapped and cut
    LISTING = auto()  # keeps its lines; may be cut at its end
    COMMAND = auto()  # to paste: whole or not at all, since half a command does something else


@record
class Section:
    """A titled part of a message."""

    title: str
    text: str
    style: SectionStyle


@record(kw_only=True)
class Message:
    """A message for people, in the order of its parts. Each is bounded and has only printable characters.

    `severity` is None if nothing needs attention any more, or the message is not about a finding; each format shows it
    once, in the headline. `state` is what happened in a word or two, empty if the title says it. `facts` say about
    what, by whom and when; `references` identify it. `rest` is a sentence that says where to see what was left out.

    `owner` is who owns the function, by its tag, empty if none is known: a channel may mention that person or team.
    `findings` are the ids of the findings that it is about, the worst first; none if it is not about findings. `over`
    are those of them that nobody has to act on any more.

    `key` is the same for the same message, also when it is sent again. Messages of one `group` are about the same
    function or role: a channel that keeps an order keeps theirs. `attributes` are what subscribers can filter by.
    """

    key: str
    group: str
    attributes: Mapping[str, tuple[str, ...]]
    title: str
    happened: str
    state: str = ""
    severity: Severity | None = None
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()
    references: tuple[Fact, ...] = ()
    evidence: tuple[Section, ...] = ()
    rest: str = ""
    owner: str = ""
    findings: tuple[str, ...] = ()
    over: frozenset[str] = frozenset()

    @property
    def line(self) -> str:
        """The state and the title, without the severity."""
        return f"{self.state}: {self.title}" if self.state else self.title

    @property
    def headline(self) -> str:
        """The line with the severity: the subject, the header, or the title above a message."""
        return f"[{self.severity.upper()}] {self.line}" if self.severity else self.line
