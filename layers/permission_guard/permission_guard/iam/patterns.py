"""Comparison of patterns: whether two can match the same text, and which accounts' ARNs a pattern can match.

Patterns are compared as automata whose states are the bits of an integer. The time is linear in the length of one
pattern, and in practice nearly constant in that of the other: each step compares with all their symbols at once.
"""

from __future__ import annotations

from functools import lru_cache

from permission_guard.iam.glob import bits_at
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final


_RUN: Final = 0
_ANY: Final = 1
FIELD_RUN: Final = 2
_DIGITS: Final = frozenset("0123456789")
_ACCOUNT_DIGITS: Final = 12
_WHOLE_ACCOUNT: Final = 1 << _ACCOUNT_DIGITS
_COUNTS: Final = 2 * _WHOLE_ACCOUNT - 1

Symbol = str | int | frozenset[str]
"""One character, a set of characters, any character, any number of characters, or any number without a colon."""

ANYTHING: Final[tuple[Symbol, ...]] = (_RUN,)
WITHOUT_COLON: Final[tuple[Symbol, ...]] = (FIELD_RUN,)


class PatternGroups:
    """Groups of patterns, compared with other patterns. A result is a set of groups, as the bits of an integer.

    A state is a position in a pattern. Each group has one more bit, which stands for the group in a result.
    """

    __slots__ = (
        "_any",
        "_by_character",
        "_colons",
        "_field_loops",
        "_final",
        "_loops",
        "_next",
        "_start",
        "every",
        "groups",
    )

    def __init__(self, groups: Iterable[Iterable[Sequence[Symbol]]]) -> None:
        starts, finals, tops, loops, field_loops = [], [], [], [], []
        literal: dict[Symbol, list[int]] = {}
        state = 0
        for group in groups:
            for pattern in group:
                starts.append(state)
                for symbol in pattern:
                    if symbol == _RUN:
                        loops.append(state)
                    elif symbol == FIELD_RUN:
                        field_loops.append(state)
                    else:
                        literal.setdefault(symbol, []).append(state)
                        state += 1
                finals.append(state)
                state += 1
            tops.append(state)
            state += 1
        self.groups = tuple(1 << top for top in tops)
        self._start, self._final = bits_at(starts, state), bits_at(finals, state)
        self._loops, self._field_loops = bits_at(loops, state), bits_at(field_loops, state)
        self._any = bits_at(literal.pop(_ANY, ()), state)
        self._by_character: dict[str, int] = {}
        for symbol, states in literal.items():
            mask = bits_at(states, state)
            for character in symbol if isinstance(symbol, frozenset) else (str(symbol),):
                self._by_character[character] = self._by_character.get(character, 0) | mask
        self._colons = bits_at(literal.get(":", ()), state)
        self.every = bits_at(tops, state)
        self._next = ((1 << state) - 1) & ~self._final & ~self.every

    def within(self, pattern: str) -> int:
        """Return the groups with a pattern that matches everything that another pattern matches.

        A `*` of the other pattern is matched only by a `*`, and its `?` by a `*` or a `?`.
        """
        states = self._start
        for character in pattern:
            stay = states & self._loops
            if character == "*":
                states = stay
            elif character == "?":
                states = (states & self._any) << 1 | stay
            else:
                states = (states & (self._by_character.get(character, 0) | self._any)) << 1 | stay
            if not states:
                return 0
        return self._groups_of(states)

    def overlapping(self, symbols: Iterable[Symbol]) -> int:
        """Return the groups with a pattern that can match the same text as the symbols."""
        states = self._start
        for states in self.walk(symbols):  # noqa: B007 - the last states are used
            pass
        return self._groups_of(states)

    def walk(self, symbols: Iterable[Symbol]) -> Iterator[int]:
        """Yield the possible states at the start and after each symbol."""
        states = self._start
        yield states
        loops = self._loops | self._field_loops
        passable = self._next & ~self._colons
        for symbol in symbols:
            if symbol == _RUN:
                states = _filled(states, self._next)
            elif symbol == FIELD_RUN:
                states = _filled(states, passable)
            elif symbol == _ANY:
                states = (states & self._next) << 1 | states & loops
            elif isinstance(symbol, frozenset):
                following = self._any
                for character in symbol:
                    following |= self._by_character.get(character, 0)
                states = (states & following) << 1 | states & loops
            else:
                following = self._by_character.get(str(symbol), 0) | self._any
                states = (states & following) << 1 | states & (self._loops if symbol == ":" else loops)
            yield states

    def is_final(self, states: int) -> bool:
        """Return whether a pattern can end in one of the states."""
        return states & self._final != 0

    def _groups_of(self, states: int) -> int:
        """Return the groups with a pattern that ends in one of the states."""
        # The addition carries into the bit of each group in which a state is final.
        return (states & self._final) + (self._next | self._final) & self.every


