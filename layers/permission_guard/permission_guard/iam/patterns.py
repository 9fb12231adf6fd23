"""Comparison of patterns: whether two can match the same text, and whether one can match another account's ARN."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


_RUN: Final = 0
_ANY: Final = 1
_FIELD_RUN: Final = 2
_DIGITS: Final = frozenset("0123456789")
_ACCOUNT_DIGITS: Final = 12

Symbol = str | int | frozenset[str]
"""One character, a set of characters, any character, any number of characters, or any number without a colon."""


def overlaps(pattern: str, other: list[Symbol]) -> bool:
    """Return whether a text exists that matches both a pattern with `*` and `?` and the symbols of another pattern."""
    first = symbols_of(pattern)
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        left, right = waiting.pop()
        if left == len(first) and right == len(other):
            return True
        steps = []
        one = first[left] if left < len(first) else None
        two = other[right] if right < len(other) else None
        if one == _RUN:
            steps.append((left + 1, right))
        if two in (_RUN, _FIELD_RUN):
            steps.append((left, right + 1))
        if one is not None and two is not None and _have_common_character(one, two):
            steps.append((left + (one != _RUN), right + (two not in (_RUN, _FIELD_RUN))))
        for step in steps:
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


def symbols_of(pattern: str) -> list[Symbol]:
    """Return the symbols of a pattern with `*` and `?`."""
    return [_RUN if character == "*" else _ANY if character == "?" else character for character in pattern]


def _have_common_character(one: Symbol, two: Symbol) -> bool:
    """Return whether a character exists that matches both symbols."""
    if isinstance(one, str):
        if isinstance(two, str):
            return one == two
        if isinstance(two, frozenset):
            return one in two
        return one != ":" or two != _FIELD_RUN
    return True


def arn_of(account: list[Symbol]) -> list[Symbol]:
    """Return the symbols that match every ARN with an account."""
    return [*"arn:", _FIELD_RUN, ":", _FIELD_RUN, ":", _FIELD_RUN, ":", *account, ":", _RUN]


def admits_other_accounts(pattern: str, named: list[str]) -> bool:
    """Return whether a pattern, compared as text, can match an ARN of an account other than those it names."""
    if not named:
        return overlaps(pattern, arn_of([_DIGITS] * _ACCOUNT_DIGITS))
    return any(
        overlaps(pattern, arn_of([*account[:position], _DIGITS - {digit}, *[_DIGITS] * (11 - position)]))
        for account in named
        for position, digit in enumerate(account)
    )


def admits_arn_of(pattern: str, account: str) -> bool:
    """Return whether a pattern, compared as text, can match an ARN with this account, which can be empty."""
    return overlaps(pattern, arn_of(list(account)))


def admits_account(pattern: str) -> bool:
    """Return whether a pattern with wildcards can match an account ID."""
    return overlaps(pattern, [_DIGITS] * _ACCOUNT_DIGITS)
