"""What people do in the account, and with the bot: the steps of a seed, each with its words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from permission_guard.model.findings import Status
from tests.simulation.account import PARTNER
from tests.simulation.changes import DOCUMENTS, ROLE_CHANGES
from tests.simulation.decisions import decide, findings_in, undo
from tests.simulation.problems import PROBLEMS
from tests.simulation.world import MANY_DELIVERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.problems import Problem
    from tests.simulation.world import World

    Action = Callable[[World], None]

T = TypeVar("T")

NAMES: Final = ("orders", "invoices", "refunds")
SHARED: Final = "shared-role"
PERSON: Final = "arn:aws:sts::123456789012:assumed-role/platform/jane"
_PAUSES: Final = (0.0, 0.0, 0.05, 0.3, 3.0, 45.0, 70.0, 130.0, 200.0, 400.0, 1_500.0)
_DURING_A_CHECK: Final = (0.05, 0.1, 0.2)
_MOST: Final = 5
_EARLY_LOSSES: Final = 0.25
"""How often a story begins with a permission that a fix restores. Later the seed may have had most deliveries."""
_SUPPRESSED_FOR: Final = timedelta(hours=1)
_SECOND_LOSSES: Final = 0.25
"""How often two permissions are lost at once."""
_USUAL: Final = tuple(problem for problem in PROBLEMS if not problem.documents)
"""The problems with AWS's policies as they are."""
_FIXED_BEFORE: Final = 0.08
"""How often a person undoes a fix that was applied before the story."""
_TICKETS_BEFORE: Final = 0.16
"""How often there are tickets before the story. Later the seed may have had most deliveries."""
_CLOSED: Final = 0.7
"""How often a person has closed these."""
_SETTLED: Final = 120.0
"""Seconds after which a check has seen what a role is allowed."""
_RESUMED: Final = 0.5
"""How often a person resumes what was stopped."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens, `after` seconds after the step before it.

    `is_before` is whether it happens before the faults, and ends when the system is quiet.
    """

    words: str
    after: float
    act: Action
    is_before: bool = False


