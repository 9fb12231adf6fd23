"""Every fix is applied whole and once, or not at all, wherever it is interrupted; and a fault of that is found.

The simulation replaces the clock and the clients of its whole process: each test starts processes of its own.
"""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from permission_guard.fixes import all_fixes
from permission_guard.fixes.policy_change import PolicyChange
from tests.simulation.policy_problems import NARROWED, POLICY_PROBLEMS
from tests.simulation.problems import PROBLEMS
from tests.simulation.test_seeds import COMMAND, Done, python

FAULTS: Final = {
    "nothing is recorded before the write": "the role is fixed, and the fix is recorded as None, 0 times as applied",
    "the rest of a fix is planned anew": "a part of the fix is applied",
    "a started fix is not finished": "nothing_is_stuck",
    "no worker owns the fix": "no_fix_is_applied_twice",
    "the rest of an undo is forgotten": "a part of the fix is undone",
    "an undo leaves the mapping enabled": "a part of the fix is undone",
    "an undo disables the mapping last": "a mapping was disabled",
    "no worker owns the undo": "every_write_was_planned",
    "the old statement is removed first": "after change 1 of the policy, arn:aws:s3:::uploads",
    "an undo removes the new statement first": "after change 3 of the policy, arn:aws:s3:::uploads",
    "a change names no revision": "after change 1 of the policy, the statement of the other writer is lost",
    "the watch reads the metric of another source": "the undo was requested 1 times",
    "the bot does not remember that it undid a fix": "Fix Undone: 2 times, not 1",
    "each delivery is granted": "a replay changed the alerts",
}
"""The faults of `fix_faults.py`, each with how something that it breaks begins."""

_OF_POLICIES: Final = sorted({one.rule_id for one in POLICY_PROBLEMS})
_ONE_WAY: Final = {"PG112": {False}, "PG113": {True}}


@pytest.fixture(scope="module")
def fixes() -> Done:
    """Interrupt every fix."""
    return python(*COMMAND, "fixes")


def test_an_interrupted_fix_is_applied_whole_and_once(fixes: Done) -> None:
    """With one record, one alert and what undoes it: after a crash at any call, at two workers, and after a replay."""
    assert (fixes.code, fixes.errors) == (0, ""), fixes.output


def test_each_rule_with_a_fix_is_interrupted_in_both_modes(fixes: Done) -> None:
    """At dozens of calls each. The fixes of policies wait for an approval in each mode: one of each is enough."""
    lines = fixes.output.splitlines()
    of_policies = {problem.rule_id for problem in POLICY_PROBLEMS}
    of_roles = [fix for fix in all_fixes() if not isinstance(fix, PolicyChange)]
    changing_policies = [fix for fix in all_fixes() if isinstance(fix, PolicyChange)]
    assert {rule_id for fix in changing_policies for rule_id in fix.rule_ids} == of_policies
    for rule_id in sorted({*of_policies, *(rule_id for fix in of_roles for rule_id in fix.rule_ids)}):
        assert _interrupted(lines, rule_id, "approve")
        assert rule_id in of_policies or _interrupted(lines, rule_id, "auto")
    assert all(any(_interrupted(lines, rule_id, "auto") for rule_id in fix.rule_ids) for fix in changing_policies)
    assert sum("two workers" in line for line in lines) == 3
    assert sum("a replay of every event" in line for line in lines) == 6
    assert sum("the role of two functions" in line for line in lines) == 1
    assert sum("approve, twice" in line for line in lines) == 1


def _interrupted(lines: list[str], rule_id: str, mode: str) -> bool:
    """Return whether the fixes of a rule were interrupted, at dozens of calls each."""
    calls = [re.search(rf"^{rule_id}, .*, {mode}: (\d+) calls, .* (\d+) endings$", line) for line in lines]
    found = [(int(one[1]), int(one[2])) for one in calls if one]
    return bool(found) and all(number > 40 and endings > 5 for number, endings in found)


def test_each_way_of_writing_a_policy_is_interrupted() -> None:
    """By single calls and by one PutResourcePolicy. Adding needs only the former, and compacting only the latter."""
    ways = {rule_id: {one.replaces for one in POLICY_PROBLEMS if one.rule_id == rule_id} for rule_id in _OF_POLICIES}
    assert ways == {rule_id: _ONE_WAY.get(rule_id, {False, True}) for rule_id in _OF_POLICIES}


def test_each_watched_narrowing_is_interrupted(fixes: Done) -> None:
    """While the bot requests its undo, and while it undoes it; and deliveries of others undo nothing."""
    for one in NARROWED:
        start = re.escape(f"{one.rule_id}, {one.words}, approve, ")
        found = re.findall(rf"^{start}its deliveries fail: (\d+) calls, .* (\d+) endings$", fixes.output, re.MULTILINE)
        assert [int(calls) > 40 and int(endings) > 5 for calls, endings in found] == [True]
        assert re.search(rf"^{start}deliveries of others fail$", fixes.output, re.MULTILINE)
    assert fixes.output.count("its deliveries fail again after the undo") == 1


def test_each_fix_is_undone_and_interrupted(fixes: Done) -> None:
    """For each problem, and so for a fix that also enables a mapping."""
    for one in POLICY_PROBLEMS:
        start = re.escape(f"{one.rule_id}, {one.words}, approve, undone: ")
        found = re.findall(rf"^{start}(\d+) calls, .* (\d+) endings$", fixes.output, re.MULTILINE)
        # An undo that is refused takes fewer calls.
        assert [int(calls) >= 30 and int(endings) >= 4 for calls, endings in found] == [True]
    for problem in PROBLEMS:
        start = re.escape(f"{problem.rule_id}, {problem.words}, auto, undone: ")
        found = re.findall(rf"^{start}(\d+) calls, .* (\d+) endings$", fixes.output, re.MULTILINE)
        assert [int(calls) > 40 and int(endings) > 5 for calls, endings in found] == [True]


def test_some_fix_takes_more_than_one_call() -> None:
    """Otherwise no crash leaves a part of a fix: two policies, or a policy and a mapping."""
    assert any(len(one.policies) > 1 for one in PROBLEMS)
    assert any(one.stops for one in PROBLEMS)


@pytest.fixture(scope="module")
def faults() -> Done:
    """Tell a story with each fault."""
    return python("-m", "tests.simulation.fix_faults")


def test_each_fault_is_tried(faults: Done) -> None:
    """And each story with one comes to its ends."""
    assert (faults.code, faults.errors) == (0, "")
    tried: dict[str, list[str]] = json.loads(faults.output)
    assert tried.keys() == FAULTS.keys()
    assert [words for broken in tried.values() for words in broken if words.endswith("has no ending")] == []


@pytest.mark.parametrize(("fault", "broken"), FAULTS.items(), ids=FAULTS)
def test_a_fault_is_found(fault: str, broken: str, faults: Done) -> None:
    """Otherwise the tests above would show nothing."""
    assert [words for words in json.loads(faults.output)[fault] if words.startswith(broken)]
