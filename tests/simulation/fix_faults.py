"""Deliberate faults of fixes and of their undo: what interrupts a fix must show each of them.

`python -m tests.simulation.fix_faults` tells a story with each fault, in a process of its own, and prints what does not
hold, as JSON. Faults that some seed must show are in `mutations.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.findings import watch
from permission_guard.fixes import policy_change
from permission_guard.fixes.afterwards import Afterwards
from permission_guard.fixes.fixer import Fixer
from permission_guard.fixes.own_undo import OwnUndo
from permission_guard.fixes.policy_change import PolicyChange
from permission_guard.fixes.recorder import FixRecorder
from permission_guard.fixes.undo import Undoer
from permission_guard.model.findings import FixResult
from tests.simulation.branches import Branches
from tests.simulation.fix_stories import crash_at_every_call, told
from tests.simulation.mutations import Part, granted, unowned, unrecorded
from tests.simulation.policy_problems import BROAD, NARROWED
from tests.simulation.policy_stories import OtherWriterStory, PolicyStory, PolicyUndoStory
from tests.simulation.problems import PROBLEMS
from tests.simulation.undo_stories import UndoStory
from tests.simulation.watch_stories import OtherSourcesStory, WatchedAgainStory
from tests.simulation.workers import interleave, replay_every_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.fixes.base import Fix
    from permission_guard.model.findings import Finding, FixRecord, PlannedCall, UndoRecord
    from permission_guard.model.targets import FunctionTarget
    from tests.simulation.fix_stories import Endings

    Function = Callable[..., Any]

QUEUE: Final = PROBLEMS[0]
STOPPED: Final = next(one for one in PROBLEMS if one.stops)
TWO_POLICIES: Final = next(one for one in PROBLEMS if len(one.policies) > 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in words, the functions that have it, and the story that shows it."""

    words: str
    parts: tuple[Part, ...]
    endings: Callable[[], Endings]

    def broken(self) -> list[str]:
        """Break the code of this process; return what does not hold in the story."""
        for part in self.parts:
            part.mutate()
        endings = self.endings()
        lost = [f"{path} has no ending" for path, ending in endings if ending is None]
        return sorted({*lost, *(words for _, ending in endings if ending for words in ending.broken)})


# ── The faults ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _kept(_own: Function) -> Function:
    def mutated(_self: FixRecorder, finding: Finding, record: FixRecord) -> Finding:
        return replace(finding, fix=record)

    return mutated


def _begun_anew(_continue: Function) -> Function:
    def mutated(self: Fixer, target: FunctionTarget, finding: Finding, fix: Fix, _started: Any) -> Any:
        return self._handle(target, finding, fix)

    return mutated


def _forgotten(planned: Function) -> Function:
    def mutated(self: Undoer, target: FunctionTarget, finding: Finding, fix: Fix) -> UndoRecord:
        undo: UndoRecord = planned(self, target, finding, fix)
        is_begun = finding.fix is not None and finding.fix.result is FixResult.UNDOING
        return replace(undo, calls=()) if is_begun else undo

    return mutated


def _nothing(_function: Function) -> Function:
    return lambda *_args: None


def _no_calls(_undo_calls: Function) -> Function:
    return lambda *_args: ()


def _in_reverse(calls: Function) -> Function:
    def mutated(self: Undoer, fix_record: FixRecord, fix: Fix) -> tuple[PlannedCall, ...]:
        return tuple(reversed(calls(self, fix_record, fix)))

    return mutated


def _removed_first(_apply: Function) -> Function:
    def mutated(_self: PolicyChange, change: Any, writer: Any, fix_state: Any, _shows: Any) -> None:
        edit = policy_change.PolicyEdit.recorded(change)
        for call in reversed(edit.calls(policy_change._read(edit.resource_arn, fix_state))):
            policy_change._make(call, writer, policy_change._read(edit.resource_arn, fix_state).revision)

    return mutated


def _of_any_revision(make: Function) -> Function:
    return lambda call, writer, _revision: make(call, writer, "")


def _removed_first_by_the_undo(undo_calls: Function) -> Function:
    return lambda *arguments: tuple(reversed(undo_calls(*arguments)))


def _of_any_name(failures_of: Function) -> Function:
    def mutated(source: str, region: str, account: str) -> Any:
        return failures_of(f"{source}-backup", region, account)

    return mutated


FAULTS: Final = (
    Fault(
        "nothing is recorded before the write",
        (Part(FixRecorder, "own", _kept),),
        lambda: crash_at_every_call(QUEUE, "auto").endings,
    ),
    Fault(
        "the rest of a fix is planned anew",
        (Part(Fixer, "_finish", _nothing),),
        lambda: crash_at_every_call(TWO_POLICIES, "approve").endings,
    ),
    Fault(
        "a started fix is not finished",
        (Part(Fixer, "_continue", _begun_anew),),
        lambda: crash_at_every_call(QUEUE, "auto").endings,
    ),
    Fault(
        "no worker owns the fix",
        (Part(FixRecorder, "own", unowned),),
        partial(interleave, QUEUE, "auto", both=False),
    ),
    Fault(
        "the rest of an undo is forgotten",
        (Part(Undoer, "_planned", _forgotten),),
        lambda: crash_at_every_call(TWO_POLICIES, "auto", UndoStory).endings,
    ),
    Fault(
        "an undo leaves the mapping enabled",
        (Part(Afterwards, "undo_calls", _no_calls),),
        lambda: [((), told(STOPPED, "auto", UndoStory))],
    ),
    Fault(
        "an undo disables the mapping last",
        (Part(Undoer, "_calls", _in_reverse),),
        lambda: [((), told(STOPPED, "auto", UndoStory))],
    ),
    Fault(
        "no worker owns the undo",
        (Part(FixRecorder, "own", unowned),),
        partial(interleave, QUEUE, "auto", UndoStory, both=False),
    ),
    Fault(
        "the old statement is removed first",
        (Part(PolicyChange, "apply", _removed_first),),
        lambda: crash_at_every_call(BROAD, "approve", PolicyStory).endings,
    ),
    Fault(
        "an undo removes the new statement first",
        (Part(PolicyChange, "undo_calls", _removed_first_by_the_undo),),
        lambda: [((), told(BROAD, "approve", PolicyUndoStory))],
    ),
    Fault(
        "a change names no revision",
        (Part(policy_change, "_make", _of_any_revision),),
        lambda: [((), told(BROAD.in_one_call(), "approve", OtherWriterStory))],
    ),
    Fault(
        "the watch reads the metric of another source",
        (Part(watch, "_failures_of", _of_any_name),),
        lambda: [((), told(NARROWED[0], "approve", OtherSourcesStory))],
    ),
    Fault(
        "the bot does not remember that it undid a fix",
        (Part(OwnUndo, "begin", _nothing),),
        lambda: [((), told(NARROWED[0], "approve", WatchedAgainStory))],
    ),
    Fault(
        "each delivery is granted",
        (Part(DeliveryTable, "claim", granted), Part(DeliveryTable, "complete", unrecorded)),
        lambda: [((), replay_every_event(QUEUE, "auto", reverse=False))],
    ),
)


def main() -> None:
    """Print what each fault breaks."""
    told(QUEUE, "auto")  # what a process needs is then made once, for all faults
    branches = Branches[list[str]]()
    for fault in FAULTS:
        if branches.starts(fault.words):
            branches.end(fault.broken())
    print(json.dumps({path[0]: broken for path, broken in branches.end([]) if path}))


if __name__ == "__main__":
    main()
