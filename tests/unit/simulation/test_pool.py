"""Seeds run in chunks, each of them once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

import pytest

from tests.simulation.pool import Ran, Totals, run_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence


def passed(seeds: Sequence[int]) -> list[Ran]:
    """Run seeds that break nothing."""
    return [Ran(seed, (), 1, 0.1) for seed in seeds]


@pytest.mark.parametrize("number", [1, 2, 9, 10, 61, 200])
@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_each_seed_runs_once(number: int, jobs: int) -> None:
    """However they are divided."""
    with ThreadPoolExecutor(jobs) as executor:
        seeds = range(100, 100 + number)
        assert sorted(ran.seed for ran in run_seeds(executor, seeds, jobs, passed)) == list(seeds)


def test_a_few_chunks_are_waiting_and_not_all_of_them() -> None:
    """So that Ctrl-C ends a run of many seeds soon."""
    lock, seen = Lock(), list[int]()

    def run(seeds: Sequence[int]) -> list[Ran]:
        with lock:
            seen.extend(seeds)
        return passed(seeds)

    with ThreadPoolExecutor(2) as executor:
        results = run_seeds(executor, range(100_000), 2, run)
        for _ in range(50):
            next(results)
        results.close()  # type: ignore[attr-defined] # it is a generator
    assert 50 <= len(seen) <= 200


def test_seeds_are_counted() -> None:
    """Sums, the most, what is over a limit, and failures in the order of their seeds."""
    totals = Totals()
    for ran in (Ran(9, ("a: b",), 40, 0.3), Ran(3, (), 41, 0.1), Ran(5, ("c: d",), 2, 0.5)):
        totals.add(ran)
    assert (totals.seeds, [ran.seed for ran in totals.failures]) == (3, [5, 9])
    assert (totals.deliveries, totals.most_deliveries, totals.seeds_with_more_deliveries) == (83, 41, 1)
    assert totals.cpu_seconds == pytest.approx(0.9)
    assert (totals.most_cpu_seconds, totals.seeds_with_more_cpu_seconds) == (0.5, 1)
