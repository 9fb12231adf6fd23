"""Everything that interrupts the fixes of the registry, one after the other, and how each story ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.fix_stories import MODES, crash_at_every_call, problems
from tests.simulation.problems import PROBLEMS
from tests.simulation.workers import interleave, replay_every_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.fix_stories import Ending, Endings


@dataclass(frozen=True, slots=True)
class Interruptions:
    """A story that was interrupted in one way, wherever it could be. `words` say which, and how often it was told."""

    words: str
    endings: Endings

    @property
    def failures(self) -> Endings:
        """The endings in which something does not hold, or that are not fixed: nothing keeps the next try from it."""
        return [(path, ending) for path, ending in self.endings if not _is_right(ending)]


def interruptions(*, every: bool = False) -> Iterator[Interruptions]:
    """Yield how the stories of all fixes end. `every` is whether crashes that leave the same state count each."""
    for problem in problems():
        for mode in MODES:
            found = crash_at_every_call(problem, mode, every=every)
            words = f"{found.calls} calls, crashes at all of them, {counted(found.endings)}"
            yield Interruptions(f"{problem.rule_id}, {problem.words}, {mode}: {words}", found.endings)
    problem = PROBLEMS[0]
    for mode in MODES:
        endings = interleave(problem, mode, both=mode == "approve")
        words = f"two workers, {counted(endings)}"
        yield Interruptions(f"{problem.rule_id}, {problem.words}, {mode}: {words}", endings)
        for reverse in (False, True):
            order = "in reverse" if reverse else "in order"
            ending = replay_every_event(problem, mode, reverse=reverse)
            words = f"{problem.rule_id}, {problem.words}, {mode}: a replay of every event {order}"
            yield Interruptions(words, [((), ending)])


def counted(endings: Endings) -> str:
    """Return how many stories were told to their end."""
    return f"{len(endings)} endings"


def _is_right(ending: Ending | None) -> bool:
    return ending is not None and ending.is_fixed and not ending.broken