class Story:
    """Makes up the steps of a seed. `alive` are the functions that exist by then."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}/story")  # noqa: S311 - a seed must lead to the same story
        self.steps: list[Step] = []
        self.alive: list[str] = []

    def tell(self) -> list[Step]:
        """Return what happens: first a function, often one that loses a permission, then what people do with it."""
        before = self.share()
        if before < _FIXED_BEFORE:
            _fixed(self)
        elif before < _FIXED_BEFORE + _TICKETS_BEFORE:
            _ticketed(self)
        else:
            self.create()
            if self.share() < _EARLY_LOSSES:
                _loss(self)
        for _ in range(self.number(1, _MOST)):
            self.one_of(_KINDS)(self)
        return self.steps

    def add(self, words: str, act: Action, after: float | None = None) -> None:
        """Add a step, after a pause if none is given."""
        self.steps.append(Step(words, self.one_of(_PAUSES) if after is None else after, act))

    def one_of(self, options: Sequence[T]) -> T:
        """Choose one of some options."""
        return self._random.choice(options)

    def number(self, least: int, most: int) -> int:
        """Choose a number."""
        return self._random.randint(least, most)

    def share(self) -> float:
        """Choose a number from 0 to 1."""
        return self._random.random()

    def function(self) -> str:
        """Choose a function that exists, or create one."""
        if not self.alive:
            self.create()
        return self.one_of(self.alive)

    def create(self) -> None:
        """Create a function that does not exist, with a role of its own or the shared one."""
        name = self.one_of([name for name in NAMES if name not in self.alive] or NAMES)
        role = self.one_of((None, SHARED))
        self.alive = [*self.alive, name] if name not in self.alive else self.alive
        words = f"create the function {name} with {role or 'a role of its own'}"
        self.add(words, lambda world: create(world, name, role), 0.0 if not self.steps else None)


def steps_of(seed: int) -> list[Step]:
    """Return what happens in a seed."""
    return Story(seed).tell()


def create(world: World, name: str, role: str | None) -> None:
    """Create a function, unless it exists."""
    if name not in world.account.functions:
        world.account.create_function(name, role)


def _delete(story: Story) -> None:
    name = story.function()
    story.alive = [one for one in story.alive if one != name]
    story.add(f"delete the function {name}", lambda world: _of(world, name, world.account.delete_function))


def _permission(story: Story) -> None:
    _permit(story, story.function())


def _permit(story: Story, name: str) -> None:
    principal = story.one_of(("s3.amazonaws.com", "*", PARTNER))
    sid = f"for-{principal.strip('*') or 'all'}".replace(".", "-")
    words = f"permit {principal} to invoke {name}"
    story.add(words, lambda world: _of(world, name, lambda one: world.account.permit(one, sid, principal)))


def _no_permission(story: Story) -> None:
    _forbid(story, story.function())


def _forbid(story: Story, name: str, after: float | None = None) -> None:
    def act(world: World) -> None:
        if name in world.account.functions:
            for sid in list(world.account.functions[name].statements):
                world.account.forbid(name, sid)

    story.add(f"remove every permission to invoke {name}", act, after)


def _broad_for_a_while(story: Story) -> None:
    name = story.function()
    _permit(story, name)
    _forbid(story, name, story.one_of((None, *_DURING_A_CHECK)))


def _mapping(story: Story) -> None:
    name, allowed = story.function(), story.share() < 0.6
    _need(story, name, story.one_of((PROBLEMS[0], story.one_of(_USUAL))), allowed=allowed)


def _need(story: Story, name: str, problem: Problem, *, allowed: bool) -> None:
    def act(world: World) -> None:
        if name in world.account.functions:
            if allowed:
                problem.allow(world.account, world.account.role_of(name))
            problem.need(world.account, name)

    story.add(f"let {name} {problem.words}, {'with' if allowed else 'without'} the permission", act)


def _loss(story: Story) -> None:
    """A function needs something, and its role loses the permission: what a fix restores. Often it loses two."""
    name = story.function()
    problems = [story.one_of((PROBLEMS[0], story.one_of(_USUAL)))]
    if story.share() < _SECOND_LOSSES:
        problems.append(story.one_of(_USUAL))
    for problem in problems:
        _need(story, name, problem, allowed=True)
    _lose(story, name, problems, story.one_of((70.0, 130.0, 200.0)))
    if story.share() < 0.5:
        _decision(story, story.one_of((130.0, 200.0, 400.0)))
    if story.share() < 0.3:
        _lose(story, name, problems[:1])


def _fixed(story: Story) -> None:
    """A fix was applied before the faults, and a person undoes it: during the story it would come too late for that."""
    name, problem = NAMES[0], story.one_of((PROBLEMS[0], story.one_of(_USUAL)))
    story.alive = [name]

    def act(world: World) -> None:
        _lost_before(world, name, problem)
        decide(world, "approve")
        world.run_until_quiet()

    story.steps.append(
        Step(f"{name} lost the permission to {problem.words}, and got it back", 0.0, act, is_before=True)
    )
    _undo(story, story.one_of(_DURING_A_CHECK))


def _ticketed(story: Story) -> None:
    """A function has lost a permission before the faults, and a person has closed the tickets or not."""
    name, problem, is_closed = NAMES[0], story.one_of((PROBLEMS[0], story.one_of(_USUAL))), story.share() < _CLOSED
    story.alive = [name]

    def act(world: World) -> None:
        world.count_anew(MANY_DELIVERIES + 1)  # nothing unusual happens yet, and one batch delivers what several would
        _lost_before(world, name, problem)
        if is_closed:
            close_tickets(world, 0.0)

    closed = ", and a person closed the tickets" if is_closed else ""
    story.steps.append(Step(f"{name} lost the permission to {problem.words}{closed}", 0.0, act, is_before=True))
    if story.share() < 0.6:
        story.add("a person decides: approve every proposal", lambda world: decide(world, "approve"), 0.1)
    else:

        def allow(world: World) -> None:
            if name in world.account.functions:
                problem.allow(world.account, world.account.role_of(name))

        story.add(f"{name} gets the permission to {problem.words}", allow)
        _lose(story, name, [problem], story.one_of((70.0, 130.0, 200.0)))


def _lost_before(world: World, name: str, problem: Problem) -> None:
    """Let a new function lose a permission that it had, until everything is quiet."""
    create(world, name, None)
    problem.allow(world.account, world.account.role_of(name))
    problem.need(world.account, name)
    world.run_until_quiet()
    world.advance_to(world.now + _SETTLED)
    problem.lose(world.account, world.account.role_of(name))
    world.run_until_quiet()


def _lose(story: Story, name: str, problems: Sequence[Problem], after: float | None = None) -> None:
    def act(world: World) -> None:
        if name in world.account.functions:
            for problem in problems:
                problem.lose(world.account, world.account.role_of(name))

    needs = " and ".join(problem.words for problem in problems)
    story.add(f"{name} loses the permission to {needs}", act, after)


def _no_mapping(story: Story) -> None:
    name = story.function()
    story.add(f"let {name} poll no queue", lambda world: _of(world, name, world.account.unmap))


def _role(story: Story) -> None:
    _change(story, story.function(), story.one_of(list(ROLE_CHANGES)))


def _change(story: Story, name: str, words: str, after: float | None = None) -> None:
    change = ROLE_CHANGES[words]

    def act(world: World) -> None:
        if name in world.account.functions:
            change(world, world.account.role_of(name))

    story.add(f"{words} (the role of {name})", act, after)


def _other_role(story: Story) -> None:
    name = story.function()

    def act(world: World) -> None:
        if name in world.account.functions and SHARED in world.account.roles:
            world.account.use_role(name, SHARED)

    story.add(f"let {name} run with the shared role", act)


def _sweep(story: Story) -> None:
    story.add("the sweep starts", sweep)


def sweep(world: World) -> None:
    """Start a sweep."""
    world.invoke_asynchronously("sweep_account", {}, "sweep_account")


def _configuration(story: Story) -> None:
    words, keys = story.one_of(DOCUMENTS)

    def act(world: World) -> None:
        given = json.loads(json.dumps(keys).replace("<end>", _in(world, _SUPPRESSED_FOR)))
        world.document = json.dumps({**world.common, **given})
        world.configurations += 1

    story.add(f"push a configuration: {words}", act)


def _request(story: Story) -> None:
    kind, position = story.one_of(("suppress", "suppress", "unsuppress", "recheck")), story.share()

    def act(world: World) -> None:
        findings = [one for one in findings_in(world) if one.status is not Status.RESOLVED]
        if not findings:
            return
        finding = findings[int(position * len(findings))]
        request = {
            "kind": kind,
            "nonce": f"{world.calls:032x}",
            "finding_id": finding.id,
            "target_arn": finding.target_arn,
            "until": _in(world, _SUPPRESSED_FOR),
            "reason": "We know.",
        }
        if kind == "recheck":
            request["target_arn"] = finding.functions[0] if finding.role_arn else finding.function_arn
        world.invoke_asynchronously("manage_findings", request, f"a person requests: {kind} {finding.rule_id}", 0)

    story.add(f"a person requests: {kind} a finding", act)


def _closing(story: Story) -> None:
    position = story.share()
    story.add("a person closes the tickets of a finding", lambda world: close_tickets(world, position))


def close_tickets(world: World, position: float) -> None:
    """Close the tickets of one of the open findings in every system. `position` is from 0 to 1."""
    findings = [one for one in findings_in(world) if one.status is Status.OPEN]
    if findings:
        finding = findings[int(position * len(findings))]
        world.tell(f"a person closes the tickets of {finding.rule_id}")
        world.receivers.tickets.close(world.stack.ticket_systems, finding)


def _decision(story: Story, after: float | None = None) -> None:
    kind = story.one_of(("approve", "approve", "reject"))
    story.add(f"a person decides: {kind} every proposal", lambda world: decide(world, kind), after)


def _undo(story: Story, after: float | None = None) -> None:
    story.add("a person requests: undo every applied fix", undo, after)


def _stop(story: Story) -> None:
    _switch(story, "stop")


def _stop_for_a_while(story: Story) -> None:
    """A function loses its permission while fixing is stopped, or is stopped while it is fixed."""
    _loss(story)
    _switch(story, "stop", story.one_of((*_DURING_A_CHECK, None)))
    if story.share() < _RESUMED:
        _switch(story, "resume")


def _switch(story: Story, kind: str, after: float | None = None) -> None:
    def act(world: World) -> None:
        request = {"kind": kind, "reason": "We test it.", "nonce": f"{world.calls:032x}"}
        world.invoke_asynchronously("decide_fix", request, f"a person requests: {kind} all fixing", 0)

    story.add(f"a person requests: {kind} all fixing", act, after)


def maintain(world: World) -> None:
    """Start maintenance, as its schedule does."""
    world.invoke_asynchronously("maintain_findings", {}, "maintain_findings")


def _maintenance(story: Story) -> None:
    story.add("maintenance starts", maintain)


_KINDS: Final[tuple[Callable[[Story], None], ...]] = (
    *(_permission, _broad_for_a_while, _no_permission),
    *(_mapping, _loss, _loss, _no_mapping),
    *(_role, _role, _role),
    *(Story.create, Story.create, _delete, _other_role),
    *(_sweep, _configuration, _configuration, _request, _request, _closing, _decision, _undo, _maintenance),
    *(_stop, _stop_for_a_while),
)


def _of(world: World, name: str, change: Callable[[str], None]) -> None:
    if name in world.account.functions:
        change(name)


def _in(world: World, span: timedelta) -> str:
    return (datetime.fromtimestamp(world.now, UTC) + span).replace(microsecond=0).isoformat()
