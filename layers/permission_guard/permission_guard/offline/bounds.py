"""Bounds of the files that `check` reads: a file over one is unread, whatever it contains."""

from __future__ import annotations

import inspect
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


_LOCKING: Final = ("coverage", "importlib", "logging", "threading")
"""Packages that hold locks: an exception raised within one of them could leave its lock acquired for ever."""
_AGAIN: Final = 0.01
"""The seconds after which it is tried again to end a block that could not be interrupted where it was."""


class OutOfTime(BaseException):
    """The processor time for a file is over."""


@contextmanager
def time_bound(seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise OutOfTime once the block has used this much processor time: on a busy machine a file takes longer.

    Only the main thread of a POSIX system can be interrupted; elsewhere the block has no bound.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_over, block = False, _caller_of_the_context()

    def stop(_signal: int, frame: FrameType | None) -> None:
        nonlocal is_over
        if not is_over and not _holds_a_lock(frame, block):
            is_over = True
            raise OutOfTime

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN)
    try:
        yield
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def outside_time_bound() -> Iterator[None]:
    """Do not count the block: it is work that is done once, for the first file that needs it."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    timer = signal.setitimer(signal.ITIMER_PROF, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, *timer)


def _caller_of_the_context() -> FrameType | None:
    """Return the frame of the `with` statement: the context manager and contextlib are between it and this one."""
    frame = inspect.currentframe()
    for _ in range(3):
        frame = frame.f_back if frame is not None else None
    return frame


def _holds_a_lock(frame: FrameType | None, block: FrameType | None) -> bool:
    """Return whether what a signal has interrupted, up to the frame of the block, may hold a lock."""
    while frame is not None and frame is not block:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _LOCKING:
            return True
        frame = frame.f_back
    return False


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
