"""The story of one fix, without chance: a role loses what a function needs, and the stack brings it back.

What interrupts it is not decided by a seed but tried at every call. Each story ends when the system is quiet.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from permission_guard.fixes import all_fixes
from permission_guard.fixes.policy_change import PolicyChange
from permission_guard.model.findings import FixResult, Transition
from tests.simulation.account import role_arn
from tests.simulation.branches import Branches
from tests.simulation.choices import Choices
from tests.simulation.decisions import decide, findings_in
from tests.simulation.invariants import broken
from tests.simulation.problems import problems_of
from tests.simulation.run import installed
from tests.simulation.stack import deployed
from tests.simulation.story import maintain, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from permission_guard.model.findings import Finding
    from tests.simulation.calls import Call
    from tests.simulation.environments import Invocation
    from tests.simulation.policy_problems import PolicyProblem
    from tests.simulation.problems import Problem
    from tests.simulation.world import Answer, World

    Endings = Sequence[tuple[tuple[str, ...], "Ending | None"]]
    Kind = Callable[[World, Any], "FixStory"]

T = TypeVar("T")

FUNCTION: Final = "orders"
OTHER_FUNCTION: Final = "invoices"
ROLE: Final = "orders-role"
MODES: Final = ("auto", "approve")
"""The modes in which a fix is applied: by itself, since it restores, or after an approval."""
A_WHILE: Final = 120.0
FIXES_AN_HOUR: Final = 10


@dataclass(frozen=True, slots=True)
class Ending:
    """How a story ended: what does not hold, what happened in words if something does not.

    `is_done` is whether the role and the mappings are as the story should end.
    """

    broken: tuple[str, ...]
    words: tuple[str, ...]
    is_done: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What a fix changes: the policies of the role, and the states of the function's mappings."""

    policies: frozenset[str]
    mappings: tuple[str, ...]


class Ordinary(Choices):
    """Decides for what is ordinary, always."""

    def __init__(self) -> None:
        super().__init__(0)

    def happens(self, kind: str, probability: float) -> bool:
        """Decide against anything unusual."""
        return False

    def pick(self, kind: str, options: Sequence[T]) -> T:
        """Decide for the first option."""
        return options[0]


