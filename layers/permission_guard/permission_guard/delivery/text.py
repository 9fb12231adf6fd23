"""Make text from AWS safe to show: callers of AWS choose the names in it, and can choose them to deceive.

`str.isprintable` is false for every control, format, private-use and unpaired character, and for every space but the
plain one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

ELLIPSIS = "…"
_LONGEST_TIME = 40
_SENTENCE_END = re.compile(r"\.(?= +[A-Z])")


def one_line(text: str, limit: int) -> str:
    """Return prose on one line of at most `limit` characters, without invisible characters."""
    visible = text.translate({ord(char): " " if char.isspace() else None for char in _invisible(text)})
    return cut(" ".join(visible.split()), limit)


def listing(text: str) -> str:
    r"""Return text to paste: it keeps its lines, and shows invisible characters as `\u` escapes.

    They are escaped, not dropped, so that the pasted text is the text that was read: a command with a hidden character,
    such as one that changes the text direction, fails.
    """
    lines = text.replace("\r\n", "\n")
    return lines.translate({ord(char): _escape(char) for char in _invisible(lines) if char not in "\n\t"})


def utc(time: datetime) -> str:
    """Return a time in UTC to the second, such as `2026-11-20T10:15:30Z`."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parsed_time(text: str) -> datetime | None:
    """Return an ISO-8601 time, which is one of UTC if it has no zone; None if the text is no time.

    The first and the last day that Python knows have times in some zones that are none in UTC.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def shown_time(text: str) -> str:
    """Return an ISO-8601 time as `utc` does, and any other text on one line."""
    time = parsed_time(text)
    return one_line(text, _LONGEST_TIME) if time is None else utc(time)


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters; an ellipsis marks the cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut_bytes(text: str, limit: int) -> str:
    """Return at most `limit` bytes of UTF-8, cut between characters; an ellipsis marks the cut."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len(ELLIPSIS.encode())].decode(errors="ignore").rstrip() + ELLIPSIS


def first_sentence(text: str) -> str:
    """Return the first sentence of prose: it ends before a space and a capital letter."""
    match = _SENTENCE_END.search(text)
    return text[: match.start() + 1] if match else text


def _invisible(text: str) -> set[str]:
    """Return the different characters of a text that are not shown. Texts are long, and have few of them."""
    return {char for char in set(text) if not char.isprintable()}


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the last code point of four digits
