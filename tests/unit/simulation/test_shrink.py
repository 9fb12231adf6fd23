"""A failing seed is shrunk to what its failure needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from tests.simulation.run import Outcome
from tests.simulation.shrink import Simulate, shrink
from tests.simulation.story import Step

STEPS = 6
DECISIONS = 20
"""The unusual decisions that each step brings with it."""


@dataclass
class Fake:
    """A simulation whose seeds fail with some steps and some unusual decisions together.

    Without the step `other_without`, another invariant is broken instead. Where the decision `replaced` is left out,
    two others are made.
    """

    steps: set[int]
    unusual: set[str]
    other_without: int | None = None
    replaced: str = ""
    runs: int = field(default=0, init=False)

    def __call__(
        self,
        seed: int,
        *,
        without_steps: frozenset[int] = frozenset(),
        left_out: frozenset[str] = frozenset(),
        with_words: bool = False,
    ) -> Outcome:
        """Run a seed."""
        self.runs += 1
        steps = [number for number in range(STEPS) if number not in without_steps]
        names = [f"switch/{step}.{number}" for step in steps for number in range(DECISIONS)]
        if self.replaced in left_out:
            names += ["new/1", "new/2"]
        unusual = [name for name in names if name not in left_out]
        broken = ["nothing_is_stuck: 1 messages are in A"] if self._fails(set(steps), set(unusual)) else []
        if self.other_without is not None and self.other_without not in steps:
            broken = ["becomes_quiet: never"]
        return Outcome(
            seed, broken, [Step(f"step {one}", 0.0, lambda world: None) for one in steps], unusual, 1, 1, 0.0
        )

    def _fails(self, steps: set[int], unusual: set[str]) -> bool:
        return self.steps <= steps and self.unusual <= unusual


def smallest(simulate: Simulate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the steps and the unusual decisions that are left."""
    shrunk = shrink(1, simulate)
    assert shrunk is not None
    again = simulate(1, without_steps=shrunk.without_steps, left_out=shrunk.left_out)
    assert (tuple(again.unusual), tuple(again.broken)) == (shrunk.unusual, shrunk.broken)
    return shrunk.steps, shrunk.unusual


def test_a_failure_that_needs_one_step_and_one_fault_is_shrunk_to_these() -> None:
    """From 6 steps and 120 unusual decisions, in fewer runs than one for each."""
    simulate = Fake({3}, {"switch/3.7"})
    shrunk = shrink(1, simulate)
    assert shrunk is not None
    assert (shrunk.steps, shrunk.unusual) == (("step 3",), ("switch/3.7",))
    assert (shrunk.all_steps, shrunk.all_unusual) == (6, 120)
    assert shrunk.broken == ("nothing_is_stuck: 1 messages are in A",)
    assert shrunk.runs == simulate.runs < 40


def test_steps_and_faults_that_are_needed_together_stay() -> None:
    """Whichever halves they are in."""
    faults = ("switch/0.0", "switch/0.19", "switch/5.10")
    assert smallest(Fake({0, 5}, set(faults))) == (("step 0", "step 5"), faults)


def test_a_failure_that_needs_no_fault_keeps_none() -> None:
    """They are left out all at once."""
    simulate = Fake({2}, set())
    assert smallest(simulate) == (("step 2",), ())
    assert simulate.runs < 15


def test_what_breaks_another_invariant_is_not_smaller() -> None:
    """The story stays about the failure that was found."""
    assert smallest(Fake({3}, set(), other_without=1)) == (("step 1", "step 3"), ())


def test_a_decision_stays_if_two_others_take_its_place() -> None:
    """Else a story could grow."""
    steps, unusual = smallest(Fake({3}, {"switch/3.7"}, replaced="switch/3.5"))
    assert steps == ("step 3",)
    assert set(unusual) <= {"switch/3.5", "switch/3.7"}


def test_it_ends_after_some_runs() -> None:
    """With the smallest story until then."""
    simulate = Fake({3}, {"switch/3.7"})
    shrunk = shrink(1, simulate, most_runs=4)
    assert shrunk is not None
    assert simulate.runs == 4
    assert shrunk.steps == ("step 0", "step 1", "step 2", "step 3")  # the last two were left out, the fourth is needed


def test_it_ends_after_some_seconds() -> None:
    """With the smallest story until then."""
    simulate, seconds = Fake({3}, {"switch/3.7"}), count()
    shrunk = shrink(1, simulate, most_seconds=8.0, clock=lambda: float(next(seconds)))
    assert shrunk is not None
    assert 1 < simulate.runs <= 8
    assert len(shrunk.steps) < STEPS


def test_a_seed_that_does_not_fail_is_not_shrunk() -> None:
    """It runs once."""
    simulate = Fake({3}, {"never/1"})
    assert shrink(1, simulate) is None
    assert simulate.runs == 1
