"""Three-valued logic: FALSE < UNKNOWN < TRUE, so that AND is `min`, OR is `max`, and NOT is `2 - x`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

FALSE: Final = 0
UNKNOWN: Final = 1
TRUE: Final = 2


def negate(value: int) -> int:
    """Return NOT value."""
    return TRUE - value


def any_of(values: Iterable[int]) -> int:
    """Return the OR of the values; FALSE if there are none."""
    best = FALSE
    for value in values:
        if value > best:
            if value == TRUE:
                return TRUE
            best = value
    return best