class FixStory:
    """The story of a problem. `before` and `planned` are the state without and with the fix.

    `crashed` are the functions that a crash interrupts.
    """

    crashed: ClassVar[frozenset[str]] = frozenset({"apply_fix"})

    def __init__(self, world: World, problem: Problem) -> None:
        self.world, self.problem = world, problem
        self.before = self.planned = Held(frozenset(), ())

    @property
    def held(self) -> Held:
        """What the role and the function have now."""
        account = self.world.account
        mappings = account.functions[FUNCTION].mappings.values()
        return Held(frozenset(account.roles[ROLE].attached), tuple(one.state for one in mappings))

    @property
    def goal(self) -> Held:
        """The state in which the story should end."""
        return self.planned

    def begin(self) -> None:
        """Create a function that needs and has the permission; when that is checked, its role loses it."""
        world, account = self.world, self.world.account
        if self.problem.stops:
            world.document = json.dumps({**json.loads(world.document), "fixes": {"enable_mappings": True}})
        sweep(world)
        world.run_until_quiet()
        maintain(world)
        world.run_until_quiet()
        self.create()
        self.problem.allow(account, ROLE)
        self.problem.need(account, FUNCTION)
        world.run_until_quiet()
        world.advance_to(world.now + A_WHILE)
        self.planned = self.held
        self.problem.lose(account, ROLE)
        self.before = self.held
        world.count_anew()

    def create(self) -> None:
        """Create the function, with a role of its own."""
        self.world.account.create_function(FUNCTION)

    def propose(self) -> None:
        """Let the stack find the problem and propose the fix."""
        self.world.run_until_quiet()

    def go_on(self) -> None:
        """Let the stack find the problem and fix it; a person approves what it proposes."""
        world = self.world
        world.run_until_quiet()
        decide(world, "approve")
        world.run_until_quiet()
        world.advance_to(world.now + A_WHILE)
        maintain(world)
        world.run_until_quiet()

    def end(self) -> Ending:
        """Say what does not hold."""
        found = [one for one in findings_in(self.world) if one.rule_id == self.problem.rule_id]
        # A fix can solve several findings. The others then resolve without one.
        finding = next((one for one in found if _was_applied(one)), found[0] if found else None)
        of_finding = self._broken(finding) if finding else ["there is no finding"]
        wrong, is_done = (*broken(self.world), *of_finding), self.held == self.goal
        return Ending(wrong, tuple(self.world.words or ()) if wrong or not is_done else (), is_done)

    def _broken(self, finding: Finding) -> Iterator[str]:
        """Yield what does not hold of a fix that ends fully fixed, or exactly as before."""
        applied = [one.revision for one in finding.history if one.transition is Transition.FIX_APPLIED]
        if self.held == self.planned:
            yield from self._broken_of_fixed(finding, applied)
        elif self.held != self.before:
            yield f"a part of the fix is applied: {self.held}"
        elif applied or (finding.fix is not None and finding.fix.result in (FixResult.APPLIED, FixResult.APPLYING)):
            yield f"the role is as before, and the fix is recorded as {finding.fix and finding.fix.result}"
        yield from self._broken_writes()

    def _broken_of_fixed(self, finding: Finding, applied: Sequence[int]) -> Iterator[str]:
        fix = finding.fix
        if len(applied) != 1 or fix is None or fix.result is not FixResult.APPLIED:
            yield f"the role is fixed, and the fix is recorded as {fix and fix.result}, {len(applied)} times as applied"
        yield from self.broken_alerts(finding, applied, "applied fix")
        if fix is not None:
            yield from self._broken_undo(fix.undo, fix.before, disables=self.problem.stops)

    def broken_alerts(self, finding: Finding, revisions: Sequence[int], words: str) -> Iterator[str]:
        """Yield which channels did not get exactly one alert of some revisions."""
        for channel, messages in self.world.receivers.messages.items():
            alerts = sum(messages.count(f"{finding.id}-{revision}") for revision in revisions)
            if alerts != 1:
                yield f"{channel} got {alerts} alerts of the {words}"

    def _broken_writes(self) -> Iterator[str]:
        """Yield what is wrong with the calls that changed something. Undoing it was possible from the first on."""
        for words, times in Counter(map(str, self.world.seen.writes)).items():
            if times > 1:
                yield f"{words} {times} times"
        for one in self.world.seen.writes:
            if one.plan is not None:
                yield from self._broken_undo(one.plan.undo, one.plan.before, disables=not one.policy)

    def _broken_undo(self, undo: str, before: Mapping[str, Any], *, disables: bool) -> Iterator[str]:
        """Yield what is wrong with what undoes a fix, which disables the mapping once the fix is about to enable it."""
        held = before.get("attached_policies"), *((before.get("mapping_state"),) if self.problem.stops else ())
        was = sorted(self.before.policies), *(self.before.mappings if self.problem.stops else ())
        if before["role_arn"] != role_arn(ROLE) or held != was:
            yield f"the recorded state before the fix is {before}"
        for policy in self.planned.policies - self.before.policies:
            if policy not in undo:
                yield f"what undoes the fix does not detach {policy}: {undo!r}"
        if disables is not ("--no-enabled" in undo):
            yield f"what undoes the fix {'does not disable' if disables else 'disables'} the mapping: {undo!r}"


def _was_applied(finding: Finding) -> bool:
    return any(one.transition is Transition.FIX_APPLIED for one in finding.history)


