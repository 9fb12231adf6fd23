"""Quoted strings as Terraform (HCL) and YAML both read them: in double quotes, with only printable ASCII characters."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.targets import JSON

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


@lru_cache(maxsize=1024)
def quoted(text: str) -> str:
    """Return a string literal. JSON differs: neither language reads two escapes as one character."""
    return '"' + "".join(map(_escaped, text)) + '"'


def escaped(text: str) -> str:
    """Return a text on one line, with invisible characters as escapes: for comments."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def document(value: JSON, string: Callable[[str], str], indent: int | None = None) -> str:
    """Return a value as JSON, with its strings and keys as another language writes them."""
    return _STRING.sub(lambda match: string(json.loads(match[0])), json.dumps(value, indent=indent))


def _escaped(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return f"\\{char}"
    if " " <= char <= "~":
        return char
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the last code point of four digits
