"""Every fix is applied whole and once, or not at all, wherever it is interrupted; and a fault of that is found.

The simulation replaces the clock and the clients of its whole process: each test starts processes of its own.
"""

from __future__ import annotations

import re
from typing import Final

import pytest

from permission_guard.fixes import FIXES
from permission_guard.fixes.policy_change import PolicyChange
from tests.simulation.policy_problems import POLICY_PROBLEMS
from tests.simulation.problems import PROBLEMS
from tests.simulation.test_seeds import COMMAND, Done, python

MUTATED: Final = """
from dataclasses import replace
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.findings.lifecycle import Change
from permission_guard.fixes import policy_change
from permission_guard.fixes.fixer import Fixer
from permission_guard.fixes.recorder import FixRecorder
from permission_guard.fixes.undo import Undoer
from permission_guard.model.findings import FixResult
from tests.simulation.fix_stories import crash_at_every_call
from tests.simulation.mutations import _granted, _unowned, _unrecorded
from tests.simulation.policy_problems import POLICY_PROBLEMS
from tests.simulation.policy_stories import PolicyStory
from tests.simulation.problems import PROBLEMS
from tests.simulation.undo_stories import UndoStory
from tests.simulation.workers import interleave, replay_every_event

queue = PROBLEMS[0]
two_policies = next(one for one in PROBLEMS if len(one.policies) > 1)
{}
assert [path for path, ending in endings if ending is None] == []
print(sorted({{words.partition(":")[0] for _, ending in endings for words in ending.broken}}))
"""
"""Prints what a fault breaks."""

FAULTS: Final = {
    "nothing is recorded before the write": (
        """
def own(self, finding, record):
    return replace(finding, fix=record)

FixRecorder.own = own
endings = crash_at_every_call(queue, "auto").endings
""",
        "the role is fixed, and the fix is recorded as None, 0 times as applied",
    ),
    "the rest of a fix is planned anew": (
        """
Fixer._finish = lambda self, target, owned, fix, started: None
endings = crash_at_every_call(two_policies, "approve").endings
""",
        "a part of the fix is applied",
    ),
    "a started fix is not finished": (
        """
Fixer._continue = lambda self, target, finding, fix, started: self._handle(target, finding, fix)
endings = crash_at_every_call(queue, "auto").endings
""",
        "nothing_is_stuck",
    ),
    "no worker owns the fix": (
        """
FixRecorder.own = _unowned(FixRecorder.own)
endings = interleave(queue, "auto", both=False)
""",
        "no_fix_is_applied_twice",
    ),
    "the rest of an undo is forgotten": (
        """
def forgotten(self, target, finding, fix, planned=Undoer._planned):
    undo = planned(self, target, finding, fix)
    return replace(undo, calls=()) if finding.fix.result is FixResult.UNDOING else undo

Undoer._planned = forgotten
endings = crash_at_every_call(two_policies, "auto", UndoStory).endings
""",
        "a part of the fix is undone",
    ),
    "no worker owns the undo": (
        """
FixRecorder.own = _unowned(FixRecorder.own)
endings = interleave(queue, "auto", UndoStory, both=False)
""",
        "every_write_was_planned",
    ),
    "the old statement is removed first": (
        """
def apply(self, change, writer, fix_state, shows):
    edit = policy_change.PolicyEdit.recorded(change)
    for call in reversed(edit.calls(policy_change._read(edit.resource_arn, fix_state))):
        policy_change._make(call, writer, policy_change._read(edit.resource_arn, fix_state).revision)

policy_change.PolicyChange.apply = apply
endings = crash_at_every_call(POLICY_PROBLEMS[0], "approve", PolicyStory).endings
""",
        "after change 1 of the policy, the bucket is denied",
    ),
    "each delivery is granted": (
        """
DeliveryTable.claim, DeliveryTable.complete = _granted(None), _unrecorded(None)
endings = [((), replay_every_event(queue, "auto", reverse=False))]
""",
        "a replay changed the alerts",
    ),
}
"""Faults of the code, each with what must be among what it breaks."""


@pytest.fixture(scope="module")
def fixes() -> Done:
    """Interrupt every fix."""
    return python(*COMMAND, "fixes")


def test_an_interrupted_fix_is_applied_whole_and_once(fixes: Done) -> None:
    """With one record, one alert and what undoes it: after a crash at any call, at two workers, and after a replay."""
    assert (fixes.code, fixes.errors) == (0, ""), fixes.output


def test_each_rule_with_a_fix_is_interrupted_in_both_modes(fixes: Done) -> None:
    """At dozens of calls each. A new fix needs a problem, and a new rule of one that changes roles."""
    lines = fixes.output.splitlines()
    of_policies = {problem.rule_id for problem in POLICY_PROBLEMS}
    of_roles = [fix for fix in FIXES if not isinstance(fix, PolicyChange)]
    assert all(fix in of_roles or fix.rule_ids & of_policies for fix in FIXES)
    for rule_id in sorted({*of_policies, *(rule_id for fix in of_roles for rule_id in fix.rule_ids)}):
        for mode in ("auto", "approve"):
            calls = [re.search(rf"^{rule_id}, .*, {mode}: (\d+) calls, .* (\d+) endings$", line) for line in lines]
            found = [(int(one[1]), int(one[2])) for one in calls if one]
            assert found
            assert all(number > 40 and endings > 5 for number, endings in found)
    assert sum("two workers" in line for line in lines) == 3
    assert sum("a replay of every event" in line for line in lines) == 6
    assert sum("the role of two functions" in line for line in lines) == 1


def test_each_fix_is_undone_and_interrupted(fixes: Done) -> None:
    """For each problem. One whose fix also enables a mapping is left out."""
    for one in POLICY_PROBLEMS:
        start = re.escape(f"{one.rule_id}, {one.words}, approve, undone: ")
        found = re.findall(rf"^{start}(\d+) calls, .* (\d+) endings$", fixes.output, re.MULTILINE)
        assert [int(calls) > 40 and int(endings) > 5 for calls, endings in found] == [True]
    for problem in PROBLEMS:
        start = re.escape(f"{problem.rule_id}, {problem.words}, auto, undone: ")
        found = re.findall(rf"^{start}(\d+) calls, .* (\d+) endings$", fixes.output, re.MULTILINE)
        assert [int(calls) > 40 and int(endings) > 5 for calls, endings in found] == ([] if problem.stops else [True])


def test_some_fix_attaches_more_than_one_policy() -> None:
    """Otherwise no crash leaves a part of a fix."""
    assert any(len(one.policies) > 1 for one in PROBLEMS)


@pytest.mark.parametrize(("fault", "broken"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found(fault: str, broken: str) -> None:
    """Otherwise the tests above would show nothing."""
    done = python("-c", MUTATED.format(fault))
    assert (done.code, done.errors) == (0, "")
    assert broken in done.output
