"""The values of a document as they are written, each with its line and column where the syntax has them."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

from permission_guard.errors import Problem
from permission_guard.records import record

MAX_BYTES: Final = 1_000_000
"""AppConfig takes 2 MB; what is more than half of it is not written by people."""
MAX_DEPTH: Final = 20
MAX_NODES: Final = 200_000
MAX_PROBLEMS: Final = 500
"""So many mistakes are listed."""

TOO_LARGE: Final = f"the document is larger than {MAX_BYTES // 1_000_000} MB. Remove what is not needed."
TOO_DEEP: Final = f"the document is nested deeper than {MAX_DEPTH} levels. No key needs that."
TOO_MANY_NODES: Final = f"the document has more than {MAX_NODES:,} values. Remove what is not needed."

_BLANK_CATEGORIES: Final = ("Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me")
"""Spaces, what controls or formats the text, and marks, which show only on a character before them."""
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
"""Fillers of Hangul, the Braille pattern without dots and the null notehead, which Unicode counts as visible."""

_SHOWN_CHARACTERS: Final = 60
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")


@record
class Scalar:
    """A text, number, boolean or null. `text` is how it is written: 0123 is a text to YAML, and 1.0 a number."""

    value: str | int | float | bool | None
    text: str
    line: int | None = None
    column: int | None = None


@record
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    line: int | None = None
    column: int | None = None


@record
class MapNode:
    """A mapping: its entries in their order, keys that are given twice among them."""

    entries: tuple[tuple[Node, Node], ...]
    line: int | None = None
    column: int | None = None


Node = Scalar | ListNode | MapNode


class TooManyProblemsError(Exception):
    """So many problems were found that the rest is not listed."""


class Problems:
    """Collects the problems of a document, at most `MAX_PROBLEMS`."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, node: Node, path: str, message: str) -> None:
        """Add a problem of a value. TooManyProblemsError if there are too many."""
        self.found.append(Problem(path, message, node.line, node.column))
        if len(self.found) >= MAX_PROBLEMS:
            message = f"only the first {MAX_PROBLEMS} mistakes are listed. Correct them and validate again."
            self.found.append(Problem("", message))
            raise TooManyProblemsError


def without_blanks_around(text: str) -> str:
    """Return a text from its first visible character to its last one, with the marks on it."""
    visible = [index for index, char in enumerate(text) if not is_blank(char)]
    if not visible:
        return ""
    end = visible[-1] + 1
    while end < len(text) and unicodedata.category(text[end]) in {"Mn", "Me"}:
        end += 1
    return text[visible[0] : end]


def is_blank(text: str) -> bool:
    """Return whether nothing of a text is visible."""
    return all(char in _BLANK_LETTERS or unicodedata.category(char) in _BLANK_CATEGORIES for char in text)


def quoted(text: str) -> str:
    """Return a text in quotes for a message: shortened, with invisible and non-ASCII characters as escapes."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
    return json.dumps(shown)


def written(text: str) -> str:
    """Return a text as a document can have it: in quotes unless it is short and plain."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def described(node: Node) -> str:
    """Return what a value is, for messages."""
    match node:
        case ListNode():
            return "a list"
        case MapNode():
            return "a mapping"
        case Scalar(value=None):
            return "an empty value"
        case Scalar(value=str()):
            return f"the text {quoted(node.text)}"
        case Scalar(value=bool()):
            return str(node.value).lower()
    return f"the number {node.text:.40}"


def child(path: str, key: str) -> str:
    """Return the path of a key: `rules.PG107`, or `tags["a b"]` for a key that could be confused with the path."""
    if not _PLAIN.fullmatch(key):
        return f"{path}[{quoted(key)}]"
    return f"{path}.{key}" if path else key
