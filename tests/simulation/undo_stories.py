"""The story of an undo, without chance: a fix is applied, and a person requests to undo it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from permission_guard.model.findings import FixResult, Status, Transition
from tests.simulation.decisions import undo
from tests.simulation.fix_stories import A_WHILE, FixStory
from tests.simulation.story import maintain, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON
    from tests.simulation.fix_stories import Held
    from tests.simulation.problems import Problem
    from tests.simulation.world import World


class UndoStory(FixStory):
    """The story of the undo of a fix: it ends exactly as before the fix, which is not applied again."""

    def __init__(self, world: World, problem: Problem) -> None:
        super().__init__(world, problem)
        self._writes_before = 0

    @property
    def goal(self) -> Held:
        """The state before the fix."""
        return self.before

    def begin(self) -> None:
        """Let the fix be applied."""
        super().begin()
        super().go_on()
        assert self.held == self.planned, f"{self.problem.words}: the fix was not applied"
        self._writes_before = len(self.world.seen.writes)
        self.world.count_anew()

    def propose(self) -> None:
        """There is nothing to propose: the request starts the undo."""

    def go_on(self) -> None:
        """Let a person request the undo, and then the sweep hand over the finding that is open again."""
        world = self.world
        undo(world)
        world.run_until_quiet()
        world.advance_to(world.now + A_WHILE)
        sweep(world)
        world.run_until_quiet()
        maintain(world)
        world.run_until_quiet()

    def _broken(self, finding: Finding) -> Iterator[str]:
        """Yield what does not hold of a fix that ends undone as a whole, or as applied as it was."""
        undone = [one.revision for one in finding.history if one.transition is Transition.FIX_UNDONE]
        if self.held == self.before:
            yield from self._broken_of_undone(finding, undone)
        elif self.held != self.planned:
            yield f"a part of the fix is undone: {self.held}"
        elif undone or finding.fix is None or finding.fix.result is not FixResult.APPLIED:
            yield f"the role is fixed, and the fix is recorded as {finding.fix and finding.fix.result}"
        writes = self.world.seen.writes[self._writes_before :]
        for words, times in Counter(map(str, writes)).items():
            if times > 1:
                yield f"{words} {times} times"
        for number, one in enumerate(writes):
            if not one.is_undo:
                yield f"after the request, {one}"
            elif not one.policy and number:
                yield f"{one}, and not before {writes[0]}"

    def _broken_of_undone(self, finding: Finding, undone: list[int]) -> Iterator[str]:
        fix = finding.fix
        record = fix.undo_record if fix else None
        if len(undone) != 1 or fix is None or record is None or fix.result is not FixResult.UNDONE:
            yield f"the role is as before, and the fix is recorded as {fix and fix.result}, {len(undone)} times undone"
        elif (_state(record.before), _state(record.after)) != (_state(fix.after), _state(fix.before)):
            yield f"the undo is recorded as one of {record.before} to {record.after}"
        # A mapping that the undo disabled is disabled on purpose: the next check finds no problem any more.
        expected = Status.RESOLVED if self.problem.stops else Status.OPEN
        if finding.status is not expected:
            yield f"the role is as before the fix, and the finding is {finding.status}"
        yield from self.broken_alerts(finding, undone, "undo")


def _state(recorded: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a recorded state without the reason of a mapping's state, which AWS and people change."""
    return {name: value for name, value in recorded.items() if name != "mapping_state_reason"}
