"""A message as a Slack message, for an incoming webhook and for a bot.

Everything but the header is `rich_text`, which Slack shows literally: a name in it cannot become a mention, a link or
formatting, and a time is shown in the reader's own time zone. The header and the text of notifications have `&`, `<`
and `>` escaped. Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.message import Link, SectionStyle, Time
from permission_guard.delivery.text import ELLIPSIS, one_line, utc
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.delivery.message import Fact, Message, Part, Section
    from permission_guard.model.targets import JSON

DEFAULT_WEBHOOK_PREFIX = "https://hooks.slack.com/"
"""The default prefix of a webhook's URL; a deployment can set another one (GovSlack, a proxy, a test)."""

MAX_BLOCKS = limits.SLACK_BLOCKS
MAX_HEADER = limits.SLACK_HEADER_CHARACTERS

_MAX_SECTION = 2_500
# Slack rejects messages that are too long in total (`msg_blocks_too_long`); the limit is not documented.
_MAX_SECTIONS = 10_000
_MAX_FALLBACK = 300
_EMPTY: Final = "-"
"""What is shown for an empty text: Slack refuses a message that has one."""
_TIME: Final = "{date_num} {time_secs}"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def payload(message: Message, mention: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """Return the body of the POST to the webhook: the content, without previews of its links."""
    return {**content(message, mention), "unfurl_links": False, "unfurl_media": False}


def content(message: Message, mention: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """Return blocks, and one line for notifications and screen readers. `mention` is an element for the owner."""
    return {"text": escape(message.headline, _MAX_FALLBACK), "blocks": blocks(message, mention)}


def blocks(message: Message, mention: Mapping[str, JSON] | None = None) -> list[dict[str, JSON]]:
    """Return a message as Block Kit blocks, in its order. The mention is before what happened."""
    header: dict[str, JSON] = {
        "type": "header",
        "text": {"type": "plain_text", "text": escape(message.headline, MAX_HEADER) or _EMPTY, "emoji": False},
    }
    owner = [dict(mention), _text(" ")] if mention else []
    above = [header, _rich_text([*owner, _text(message.happened)]), *_facts(message.facts)]
    between = _facts(message.references)
    room = MAX_BLOCKS - len(above) - len(between)
    fits = len(message.sections) + len(message.evidence) <= room
    shown = _Sections(message.rest, room if fits else room - 1)
    sections = [*shown.of(message.sections)]
    evidence = [*shown.of(message.evidence)]
    return [*above, *sections, *between, *evidence, *shown.note()]


def escape(text: str, limit: int) -> str:
    """Return text with Slack's control characters as entities: at most `limit` UTF-16 units, cut between entities."""
    pieces: list[str] = []
    left = limit
    for char in text:
        piece = _ENTITIES.get(char, char)
        left -= _units(piece)
        pieces.append(piece)
        if left < 0:
            break
    else:
        return "".join(pieces)
    while left < 1:  # the ellipsis takes one unit
        left += _units(pieces.pop())
    return "".join(pieces) + ELLIPSIS


class _Sections:
    """Shows sections until the limits are reached; then one block names the omitted ones.

    `rest` says where to see them, and `most` is how many blocks there may be together, besides that one.
    """

    def __init__(self, rest: str, most: int) -> None:
        self._rest = rest
        self._blocks_left = most
        self._left = _MAX_SECTIONS
        self._omitted: list[str] = []

    def of(self, sections: Sequence[Section]) -> Iterator[dict[str, JSON]]:
        """Yield one block for each section that fits."""
        for section in sections:
            block, size = self._section(section)
            if size > self._left or not self._blocks_left:
                self._omitted.append(section.title)
                continue
            self._left -= size
            self._blocks_left -= 1
            yield block

    def note(self) -> Iterator[dict[str, JSON]]:
        """Yield the block that names what was omitted."""
        if self._omitted:
            titles = one_line(", ".join(self._omitted), _MAX_FALLBACK)
            yield _rich_text([_text(f"Omitted because of Slack's size limit: {titles}. {self._rest}".rstrip())])

    def _section(self, section: Section) -> tuple[dict[str, JSON], int]:
        title = _text(section.title, bold=True)
        if section.style is SectionStyle.COMMAND and _units(section.text) > _MAX_SECTION:
            text = f"Too long for Slack. {self._rest}".rstrip()
            return _rich_text([title, _text(f"\n{text}")]), _units(text)
        text = _cut(section.text, _MAX_SECTION)
        if section.style is SectionStyle.PROSE:
            return _rich_text([title, _text(f"\n{text}")]), _units(text)
        preformatted = {"type": "rich_text_preformatted", "elements": [_text(text)]}
        return _rich_text([title], preformatted), _units(text)


def _facts(facts: Sequence[Fact]) -> list[dict[str, JSON]]:
    """Return one block with a line for each fact; none without facts."""
    elements: list[dict[str, JSON]] = []
    for number, fact in enumerate(facts):
        label = _text(f"{fact.label}: ", bold=True)
        elements += [*([_text("\n")] if number else []), label, *map(_part, fact.parts)]
    return [_rich_text(elements)] if elements else []


def _part(part: Part) -> dict[str, JSON]:
    if isinstance(part, Link):
        return {"type": "link", "url": part.url, "text": part.text or part.url}
    if isinstance(part, Time):
        # Slack's `<!date^...>`, as an element: https://docs.slack.dev/reference/block-kit/block-elements/date-element
        return {"type": "date", "timestamp": int(part.at.timestamp()), "format": _TIME, "fallback": utc(part.at)}
    return _text(part)


def _cut(text: str, limit: int) -> str:
    if _units(text) <= limit:
        return text
    return text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", errors="ignore") + ELLIPSIS


def _units(text: str) -> int:
    """Return the length in UTF-16 units, as Slack's clients count it: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def _rich_text(elements: list[dict[str, JSON]], *more: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}, *more]}


def _text(text: str, *, bold: bool = False) -> dict[str, JSON]:
    element: dict[str, JSON] = {"type": "text", "text": text or _EMPTY}
    if bold:
        element["style"] = {"bold": True}
    return element
