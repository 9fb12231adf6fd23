"""Do the same for many items: in a process for each processor, where there are enough items to be worth it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FEWEST: Final = 100
"""The items that take as long as a process takes to start."""
_TOGETHER: Final = 16
"""How many items are sent to a process at once."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the result of each item, in their order. The function, the items and the results must be picklable.

    What is left when a process ends unexpectedly, or cannot be started, is done in this process.
    """
    processes, done = min(_processors(), len(items) // _FEWEST), 0
    if processes > 1:
        try:
            with ProcessPoolExecutor(processes, get_context("spawn"), _leave_interrupts_to_the_parent) as pool:
                for result in pool.map(function, items, chunksize=_TOGETHER):
                    yield result
                    done += 1
        except (BrokenProcessPool, OSError):
            pass
    for item in items[done:]:
        yield function(item)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