def _filled(states: int, passable: int) -> int:
    """Return the states with all that follow through passable states: the addition carries to the end of each run."""
    return ((states & passable) + passable ^ passable) | states


def overlaps(pattern: str, other: Sequence[Symbol]) -> bool:
    """Return whether a text exists that matches both a pattern with `*` and `?` and the symbols of another pattern."""
    return _compiled(tuple(other)).overlapping(symbols_of(pattern)) != 0


@lru_cache(maxsize=256)
def _compiled(pattern: tuple[Symbol, ...]) -> PatternGroups:
    return PatternGroups([[pattern]])


def symbols_of(pattern: str) -> list[Symbol]:
    """Return the symbols of a pattern with `*` and `?`."""
    return [_RUN if character == "*" else _ANY if character == "?" else character for character in pattern]


def admits_account(pattern: str) -> bool:
    """Return whether a pattern with wildcards can match an account ID."""
    return _ACCOUNT.overlapping(symbols_of(pattern)) != 0


@record
class Accounts:
    """The accounts of the ARNs that a pattern, compared as text, can match.

    `any`: accounts that the pattern does not name. `named`: the accounts that it names. `without`: an ARN that contains
    no account.
    """

    any: bool
    named: frozenset[str]
    without: bool


_ACCOUNT: Final = PatternGroups([[[_DIGITS] * _ACCOUNT_DIGITS]])
_NAME: Final[tuple[Symbol, ...]] = (frozenset("abcdefghijklmnopqrstuvwxyz"), FIELD_RUN)
"""The name of a partition, a service or a region: it begins with a letter."""
_BEFORE_REGION: Final[tuple[Symbol, ...]] = (*"arn:", *_NAME, ":", *_NAME, ":")
_BEFORE_ACCOUNT: Final = PatternGroups([[(*_BEFORE_REGION, *_NAME, ":"), (*_BEFORE_REGION, ":")]])


@lru_cache(maxsize=64)
def _after_account(resource: tuple[Symbol, ...]) -> PatternGroups:
    """Return what follows the account of an ARN, from the end."""
    return PatternGroups([[[*reversed(resource), ":"]]])


@lru_cache(maxsize=256)
def accounts_of(pattern: str, resource: tuple[Symbol, ...] = ANYTHING) -> Accounts:
    """Return the accounts of the ARNs, with a resource part of these symbols, that a pattern can match.

    At each position of the pattern, `named` and `wild` have the bit n if n digits of an account can precede it: only
    digits of the pattern, or also what its wildcards match.
    """
    symbols = symbols_of(pattern)
    starts = [_BEFORE_ACCOUNT.is_final(states) for states in _BEFORE_ACCOUNT.walk(symbols)]
    if True not in starts:
        return Accounts(any=False, named=frozenset(), without=False)
    after = _after_account(resource)
    ends = [after.is_final(states) for states in after.walk(reversed(symbols))][::-1]
    found: set[str] = set()
    is_any = without = False
    named = wild = 0
    digits = ""
    for position, symbol in enumerate([*symbols, ""]):
        if symbol == _RUN:
            named |= starts[position] | starts[position + 1]
            lowest = (named | wild) & -(named | wild)
            wild |= _COUNTS & -(2 * lowest) if lowest else 0
        else:
            named |= starts[position]
        if ends[position]:
            is_any = is_any or wild & _WHOLE_ACCOUNT != 0
            without = without or named & 1 != 0
            if named & _WHOLE_ACCOUNT:
                found.add(digits[-_ACCOUNT_DIGITS:])
        if symbol == _ANY:
            named, wild = 0, (named | wild) << 1 & _COUNTS
        elif symbol in _DIGITS:
            named, wild, digits = named << 1 & _COUNTS, wild << 1 & _COUNTS, digits[1 - _ACCOUNT_DIGITS :] + str(symbol)
        elif symbol != _RUN:
            named = wild = 0
    return Accounts(is_any, frozenset(found), without)
