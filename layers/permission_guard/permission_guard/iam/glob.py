"""The wildcards of IAM: `*` matches any number of characters, `?` matches exactly one. There are no others.

Matching takes time linear in the length of the text: the pattern is split at each `*`, and its pieces are found from
left to right, each at its first match. Regular expressions are not used, and neither is `fnmatch`: it supports
brackets, which IAM does not.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final


ANY_RUN: Final = 0
"""The token of a `*`. Every other token is literal text or `ANY_ONE`."""
ANY_ONE: Final = 1

_FIRST_PLANE: Final = "\uffff"

Token = str | int
"""Literal text, `ANY_RUN` or `ANY_ONE`."""


def tokenize(pattern: str) -> list[Token]:
    """Split a pattern, in which `*` and `?` are wildcards, into tokens."""
    tokens: list[Token] = []
    start = 0
    for position, character in enumerate(pattern):
        if character in "*?":
            if start < position:
                tokens.append(pattern[start:position])
            tokens.append(ANY_RUN if character == "*" else ANY_ONE)
            start = position + 1
    if start < len(pattern):
        tokens.append(pattern[start:])
    return tokens


class _Piece:
    """A part of a pattern without `*`: it has a fixed length, and each `?` in it matches any character."""

    __slots__ = ("_runs", "length")

    def __init__(self, tokens: list[Token]) -> None:
        self._runs: list[tuple[int, str]] = []
        offset = 0
        for token in tokens:
            if isinstance(token, str):
                run = token if token.isascii() else _units(token)
                self._runs.append((offset, run))
                offset += len(run)
            else:
                offset += 1
        self.length = offset

    def fits(self, text: str, at: int) -> bool:
        """Return whether the piece matches the text at this position."""
        if len(text) - at < self.length:
            return False
        for offset, run in self._runs:  # noqa: SIM110 - a generator takes twice the time
            if not text.startswith(run, at + offset):
                return False
        return True

    def find(self, text: str, start: int, end: int) -> int:
        """Return the first position between start and end at which the piece matches, or -1.

        It compares each character of the piece with all positions of the text at once: the bits of an integer.
        """
        last = end - self.length
        if last < start:
            return -1
        possible = (1 << last + 1) - (1 << start)
        positions = _positions(text)
        for offset, run in self._runs:
            for index, character in enumerate(run, offset):
                possible &= positions.get(character, 0) >> index
                if not possible:
                    return -1
        return (possible & -possible).bit_length() - 1


@lru_cache(maxsize=64)
def _positions(text: str) -> dict[str, int]:
    """Return the positions of each character of a text, as the bits of an integer."""
    positions: dict[str, list[int]] = {}
    for index, character in enumerate(text):
        positions.setdefault(character, []).append(index)
    return {character: bits_at(found, len(text)) for character, found in positions.items()}


def bits_at(positions: Iterable[int], length: int) -> int:
    """Return the integer in which the bits at some positions below a length are set."""
    data = bytearray(length // 8 + 1)
    for position in positions:
        data[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(data, "little")


def bits_of(number: int) -> Iterator[int]:
    """Yield the bits of an integer, as integers."""
    while number:
        lowest = number & -number
        yield lowest
        number ^= lowest


class Glob:
    """A compiled pattern. Create it with `compile_glob` or, from tokens, with `glob_of`."""

    __slots__ = ("_exact", "_length", "_middle", "_pieces", "_prefix", "_suffix")

    def __init__(self, texts: list[str], pieces: list[_Piece] | None = None) -> None:
        """Take the parts of a pattern between its `*`: texts, or pieces if the pattern contains `?`."""
        self._pieces = pieces
        self._exact: str | None = None
        self._prefix = self._suffix = ""
        self._middle: list[str] = []
        if pieces is not None:
            self._length = sum(piece.length for piece in pieces)
        elif len(texts) == 1:
            self._exact = texts[0]
            self._length = 0
        else:
            self._prefix, *self._middle, self._suffix = texts
            self._length = sum(map(len, texts))

    def matches(self, text: str) -> bool:
        """Return whether the whole text matches."""
        if self._exact is not None:
            return text == self._exact
        if self._pieces is not None:
            return self._matches_pieces(self._pieces, text if text.isascii() else _units(text))
        if len(text) < self._length:
            return False
        if not (text.startswith(self._prefix) and text.endswith(self._suffix)):
            return False
        position = len(self._prefix)
        end = len(text) - len(self._suffix)
        for piece in self._middle:
            position = text.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    def _matches_pieces(self, pieces: list[_Piece], text: str) -> bool:
        if len(text) < self._length:
            return False
        first, *rest = pieces
        if not first.fits(text, 0):
            return False
        if not rest:
            return len(text) == first.length
        *middle, last = rest
        end = len(text) - last.length
        if not last.fits(text, end):
            return False
        position = first.length
        for piece in middle:
            position = piece.find(text, position, end)
            if position < 0:
                return False
            position += piece.length
        return True


def compile_glob(pattern: str) -> Glob:
    """Compile a pattern in which `*` and `?` are wildcards."""
    return glob_of(tokenize(pattern)) if "?" in pattern else Glob(pattern.split("*"))


def glob_of(tokens: list[Token]) -> Glob:
    """Compile a pattern from its tokens."""
    pieces: list[list[Token]] = [[]]
    for token in tokens:
        if token == ANY_RUN:
            pieces.append([])
        else:
            pieces[-1].append(token)
    if ANY_ONE in tokens:
        return Glob([], [_Piece(piece) for piece in pieces])
    return Glob(["".join(map(str, piece)) for piece in pieces])


def _units(text: str) -> str:
    """Return the text in UTF-16 code units: a `?` matches one. A character beyond the first plane consists of two."""
    if not text or max(text) <= _FIRST_PLANE:
        return text
    return "".join(
        character
        if character <= _FIRST_PLANE
        else chr(0xD800 + (ord(character) - 0x10000 >> 10)) + chr(0xDC00 + (ord(character) - 0x10000 & 0x3FF))
        for character in text
    )
