"""The threads of the functions that read many things at once."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor


def thread_pool(workers: int) -> Executor:
    """Return threads that make calls at the same time, at most `workers`."""
    return ThreadPoolExecutor(workers)
