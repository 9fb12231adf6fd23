"""Questions about patterns: whether a text can match two of them, and whether it can be somebody else's ARN."""

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
"""A character, a set of them, any character, a run of any, or a run without a colon."""


def overlaps(pattern: str, other: list[Symbol]) -> bool:
    """Tell whether some text matches a pattern with `*` and `?`, and the other one too."""
    ours = symbols_of(pattern)
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        left, right = waiting.pop()
        if left == len(ours) and right == len(other):
            return True
        steps = []
        mine = ours[left] if left < len(ours) else None
        yours = other[right] if right < len(other) else None
        if mine == _RUN:
            steps.append((left + 1, right))
        if yours in (_RUN, _FIELD_RUN):
            steps.append((left, right + 1))
        if mine is not None and yours is not None and _meet(mine, yours):
            steps.append((left + (mine != _RUN), right + (yours not in (_RUN, _FIELD_RUN))))
        for step in steps:
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


def symbols_of(pattern: str) -> list[Symbol]:
    """Return the symbols of a pattern with `*` and `?`."""
    return [_RUN if character == "*" else _ANY if character == "?" else character for character in pattern]


def _meet(mine: Symbol, yours: Symbol) -> bool:
    """Tell whether one character fits both symbols."""
    if isinstance(mine, str):
        if isinstance(yours, str):
            return mine == yours
        if isinstance(yours, frozenset):
            return mine in yours
        return mine != ":" or yours != _FIELD_RUN
    return True


def arn_of(account: list[Symbol]) -> list[Symbol]:
    """Return the symbols of any ARN with an account field."""
    return [*"arn:", _FIELD_RUN, ":", _FIELD_RUN, ":", _FIELD_RUN, ":", *account, ":", _RUN]


def admits_other_accounts(pattern: str, named: list[str]) -> bool:
    """Tell whether a pattern, compared as text, admits an ARN of an account that is not one of those named in it."""
    if not named:
        return overlaps(pattern, arn_of([_DIGITS] * _ACCOUNT_DIGITS))
    return any(
        overlaps(pattern, arn_of([*account[:position], _DIGITS - {digit}, *[_DIGITS] * (11 - position)]))
        for account in named
        for position, digit in enumerate(account)
    )


def admits_arn_of(pattern: str, account: str) -> bool:
    """Tell whether a pattern, compared as text, admits an ARN of this account; an empty text is no account."""
    return overlaps(pattern, arn_of(list(account)))


def admits_account(pattern: str) -> bool:
    """Tell whether a pattern with wildcards admits an account id."""
    return overlaps(pattern, [_DIGITS] * _ACCOUNT_DIGITS)
