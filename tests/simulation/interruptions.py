"""Everything that interrupts the fixes of the registry, one after the other, and how each story ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from permission_guard.fixes import fix_for
from tests.simulation.fix_stories import MODES, FixStory, SharedRoleStory, crash_at_every_call, problems, told
from tests.simulation.policy_problems import BROAD, NARROWED, POLICY_PROBLEMS
from tests.simulation.policy_stories import OtherWriterStory, PolicyStory, PolicyUndoStory
from tests.simulation.problems import PROBLEMS
from tests.simulation.undo_stories import UndoStory
from tests.simulation.watch_stories import OtherSourcesStory, WatchedAgainStory, WatchStory
from tests.simulation.workers import interleave, replay_every_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.fix_stories import Crashes, Ending, Endings, Kind
    from tests.simulation.policy_problems import PolicyProblem


_FIRST: Final = (
    *{problem.rule_id: problem for problem in reversed(PROBLEMS)}.values(),
    *(problem for problem in PROBLEMS if problem.stops or len(problem.policies) > 1),
)
"""The first problem of each rule, and those whose fix takes more than one call."""
_FIRST_OF_POLICIES: Final = [*{fix_for(problem.rule_id): problem for problem in reversed(POLICY_PROBLEMS)}.values()]
"""The first problem of each fix of policies."""


@dataclass(frozen=True, slots=True)
class Interruptions:
    """A story that was interrupted in one way, wherever it could be. `words` say which, and how often it was told."""

    words: str
    endings: Endings

    @property
    def failures(self) -> Endings:
        """The endings in which something does not hold, or that are not as the story should end."""
        return [(path, ending) for path, ending in self.endings if not _is_right(ending)]


def interruptions(*, every: bool = False) -> Iterator[Interruptions]:
    """Yield how the stories of all fixes end.

    `every` is whether crashes that leave the same state count each, every problem is fixed in both modes, and both
    workers stop in each story.
    """
    for problem in problems():
        told(problem, MODES[0])  # what evaluates its states is then remembered, in each branch of the stories below
        for mode in MODES if every or problem in _FIRST else MODES[:1]:
            found = crash_at_every_call(problem, mode, every=every)
            yield _crashes(found, mode)
        yield _crashes(crash_at_every_call(problem, "auto", UndoStory, every=every), "auto, undone")
    yield from _of_policies(every=every)
    yield from _of_the_watch(every=every)
    problem = PROBLEMS[0]
    shared = crash_at_every_call(problem, "auto", SharedRoleStory, every=every)
    yield _crashes(shared, "auto, the role of two functions")
    for mode, kind, words in (
        ("auto", FixStory, "auto"),
        ("approve", FixStory, "approve"),
        ("auto", UndoStory, "auto, undone"),
    ):
        story = f"{problem.rule_id}, {problem.words}, {words}"
        endings = interleave(problem, mode, kind, both=every or mode == "approve")
        yield Interruptions(f"{story}: two workers, {counted(endings)}", endings)
        for reverse in (False, True):
            order = "in reverse" if reverse else "in order"
            ending = replay_every_event(problem, mode, kind, reverse=reverse)
            yield Interruptions(f"{story}: a replay of every event {order}", [((), ending)])


def _of_policies(*, every: bool) -> Iterator[Interruptions]:
    """Yield how the stories of fixes of policies end: each needs an approval, in `auto` too."""
    for one in POLICY_PROBLEMS:
        told(one, "approve", PolicyStory)
        for mode in MODES if every or one in _FIRST_OF_POLICIES else ("approve",):
            yield _crashes(crash_at_every_call(one, mode, PolicyStory, every=every), mode)
        yield _crashes(crash_at_every_call(one, "approve", PolicyUndoStory, every=every), "approve, undone")
        if every or one is BROAD:
            yield _crashes(crash_at_every_call(one, "approve", PolicyStory, times=2), "approve, twice")
        if every:
            yield _crashes(crash_at_every_call(one, "approve", PolicyUndoStory, times=2), "approve, undone, twice")
        if one.rule_id == BROAD.rule_id:
            yield _told(one, OtherWriterStory, "another writer changes the policy meanwhile")


def _of_the_watch(*, every: bool) -> Iterator[Interruptions]:
    """Yield how the stories of the watch after a narrowing end."""
    for one in NARROWED:
        yield _crashes(crash_at_every_call(one, "approve", WatchStory, every=every), "approve, its deliveries fail")
        yield _told(one, OtherSourcesStory, "deliveries of others fail")
    yield _told(NARROWED[0], WatchedAgainStory, "its deliveries fail again after the undo")


def _told(problem: PolicyProblem, kind: Kind, words: str) -> Interruptions:
    ending = told(problem, "approve", kind)
    return Interruptions(f"{problem.rule_id}, {problem.words}, approve, {words}", [((), ending)])


def _crashes(found: Crashes, words: str) -> Interruptions:
    problem, how = found.problem, f"{found.calls} calls, crashes at all of them, {counted(found.endings)}"
    return Interruptions(f"{problem.rule_id}, {problem.words}, {words}: {how}", found.endings)


def counted(endings: Endings) -> str:
    """Return how many stories were told to their end."""
    return f"{len(endings)} endings"


def _is_right(ending: Ending | None) -> bool:
    return ending is not None and ending.is_done and not ending.broken
