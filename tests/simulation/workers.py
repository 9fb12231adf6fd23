"""Two workers of `apply_fix` for one event: wherever the one is interrupted, and the other one after it.

Every event reaches its queue twice. The first worker stops before a call about what both of them change, whichever it
is, and the second one goes on to its end; or the second one also stops before such a call, and the first one goes on to
its end before it does. Other calls have the same answer in any order, so that no worker stops before them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tests.simulation.branches import Branches
from tests.simulation.decisions import findings_in
from tests.simulation.environments import Invocation
from tests.simulation.fix_stories import A_WHILE, FIXES_AN_HOUR, ROLE, Ending, FixStory, Ordinary
from tests.simulation.run import installed
from tests.simulation.stack import Poller, deployed
from tests.simulation.story import maintain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.calls import Call
    from tests.simulation.fix_stories import Endings, Kind
    from tests.simulation.problems import Problem
    from tests.simulation.world import World

T = TypeVar("T")

WORKER: Final = "apply_fix"
_SHARED: Final = frozenset({"iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies"})
"""The calls that read or write what a worker changes, besides those about the tables."""
_TABLES: Final = ("FindingsTable", "DecisionsTable")


class Interleaved(Ordinary):
    """Lets two workers take turns from when `world` is set: each order is a branch."""

    def __init__(self, branches: Branches[Ending], *, both: bool) -> None:
        super().__init__()
        self._branches, self._both = branches, both
        self._stopped: list[Invocation] = []
        self._has_changed = False
        """Whether the second worker has changed something."""
        self.world: World | None = None

    def happens(self, kind: str, probability: float) -> bool:
        """Decide for two of each event, and whether the other worker goes on."""
        if self.world is None:
            return False
        return kind == "duplicate event" or (kind == "switch" and self._switches(self.world))

    def pick(self, kind: str, options: Sequence[T]) -> T:
        """Decide for the other worker once one has stopped, else for the first option."""
        if kind == "next" and self._stopped:
            return next((one for one in options if _is_worker(one)), options[0])
        return options[0]

    def _switches(self, world: World) -> bool:
        worker = world.current
        call = worker.waiting if worker else None
        if worker is None or worker.environment.function != WORKER or worker in self._stopped:
            return False
        if call is None or not _is_shared(call):
            return False
        if self._stopped and (not self._both or len(self._stopped) == 2 or not self._matters(call)):
            return False
        if not self._stopped and not self._has_another(world):
            return False
        words = f"the {'second' if self._stopped else 'first'} worker stops before {call}"
        if not self._branches.starts(words):
            return False
        world.tell(words)
        self._stopped.append(worker)
        return True

    def _matters(self, call: Call) -> bool:
        """Return whether stopping here is another order of calls.

        While the second worker only reads, the first one may as well have read more before: then it is another one only
        where the first one has stopped before a change.
        """
        first = self._stopped[0].waiting
        has_changed, self._has_changed = self._has_changed, self._has_changed or not call.is_read
        return has_changed or (first is not None and not first.is_read)

    def _has_another(self, world: World) -> bool:
        return bool(world.queues.queues["FixQueue"].visible(world.now))


def _is_shared(call: Call) -> bool:
    is_about_tables = call.params.get("TableName") in _TABLES or "TransactItems" in call.params
    return str(call) in _SHARED or (is_about_tables and not _reads_a_decision(call))


def _reads_a_decision(call: Call) -> bool:
    """Return whether a call reads what only people write: about a fix, or about all fixing."""
    is_get = call.operation == "GetItem" and call.params["TableName"] == "DecisionsTable"
    return is_get and call.params["Key"]["finding_id"]["S"] != "BREAKER"


def _is_worker(option: Any) -> bool:
    """Return whether what can happen next is that a worker goes on, or starts."""
    (about, *_) = option.args if getattr(option, "args", None) else (None,)
    is_running = isinstance(about, Invocation) and about.environment.function == WORKER
    return is_running or (isinstance(about, Poller) and about.function == WORKER)


def interleave(problem: Problem, mode: str, kind: Kind = FixStory, *, both: bool = True) -> Endings:
    """Return the endings of a story in which two workers get the event that starts the fix, for each order of calls.

    That is the event that the finding was opened, or that a person approved the plan or requested the undo. `both` is
    whether the second worker stops, too.
    """
    branches = Branches[Ending]()
    choices = Interleaved(branches, both=both)
    with installed(deployed(mode, FIXES_AN_HOUR), choices, []) as world:
        story = kind(world, problem)
        story.begin()
        if mode == "approve":
            story.propose()
        choices.world = world
        story.go_on()
        return branches.end(story.end())


def replay_every_event(problem: Problem, mode: str, kind: Kind = FixStory, *, reverse: bool) -> Ending:
    """Return the ending of a story after which each event and each message is delivered once more, in order or not."""
    with installed(deployed(mode, FIXES_AN_HOUR), Ordinary(), []) as world:
        story = kind(world, problem)
        delivered: list[Callable[[], object]] = []
        world.transport.on_delivery = delivered.append
        story.begin()
        story.go_on()
        done = _done(story)
        every = list(delivered)
        for again in reversed(every) if reverse else every:
            world.count_anew()  # none of them is delayed
            again()
            world.run_until_quiet()
        world.advance_to(world.now + A_WHILE)
        maintain(world)
        world.run_until_quiet()
        ending = story.end()
        changed = [f"a replay changed {name}" for name, was in done.items() if was != _done(story)[name]]
        return replace(ending, broken=(*ending.broken, *changed))


def _done(story: FixStory) -> dict[str, Any]:
    """Return what a replay must not change."""
    world = story.world
    return {
        "the policies of the role": sorted(world.account.roles[ROLE].attached),
        "the changes": len(world.account.written_by_us),
        "the findings": {one.id: (one.status, one.revision) for one in findings_in(world)},
        "the alerts": {channel: tuple(messages) for channel, messages in world.receivers.messages.items()},
        "the tickets": json.dumps(world.receivers.ops_items, sort_keys=True),
    }
