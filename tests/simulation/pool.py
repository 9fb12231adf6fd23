"""Runs many seeds in several processes: the simulation replaces clocks and clients of its whole process."""

from __future__ import annotations

import gc
import os
import signal
from bisect import insort
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import active_children, get_context
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from tests.simulation.shrink import Shrunk, shrink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

MOST_DELIVERIES: Final = 40
MOST_CPU_SECONDS: Final = 0.3
"""What a seed may cost, so that many can run. More is reported, and fails nothing."""

CORES: Final = os.cpu_count() or 1
_LARGEST_CHUNK: Final = 10
_MOST_TO_WARM_UP: Final = 30
_SHARE_TO_WARM_UP: Final = 50
"""One of so many seeds warms up each process: it imports and remembers what most seeds need."""
_NEVER: Final = 1_000_000
"""A threshold of the garbage collector that is never reached. The oldest generation is collected between seeds."""
_CHUNKS_OF_A_WORKER: Final = 3


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a seed: what it breaks, its deliveries, and the CPU seconds that it took."""

    seed: int
    broken: tuple[str, ...]
    deliveries: int
    seconds: float


@dataclass(slots=True)
class Totals:
    """What became of all seeds until now."""

    seeds: int = 0
    failures: list[Ran] = field(default_factory=list)
    deliveries: int = 0
    most_deliveries: int = 0
    seeds_with_more_deliveries: int = 0
    cpu_seconds: float = 0.0
    most_cpu_seconds: float = 0.0
    seeds_with_more_cpu_seconds: int = 0

    def add(self, ran: Ran) -> None:
        """Count a seed."""
        self.seeds += 1
        self.deliveries += ran.deliveries
        self.most_deliveries = max(self.most_deliveries, ran.deliveries)
        self.seeds_with_more_deliveries += ran.deliveries > MOST_DELIVERIES
        self.cpu_seconds += ran.seconds
        self.most_cpu_seconds = max(self.most_cpu_seconds, ran.seconds)
        self.seeds_with_more_cpu_seconds += ran.seconds > MOST_CPU_SECONDS
        if ran.broken:
            insort(self.failures, ran, key=attrgetter("seed"))


def workers(jobs: int, seeds: int) -> Executor:
    """Return processes that run so many seeds."""
    to_warm_up = max(1, min(_MOST_TO_WARM_UP, seeds // _SHARE_TO_WARM_UP))
    return ProcessPoolExecutor(jobs, get_context("spawn"), _prepare, (to_warm_up,))


def stop(executor: Executor) -> None:
    """End what an executor runs, without waiting for it."""
    for process in active_children():
        process.terminate()
    executor.shutdown(cancel_futures=True)


def run_seeds(
    executor: Executor, seeds: Sequence[int], jobs: int, run_chunk: Callable[[Sequence[int]], list[Ran]] | None = None
) -> Iterator[Ran]:
    """Yield what became of each seed, as soon as it is known."""
    run = run_chunk or run_here
    size = max(1, min(_LARGEST_CHUNK, len(seeds) // (jobs * _CHUNKS_OF_A_WORKER)))
    chunks = (seeds[start : start + size] for start in range(0, len(seeds), size))
    running: set[Future[list[Ran]]] = set()
    while True:
        missing = jobs * _CHUNKS_OF_A_WORKER - len(running)
        running |= {executor.submit(run, chunk) for chunk in islice(chunks, missing)}
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield from future.result()


def run_here(seeds: Sequence[int]) -> list[Ran]:
    """Run some seeds in this process."""
    from tests.simulation.run import simulate  # noqa: PLC0415 - only the processes that simulate need it

    outcomes = [simulate(seed) for seed in seeds]
    _tidy()
    return [Ran(one.seed, tuple(one.broken), one.deliveries, one.seconds) for one in outcomes]


def shrink_here(seed: int) -> Shrunk | None:
    """Shrink a seed in this process."""
    from tests.simulation.run import simulate  # noqa: PLC0415 - only the processes that simulate need it

    return shrink(seed, simulate)


def _prepare(to_warm_up: int) -> None:
    """Leave Ctrl-C to the process that started this one, and make what the first seed would make for all others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from tests.simulation.run import MODES, simulate  # noqa: PLC0415 - only the processes that simulate need it
    from tests.simulation.stack import FIXES_AN_HOUR, deployed  # noqa: PLC0415

    for mode in MODES:
        for fixes_an_hour in FIXES_AN_HOUR:
            deployed(mode, fixes_an_hour)
    for seed in range(to_warm_up):
        simulate(seed)
    gc.set_threshold(*gc.get_threshold()[:2], _NEVER)
    _tidy()


def _tidy() -> None:
    """Collect garbage, and let later collections ignore what remains: the modules, and what is remembered."""
    gc.collect()
    gc.freeze()
