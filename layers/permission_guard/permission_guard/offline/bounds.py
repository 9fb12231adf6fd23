"""Bounds of the files that `check` reads: a file over one is unread, whatever it contains."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import UnreadFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

MAX_BYTES: Final = 5_000_000
MAX_NODES: Final = 200_000
MAX_DEPTH: Final = 100
MAX_SECONDS: Final = 10.0

TOO_LARGE: Final = f"larger than {MAX_BYTES // 1_000_000} MB"
TOO_MANY_NODES: Final = f"more than {MAX_NODES:,} values"
TOO_DEEP: Final = f"nested too deeply: more than {MAX_DEPTH} levels"


class OutOfTime(BaseException):
    """The time for a file is over."""


@contextmanager
def time_bound(seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise OutOfTime once the block has taken this long.

    Only the main thread of a POSIX system can be interrupted; elsewhere the block has no bound.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def outside_time_bound() -> Iterator[None]:
    """Do not count the block: it is work that is done once, for the first file that needs it."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining)


def require_within_bounds(document: Any) -> None:
    """Count the values and the depth of parsed JSON. UnreadFileError if there are too many."""
    count, depth = 0, 0
    level = [document]
    while level:
        count += len(level)
        depth += 1
        if count > MAX_NODES:
            raise UnreadFileError(TOO_MANY_NODES)
        if depth > MAX_DEPTH:
            raise UnreadFileError(TOO_DEEP)
        level = [
            child
            for value in level
            if isinstance(value, (dict, list))
            for child in (value.values() if isinstance(value, dict) else value)
        ]
