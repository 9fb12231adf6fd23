"""The time of a file is bounded, and no lock is left behind by the interruption."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from permission_guard.offline.bounds import OutOfTime, outside_time_bound, time_bound

SOON = 0.02
LATER = 0.1

LOCKED = """
def locked(lock, seconds, clock):
    lock.append("acquired")
    until = clock() + seconds
    while clock() < until:
        pass
    lock.append("released")
"""


def wait(seconds: float) -> None:
    """Be busy."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_block_ends_after_its_time() -> None:
    """The handler and the timer are those of before."""
    before = signal.getsignal(signal.SIGPROF)
    with pytest.raises(OutOfTime), time_bound(SOON):
        wait(5)
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.mark.parametrize("module", ["coverage.collector", "logging", "threading", "importlib._bootstrap"])
def test_what_holds_a_lock_is_not_interrupted(module: str) -> None:
    """The exception is raised after the lock is released: otherwise whoever needs it next would wait for ever."""
    namespace: dict[str, Any] = {"__name__": module}
    exec(LOCKED, namespace)  # noqa: S102 - as if it were in that module
    lock: list[str] = []
    started = time.process_time()

    def block() -> None:
        namespace["locked"](lock, LATER, time.process_time)
        wait(5)

    with pytest.raises(OutOfTime):
        time_bound(SOON)(block)()
    assert lock == ["acquired", "released"]
    assert time.process_time() - started < 4


def test_a_caller_that_holds_a_lock_is_no_reason_to_wait() -> None:
    """Only what the block calls counts: a test under coverage has its functions among the callers."""
    namespace: dict[str, Any] = {"__name__": "coverage.execfile"}
    exec("def run(function): function()", namespace)  # noqa: S102 - as if it were in that module

    def bounded() -> None:
        with pytest.raises(OutOfTime), time_bound(SOON):
            wait(5)

    started = time.process_time()
    namespace["run"](bounded)
    assert time.process_time() - started < 4


def test_a_block_outside_of_the_bound_takes_its_time() -> None:
    """Afterwards the bound counts on."""

    def block() -> None:
        with outside_time_bound():
            wait(LATER)
        wait(5)

    started = time.process_time()
    with pytest.raises(OutOfTime):
        time_bound(SOON)(block)()
    assert LATER < time.process_time() - started < 4


def test_time_in_which_others_run_does_not_count() -> None:
    """Otherwise a file would be read on one machine, and not on a busy one."""
    with time_bound(SOON):
        time.sleep(LATER)
