"""A digest as a message for people, the same for every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.message import FindingMessage, Section, SectionStyle
from permission_guard.delivery.text import cut, listing, one_line

if TYPE_CHECKING:
    from permission_guard.model.digests import Digest, DigestPart

_HEADLINE: Final = 200
_LINE: Final = 300
_MOST_LINES: Final = 120
_LISTING: Final = 10_000
_COMMAND: Final = 1_000


def compose_digest(digest: Digest) -> FindingMessage:
    """Return a digest as a message. Its names come from others: each line is bounded and shows only what is visible."""
    sections = [_listing(part) for part in digest.parts]
    command = listing(digest.command).strip()
    # Half a command does something else. What to do comes first.
    if command and len(command) <= _COMMAND:
        sections.insert(0, Section("See all of them", command, SectionStyle.COMMAND))
    return FindingMessage(
        headline=one_line(digest.title, _HEADLINE),
        resource=one_line(f"{digest.account} {digest.region}", _LINE),
        happened=one_line(digest.summary, _LINE * 2),
        sections=tuple(sections),
        facts=(
            ("Account", one_line(digest.account, _LINE)),
            ("Region", one_line(digest.region, _LINE)),
            ("Digest id", digest.id),
        ),
        evidence=(),
    )


def _listing(part: DigestPart) -> Section:
    lines = [one_line(line, _LINE) for line in part.lines[:_MOST_LINES]]
    return Section(one_line(part.title, _LINE), cut("\n".join(lines), _LISTING), SectionStyle.LISTING)
