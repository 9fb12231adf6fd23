"""Make text from AWS fit to be shown: whoever called AWS chose the names in it, and may have chosen them to deceive.

`str.isprintable` knows every control, format, private and unpaired character, and every space but the plain one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

ELLIPSIS = "…"


def one_line(text: str, limit: int) -> str:
    """Return prose on one line of at most `limit` characters, without anything that is not seen."""
    visible = (char if char.isprintable() else " " if char.isspace() else "" for char in text)
    return cut(" ".join("".join(visible).split()), limit)


def listing(text: str) -> str:
    r"""Return text to be copied, lines kept, with what is not seen as `\u` escapes.

    Escaped and not dropped: what is pasted is what was read, and a command that turns its direction fails.
    """
    lines = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in lines)


def as_json(value: JSON) -> str:
    """Return a JSON value on indented lines; what is not ASCII is escaped, so that nothing in it goes unseen."""
    return json.dumps(value, indent=2, sort_keys=False, default=str)


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters; an ellipsis says that there were more."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut_bytes(text: str, limit: int) -> str:
    """Return at most `limit` bytes of UTF-8, never half a character; an ellipsis says that there were more."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len(ELLIPSIS.encode())].decode(errors="ignore").rstrip() + ELLIPSIS


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the last code point of four digits
