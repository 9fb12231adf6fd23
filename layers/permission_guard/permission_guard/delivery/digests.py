"""A digest as a message for people, the same for every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.message import Fact, Message, Section, SectionStyle
from permission_guard.delivery.text import cut, listing, one_line

if TYPE_CHECKING:
    from permission_guard.model.digests import Digest, DigestPart

_TITLE: Final = 200
_LINE: Final = 300
_MOST_LINES: Final = 120
_LISTING: Final = 10_000
_COMMAND: Final = 1_000


def compose_digest(digest: Digest) -> Message:
    """Return a digest as a message. Its names come from others: each line is bounded and shows only what is visible."""
    sections = [_listing(part) for part in digest.parts]
    command = listing(digest.command).strip()
    # Half a command does something else. What to do comes first.
    if command and len(command) <= _COMMAND:
        sections.insert(0, Section("See all of them", command, SectionStyle.COMMAND))
    account, region = one_line(digest.account, _LINE), one_line(digest.region, _LINE)
    return Message(
        key=digest.id,
        group=digest.id,
        attributes={
            "digest": (str(digest.kind),),
            "account": (account,),
            "region": (region,),
            **({"severity": (str(digest.severity),)} if digest.severity else {}),
        },
        title=one_line(digest.title, _TITLE),
        severity=digest.severity,
        findings=digest.findings,
        happened=one_line(digest.summary, _LINE * 2),
        sections=tuple(sections),
        references=(Fact("Account", (f"{account}, {region}",)), Fact("Digest id", (digest.id,))),
    )


def _listing(part: DigestPart) -> Section:
    lines = [one_line(line, _LINE) for line in part.lines[:_MOST_LINES]]
    return Section(one_line(part.title, _LINE), cut("\n".join(lines), _LISTING), SectionStyle.LISTING)