class SharedRoleStory(FixStory):
    """The same for a role that another function uses, too: in every mode it is fixed only after an approval."""

    def __init__(self, world: World, problem: Problem) -> None:
        super().__init__(world, problem)
        self._unapproved = 0

    def create(self) -> None:
        """Create two functions with one role."""
        super().create()
        self.world.account.create_function(OTHER_FUNCTION, ROLE)

    def go_on(self) -> None:
        """Let the stack propose the fix, and go on."""
        self.propose()
        self._unapproved = len(self.world.seen.writes)
        super().go_on()

    def _broken(self, finding: Finding) -> Iterator[str]:
        if self._unapproved:
            yield "a role that two functions use was changed without an approval"
        yield from super()._broken(finding)


def problems() -> Iterator[Problem]:
    """Yield the problems of each rule for which a fix changes a role; KeyError for a rule without any."""
    for fix in all_fixes():
        for rule_id in () if isinstance(fix, PolicyChange) else sorted(fix.rule_ids):
            found = problems_of(rule_id)
            if not found:
                raise KeyError(f"{fix.name} serves {rule_id}, and problems.py has no problem of that rule")
            yield from found


# ── What interrupts a fix ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Crashes:
    """A story with a crash before and after each of the `calls` of a function; `endings` are by where it crashed."""

    problem: Problem | PolicyProblem
    mode: str
    calls: int
    endings: Endings


def crash_at_every_call(
    problem: Problem | PolicyProblem, mode: str, kind: Kind = FixStory, *, every: bool = False, times: int = 1
) -> Crashes:
    """Tell a story with a crash before and after each call of the functions that it crashes, and without one.

    A crash after a call is one after it took effect and before its reply arrives. A crash that leaves the same state as
    an earlier one leads to the same ending, so that the rest of the story runs for each state once, or for `every` one.
    It crashes up to so many `times`: the second time while it finishes what the first crash has left.
    """
    branches = Branches[Ending]()
    crash = _Crash(branches, every=every, times=times)
    with installed(deployed(mode, FIXES_AN_HOUR), Ordinary(), []) as world:
        story = kind(world, problem)
        story.begin()
        world.interrupt = partial(crash, world, story.crashed)
        story.go_on()
        return Crashes(problem, mode, crash.calls, branches.end(story.end()))


def told(problem: Problem | PolicyProblem, mode: str, kind: Kind = FixStory) -> Ending:
    """Tell a story that nothing interrupts."""
    with installed(deployed(mode, FIXES_AN_HOUR), Ordinary(), []) as world:
        story = kind(world, problem)
        story.begin()
        story.go_on()
        return story.end()


class _Crash:
    """Crashes a function at each of its calls, each time in a branch, and in it again up to so many `times`."""

    def __init__(self, branches: Branches[Ending], *, every: bool, times: int) -> None:
        self._branches, self._every, self._times = branches, every, times
        self.calls = 0
        self._left: set[str] = set()

    def __call__(
        self, world: World, crashed: frozenset[str], invocation: Invocation, call: Call, answer: Answer
    ) -> dict[str, Any]:
        if invocation.environment.function not in crashed or len(self._branches.path) >= self._times:
            return answer(call)
        self.calls += 1
        self._crash(world, invocation, f"crash before call {self.calls}, {call}")
        reply = answer(call)
        if self._every or not call.is_read:  # after one that reads, the state is the one before it
            self._crash(world, invocation, f"crash after call {self.calls}, {call}")
        return reply

    def _crash(self, world: World, invocation: Invocation, words: str) -> None:
        state = state_of(world)
        if (self._every or state not in self._left) and self._branches.starts(words):
            world.tell(words)
            invocation.crash()
        self._left.add(state)


def state_of(world: World) -> str:
    """Return a digest of what a crash leaves: everything but the time of day and the processes."""
    left = (
        world.tables.items,
        world.account.functions,
        world.account.roles,
        {name: queue.messages for name, queue in world.queues.queues.items()},
        world.transport.shards,
        [(at, words) for at, words, _ in world.coming],
        world.receivers.messages,
        world.receivers.ops_items,
    )
    return blake2b(repr(left).encode(), digest_size=16).hexdigest()
