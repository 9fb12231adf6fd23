"""Wildcards as IAM has them: `*` is any run of characters, also an empty one; `?` is exactly one. Nothing else is special.

Matching is linear in the length of the text: a pattern is cut at its stars and the pieces are looked for from left to
right, each at the first place where it fits. No regular expression, no `fnmatch` (whose brackets AWS does not know).
"""

from __future__ import annotations

from typing import Final

ANY_RUN: Final = 0
"""The token of a star. Every other token is text, or `ANY_ONE`."""
ANY_ONE: Final = 1

Token = str | int
"""A stretch of literal text, `ANY_RUN` or `ANY_ONE`."""


def tokenize(pattern: str) -> list[Token]:
    """Cut a pattern, whose `*` and `?` are wildcards, into tokens."""
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
    """Text of a fixed length in which some characters may be anything."""

    __slots__ = ("_masks", "_other", "_runs", "length")

    def __init__(self, tokens: list[Token]) -> None:
        self._runs: list[tuple[int, str]] = []
        offset = 0
        for token in tokens:
            if isinstance(token, str):
                self._runs.append((offset, token))
                offset += len(token)
            else:
                offset += 1
        self.length = offset
        self._masks: dict[str, int] | None = None
        self._other = 0

    def fits(self, text: str, at: int) -> bool:
        """Tell whether the piece stands in the text at this very place."""
        return len(text) - at >= self.length and all(text.startswith(run, at + offset) for offset, run in self._runs)

    def find(self, text: str, start: int, end: int) -> int:
        """Return the first place between start and end where the piece stands, or -1.

        Shift-and over a big integer: one step a character, however many `?` there are.
        """
        if not self._runs:
            return start if end - start >= self.length else -1
        if self._masks is None:
            self._prepare()
        masks, other = self._masks or {}, self._other
        goal = 1 << (self.length - 1)
        state = 0
        for position in range(start, end):
            state = ((state << 1) | 1) & masks.get(text[position], other)
            if state & goal:
                return position - self.length + 1
        return -1

    def _prepare(self) -> None:
        fixed = 0
        masks: dict[str, int] = {}
        for offset, run in self._runs:
            for index, character in enumerate(run, offset):
                bit = 1 << index
                fixed |= bit
                masks[character] = masks.get(character, 0) | bit
        self._other = ((1 << self.length) - 1) & ~fixed
        self._masks = {character: mask | self._other for character, mask in masks.items()}


class Glob:
    """A compiled pattern."""

    __slots__ = ("_exact", "_holed", "_length", "_middle", "_pieces", "_prefix", "_suffix", "matches_anything")

    def __init__(self, tokens: list[Token]) -> None:
        pieces: list[list[Token]] = [[]]
        for token in tokens:
            if token == ANY_RUN:
                if pieces[-1] or len(pieces) == 1:
                    pieces.append([])
            else:
                pieces[-1].append(token)
        self._exact: str | None = None
        self._holed = any(token == ANY_ONE for piece in pieces for token in piece)
        self._pieces: list[_Piece] = []
        self._prefix = self._suffix = ""
        self._middle: list[str] = []
        self._length = 0
        self.matches_anything = len(pieces) > 1 and not any(pieces)
        if self._holed:
            self._pieces = [_Piece(piece) for piece in pieces]
            self._length = sum(piece.length for piece in self._pieces)
            return
        texts = ["".join(str(token) for token in piece) for piece in pieces]
        if len(texts) == 1:
            self._exact = texts[0]
            return
        self._prefix, *self._middle, self._suffix = texts
        self._length = sum(map(len, texts))

    def matches(self, text: str) -> bool:
        """Tell whether the whole text matches."""
        if self._exact is not None:
            return text == self._exact
        if len(text) < self._length:
            return False
        if self._holed:
            return self._matches_holed(text)
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

    def _matches_holed(self, text: str) -> bool:
        first, *rest = self._pieces
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
    """Compile a pattern whose `*` and `?` are wildcards."""
    return Glob(tokenize(pattern) if "?" in pattern or "*" in pattern else [pattern] if pattern else [])


def intersects(left: str, right: str) -> bool:
    """Tell whether any text matches both patterns."""
    ours, theirs = _symbols(left), _symbols(right)
    reachable = [False] * (len(theirs) + 1)
    reachable[0] = True
    for column, symbol in enumerate(theirs):
        reachable[column + 1] = reachable[column] and symbol == ANY_RUN
    for mine in ours:
        previous, reachable = reachable, [False] * (len(theirs) + 1)
        reachable[0] = previous[0] and mine == ANY_RUN
        for column, symbol in enumerate(theirs):
            if mine == ANY_RUN or symbol == ANY_RUN:
                reachable[column + 1] = previous[column + 1] or reachable[column] or previous[column]
                if mine != ANY_RUN and symbol == ANY_RUN:
                    reachable[column + 1] = reachable[column] or previous[column + 1]
                elif mine == ANY_RUN and symbol != ANY_RUN:
                    reachable[column + 1] = previous[column + 1] or reachable[column]
            else:
                reachable[column + 1] = previous[column] and (ANY_ONE in (mine, symbol) or mine == symbol)
    return reachable[-1]


def _symbols(pattern: str) -> list[Token]:
    return [ANY_RUN if character == "*" else ANY_ONE if character == "?" else character for character in pattern]
