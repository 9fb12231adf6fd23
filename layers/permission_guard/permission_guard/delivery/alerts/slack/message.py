"""An alert as a Slack message for an incoming webhook.

Text from others is in `rich_text`, which Slack shows literally: it cannot contain mentions, links or formatting. The
header and the fields are mrkdwn: there `&`, `<` and `>` are escaped, values are inline code, and `verbatim` stops Slack
from turning names and addresses into links. The severity is a sign and a word, not only a colour. Limits:
https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.message import SectionStyle, compose
from permission_guard.delivery.text import ELLIPSIS, one_line
from permission_guard.model import limits
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.delivery.message import FindingMessage, Section
    from permission_guard.model.digests import Digest
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

DEFAULT_WEBHOOK_PREFIX = "https://hooks.slack.com/"
"""The default prefix of a webhook's URL; a deployment can set another one (GovSlack, a proxy, a test)."""

MAX_BLOCKS = limits.SLACK_BLOCKS
MAX_HEADER = limits.SLACK_HEADER_CHARACTERS
MAX_FIELDS = limits.SLACK_FIELDS

_MAX_SECTION = 2_500
# Slack rejects messages that are too long in total (`msg_blocks_too_long`); the limit is not documented.
_MAX_SECTIONS = 10_000
_MAX_FALLBACK = 300

_SIGNS = {Severity.CRITICAL: "‼", Severity.HIGH: "❗", Severity.MEDIUM: "⚠", Severity.LOW: "ℹ"}  # noqa: RUF001 - the sign is meant
_CLOSED_SIGNS = {Status.RESOLVED: "✔", Status.SUPPRESSED: "⏸"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_DIGEST_SIGN = "☰"
_TEST_SIGN = "⚙"
_IN_CONTEXT = ("Opened at", "Changed at", "CloudTrail", "Finding id", "Digest id", "Requested at")
_TOO_LONG = "Too long for Slack: see the finding in the findings table."


def payload(finding: Finding) -> dict[str, JSON]:
    """Return the body of the POST to the webhook: blocks, and one line for notifications and screen readers."""
    message = compose(finding)
    return _payload(message, blocks(finding, message))


def digest_payload(digest: Digest) -> dict[str, JSON]:
    """Return the body of the POST about a digest."""
    message = compose_digest(digest)
    return _payload(message, _blocks(message, _DIGEST_SIGN))


def test_payload(test: AlertTest) -> dict[str, JSON]:
    """Return the body of the POST of a test message."""
    message = compose_test(test)
    return _payload(message, _blocks(message, _TEST_SIGN))


def blocks(finding: Finding, message: FindingMessage) -> list[dict[str, JSON]]:
    """Return a message as Block Kit blocks."""
    return _blocks(message, _CLOSED_SIGNS.get(finding.status, _SIGNS[finding.severity]))


def _payload(message: FindingMessage, content: list[dict[str, JSON]]) -> dict[str, JSON]:
    return {
        "text": escape(message.headline, _MAX_FALLBACK),
        "blocks": content,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(message: FindingMessage, sign: str) -> list[dict[str, JSON]]:
    above: list[dict[str, JSON]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": escape(f"{sign} {message.headline}", MAX_HEADER), "emoji": False},
        },
        {"type": "context", "elements": [_mrkdwn(_inline_code(message.resource))]},
        _rich_text([_text(message.happened)]),
    ]
    in_fields = [fact for fact in message.facts if fact[0] not in _IN_CONTEXT][:MAX_FIELDS]
    in_context = [fact for fact in message.facts if fact not in in_fields]
    facts: dict[str, JSON] = {"type": "section", "fields": [_field(*fact) for fact in in_fields]}
    below = {"type": "context", "elements": [_mrkdwn(_context(in_context))]}
    sections = (*message.sections, *message.evidence)
    return [*above, *_sections(sections, MAX_BLOCKS - len(above) - 2), facts, below]


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


def _cut(text: str, limit: int) -> str:
    if _units(text) <= limit:
        return text
    return text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", errors="ignore") + ELLIPSIS


def _units(text: str) -> int:
    """Return the length in UTF-16 units, as Slack's clients count it: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def _field(label: str, value: str) -> dict[str, JSON]:
    return _mrkdwn(f"*{label}*\n{_inline_code(value)}")


def _context(facts: Iterable[tuple[str, str]]) -> str:
    return " · ".join(f"{label} {_inline_code(value)}" for label, value in facts)


def _inline_code(value: str) -> str:
    """Return a value as inline code, without backticks, which would end it."""
    shown = escape(value.replace("`", "'"), _MAX_FALLBACK)
    return f"`{shown}`"


def _mrkdwn(text: str) -> dict[str, JSON]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _sections(sections: Sequence[Section], most: int) -> Iterator[dict[str, JSON]]:
    """Yield one block for each section, up to the limits, then one that names the omitted sections.

    They are at most `most` blocks together.
    """
    left = _MAX_SECTIONS
    blocks_left = most if len(sections) <= most else most - 1
    omitted: list[str] = []
    for section in sections:
        block, size = _section(section)
        if size > left or not blocks_left:
            omitted.append(section.title)
            continue
        left -= size
        blocks_left -= 1
        yield block
    if omitted:
        yield _rich_text(
            [_text(f"Omitted because of Slack's size limit: {one_line(', '.join(omitted), _MAX_FALLBACK)}.")]
        )


def _section(section: Section) -> tuple[dict[str, JSON], int]:
    if section.style is SectionStyle.COMMAND and _units(section.text) > _MAX_SECTION:
        return _rich_text([_text(section.title, bold=True), _text(f"\n{_TOO_LONG}")]), len(_TOO_LONG)
    text = _cut(section.text, _MAX_SECTION)
    if section.style is SectionStyle.PROSE:
        return _rich_text([_text(section.title, bold=True), _text(f"\n{text}")]), _units(text)
    preformatted = {"type": "rich_text_preformatted", "elements": [_text(text)]}
    return _rich_text([_text(section.title, bold=True)], preformatted), _units(text)


def _rich_text(elements: list[dict[str, JSON]], *more: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}, *more]}


def _text(text: str, *, bold: bool = False) -> dict[str, JSON]:
    element: dict[str, JSON] = {"type": "text", "text": text}
    if bold:
        element["style"] = {"bold": True}
    return element
