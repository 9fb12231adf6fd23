"""The parts of a ticket's text, the same for every system, within a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    Part = TypeVar("Part")


def within(parts: Iterable[Part], limit: int, size: Callable[[Part], int]) -> tuple[list[Part], bool]:
    """Return the parts that fit into a limit together, in their order, and whether that is all of them.

    A part is whole or omitted: half a command does something else.
    """
    kept, is_all = [], True
    for part in parts:
        if size(part) <= limit:
            limit -= size(part)
            kept.append(part)
        else:
            is_all = False
    return kept, is_all
