"""Shrinks a failing seed: to fewer steps of its story, then to fewer unusual decisions, as long as it still fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.run import Outcome

MOST_RUNS: Final = 300
MOST_SECONDS: Final = 60.0


class Simulate(Protocol):
    """Runs a seed: `tests.simulation.run.simulate`."""

    def __call__(
        self, seed: int, *, without_steps: frozenset[int] = ..., left_out: frozenset[str] = ..., with_words: bool = ...
    ) -> Outcome:
        """Run a seed, without some steps and some unusual decisions."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest story of a seed that was found: what is left, what to leave out for it, and what it breaks.

    `all_steps` and `all_unusual` are the numbers before. `runs` is how often the seed ran.
    """

    seed: int
    broken: tuple[str, ...]
    steps: tuple[str, ...]
    unusual: tuple[str, ...]
    without_steps: frozenset[int]
    left_out: frozenset[str]
    all_steps: int
    all_unusual: int
    runs: int


def shrink(
    seed: int,
    simulate: Simulate,
    *,
    most_runs: int = MOST_RUNS,
    most_seconds: float = MOST_SECONDS,
    clock: Callable[[], float] = time.process_time,
) -> Shrunk | None:
    """Return the smallest story that breaks one of the invariants that the whole story breaks; None if it breaks none.

    It ends after some runs or CPU seconds with the smallest one until then.
    """
    shrinking = _Shrinking(seed, simulate, most_runs, clock, clock() + most_seconds)
    if not shrinking.outcome.broken:
        return None
    while not shrinking.has_ended():
        size = shrinking.size()
        shrinking.leave_out_steps()
        shrinking.leave_out_decisions()
        if shrinking.size() == size:
            break
    return shrinking.smallest()


class _Shrinking:
    def __init__(self, seed: int, simulate: Simulate, most_runs: int, clock: Callable[[], float], end: float) -> None:
        self._seed, self._simulate = seed, simulate
        self._most_runs, self._clock, self._end = most_runs, clock, end
        self._without_steps: frozenset[int] = frozenset()
        self._left_out: frozenset[str] = frozenset()
        self._runs = 1
        self.outcome = simulate(seed)
        self._invariants = _invariants(self.outcome)
        self._all_steps, self._all_unusual = self.size()

    def size(self) -> tuple[int, int]:
        """Return the numbers of steps and of unusual decisions that are left."""
        return len(self.outcome.steps), len(self.outcome.unusual)

    def has_ended(self) -> bool:
        """Return whether there were enough runs or seconds."""
        return self._runs >= self._most_runs or self._clock() >= self._end

    def leave_out_steps(self) -> None:
        """Leave out each step that is not needed, the last one first: what it changes depends on those before it."""
        for step in reversed(range(self._all_steps)):
            if step not in self._without_steps:
                self._is_smaller(self._without_steps | {step}, self._left_out)

    def leave_out_decisions(self) -> None:
        """Leave out unusual decisions that are not needed: all at once, each half, each quarter, at last one by one."""
        count = len(self.outcome.unusual)
        while count:
            start = 0
            while start < len(self.outcome.unusual):
                names = self.outcome.unusual[start : start + count]
                if not self._is_smaller(self._without_steps, self._left_out.union(names)):
                    start += count
            count //= 2

    def _is_smaller(self, without_steps: frozenset[int], left_out: frozenset[str]) -> bool:
        """Return whether less still breaks one of the invariants, and keep that.

        Where one decision is left out, later ones can be new: the story must become smaller nevertheless.
        """
        if self.has_ended():
            return False
        self._runs += 1
        outcome = self._simulate(self._seed, without_steps=without_steps, left_out=left_out)
        is_smaller = (len(outcome.steps), len(outcome.unusual)) < self.size()
        if not is_smaller or not _invariants(outcome) & self._invariants:
            return False
        self.outcome, self._without_steps, self._left_out = outcome, without_steps, left_out
        return True

    def smallest(self) -> Shrunk:
        """Return what was found."""
        return Shrunk(
            self._seed,
            tuple(self.outcome.broken),
            tuple(step.words for step in self.outcome.steps),
            tuple(self.outcome.unusual),
            self._without_steps,
            self._left_out,
            self._all_steps,
            self._all_unusual,
            self._runs,
        )


def _invariants(outcome: Outcome) -> set[str]:
    return {words.partition(":")[0] for words in outcome.broken}
