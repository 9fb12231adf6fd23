"""Make text from AWS safe to show: callers of AWS choose the names in it, and can choose them to deceive.

`str.isprintable` is false for every control, format, private-use and unpaired character, and for every space but the
plain one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

ELLIPSIS = "…"


def one_line(text: str, limit: int) -> str:
    """Return prose on one line of at most `limit` characters, without invisible characters."""
    if not text.isprintable():  # most is
        text = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)
    return cut(" ".join(text.split()), limit)


def listing(text: str) -> str:
    r"""Return text to paste: it keeps its lines, and shows invisible characters as `\u` escapes.

    They are escaped, not dropped, so that the pasted text is the text that was read: a command with a hidden character,
    such as one that changes the text direction, fails.
    """
    lines = text.replace("\r\n", "\n")
    if lines.replace("\n", "").replace("\t", "").isprintable():
        return lines
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in lines)


def as_json(value: JSON) -> str:
    """Return a JSON value on indented lines, with non-ASCII characters escaped so that all of them are visible."""
    return json.dumps(value, indent=2, sort_keys=False, default=str)


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters; an ellipsis marks the cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut_bytes(text: str, limit: int) -> str:
    """Return at most `limit` bytes of UTF-8, cut between characters; an ellipsis marks the cut."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len(ELLIPSIS.encode())].decode(errors="ignore").rstrip() + ELLIPSIS


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the last code point of four digits
