"""The stories of the watch after a narrowing: the bot undoes the fix when deliveries of a proven source fail, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from permission_guard.findings.watch import BOT
from permission_guard.model.findings import Transition
from tests.simulation.callers import RULE, Source
from tests.simulation.decisions import decide
from tests.simulation.fix_stories import A_WHILE, FUNCTION
from tests.simulation.policy_stories import PolicyUndoStory
from tests.simulation.story import maintain, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.findings import Finding
    from tests.simulation.world import World

_HOUR: Final = 3_600.0
_OTHERS: Final = (Source("events", f"{RULE.arn}-backup"), Source("sns", RULE.arn.replace("events", "sns")))
"""A rule and a topic that do not invoke the function."""


class WatchStory(PolicyUndoStory):
    """The deliveries of the narrowed source fail: the fix is undone without a person, once, and an alert says so."""

    crashed: ClassVar[frozenset[str]] = frozenset({"apply_fix", "maintain_findings"})

    def begin(self) -> None:
        """Let an active function be narrowed."""
        world = self.world
        world.account.metrics.put("AWS/Lambda Invocations", {"FunctionName": FUNCTION}, world.now - _HOUR)
        super().begin()

    def go_on(self) -> None:
        """Let deliveries fail. Maintenance runs as its schedule has it, also after the undo."""
        world = self.world
        self.fail()
        for _ in range(2):
            self._pass_a_while()
            maintain(world)
            world.run_until_quiet()
        sweep(world)
        world.run_until_quiet()
        maintain(world)
        world.run_until_quiet()

    def fail(self) -> None:
        """Let deliveries of the source fail."""
        _fail(self.world, self.of_policy.sources[-1])

    def _pass_a_while(self) -> None:
        self.world.advance_to(self.world.now + A_WHILE)

    def _broken(self, finding: Finding) -> Iterator[str]:
        yield from super()._broken(finding)
        requested = [one for one in finding.history if one.transition is Transition.FIX_UNDO_REQUESTED]
        if len(requested) != self.requests:
            yield f"the undo was requested {len(requested)} times"
        record = finding.fix.undo_record if finding.fix else None
        if self.requests and (record is None or record.by != BOT):
            yield f"the undo is recorded as {record}"

    requests: ClassVar[int] = 1
    """How often maintenance should request an undo."""


class OtherSourcesStory(WatchStory):
    """Deliveries of others fail, which do not invoke the function: nothing is undone."""

    requests: ClassVar[int] = 0

    @property
    def goal(self) -> Any:
        """The fixed policy."""
        return self._fixed

    def fail(self) -> None:
        """Let deliveries of other sources fail."""
        for source in _OTHERS:
            _fail(self.world, source)


class WatchedAgainStory(WatchStory):
    """After such an undo the same fix is applied again, and deliveries fail again: only a person undoes it then."""

    requests: ClassVar[int] = 2

    @property
    def goal(self) -> Any:
        """The fixed policy."""
        return self._fixed

    def go_on(self) -> None:
        """Let the problem go and come back after the undo, and a person approve the same fix again."""
        super().go_on()
        assert self.held == self._unfixed, f"{self.of_policy.words}: the fix was not undone: {self.statements}"
        world, broad = self.world, self.of_policy.before[-1]  # the one that AddPermission wrote
        world.account.forbid(FUNCTION, broad["StatementId"])
        world.run_until_quiet()
        self._pass_a_while()
        world.account.permit_as(FUNCTION, broad)
        world.run_until_quiet()
        decide(world, "approve")
        world.run_until_quiet()
        assert self.held == self._fixed, f"{self.of_policy.words}: the fix was not applied again: {self.statements}"
        self._pass_a_while()
        self.fail()
        self._pass_a_while()
        maintain(world)
        world.run_until_quiet()

    def _broken(self, finding: Finding) -> Iterator[str]:
        """Yield what does not hold of a fix that was undone once, applied again, and is not undone again."""
        transitions = [one.transition for one in finding.history]  # the last ones
        for transition, times in (
            (Transition.FIX_APPLIED, 1),
            (Transition.FIX_UNDO_REQUESTED, self.requests),
            (Transition.FIX_UNDONE, 1),
            (Transition.FIX_REFUSED, 1),
        ):
            if transitions.count(transition) != times:
                yield f"{transition}: {transitions.count(transition)} times, not {times}"


def _fail(world: World, source: Source) -> None:
    """Let deliveries of a source fail, some time after what happened before."""
    world.advance_to(world.now + A_WHILE)
    name, dimension = {
        "events": ("AWS/Events FailedInvocations", "RuleName"),
        "sns": ("AWS/SNS NumberOfNotificationsFailed", "TopicName"),
    }[source.service]
    world.account.metrics.put(name, {dimension: source.name}, world.now, 5.0)
