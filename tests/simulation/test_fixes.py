"""Every fix is applied whole and once, or not at all, wherever it is interrupted; and a fault of that is found.

The simulation replaces the clock and the clients of its whole process: each test starts processes of its own.
"""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from permission_guard.fixes import FIXES
from permission_guard.fixes.policy_change import PolicyChange
from tests.simulation.policy_problems import POLICY_PROBLEMS
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
    "the old statement is removed first": "after change 1 of the policy, the bucket is denied",
    "each delivery is granted": "a replay changed the alerts",
}
"""The faults of `fix_faults.py`, each with how something that it breaks begins."""


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
    """For each problem, and so for a fix that also enables a mapping."""
    for one in POLICY_PROBLEMS:
        start = re.escape(f"{one.rule_id}, {one.words}, approve, undone: ")
        found = re.findall(rf"^{start}(\d+) calls, .* (\d+) endings$", fixes.output, re.MULTILINE)
        assert [int(calls) > 40 and int(endings) > 5 for calls, endings in found] == [True]
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
