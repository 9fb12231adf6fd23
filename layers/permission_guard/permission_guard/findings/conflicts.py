"""Try again when somebody else wrote the same item first."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from permission_guard.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def retry_on_conflict(call: Callable[[], T], *, tries: int = 5) -> T:
    """Return what `call`, which reads before it writes, returns in the end; the last ConflictError is raised."""
    for _ in range(tries - 1):
        with suppress(ConflictError):
            return call()
    return call()
