"""Retry when another writer changed the same item first."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from permission_guard.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def retry_on_conflict(call: Callable[[], T], *, tries: int = 5) -> T:
    """Return the result of `call`, which reads before it writes; ConflictError when all tries conflict."""
    for _ in range(tries - 1):
        with suppress(ConflictError):
            return call()
    return call()
