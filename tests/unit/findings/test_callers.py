"""Who changes a function and its roles is remembered for 400 days."""

from __future__ import annotations

import json

from permission_guard.findings.callers import MAX_CALLERS, Caller, remembered_callers
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from tests.fakes import NOW

JANE = "arn:aws:iam::123456789012:user/jane"
TODAY = NOW[:10]


def test_a_caller_is_remembered_once_with_its_last_day() -> None:
    """The last one comes last."""
    old = (Caller(JANE, "", "2026-11-01"), Caller("", "terraform", "2026-11-02"))
    found = remembered_callers(old, [Caller(JANE, "")], NOW)
    assert found == (Caller("", "terraform", "2026-11-02"), Caller(JANE, "", TODAY))


def test_the_same_principal_with_and_without_a_tool_are_two_callers() -> None:
    """A person who runs Terraform, and then works at the console."""
    assert len(remembered_callers((), [Caller(JANE, "terraform"), Caller(JANE, "")], NOW)) == 2


def test_a_caller_is_forgotten_after_400_days() -> None:
    """Then another tool manages the function, or nothing has changed it since."""
    last = Caller(JANE, "terraform", "2025-10-16")
    assert remembered_callers((last,), (), "2026-11-20T10:00:00+00:00") == (last,)
    assert remembered_callers((last,), (), "2026-11-21T10:00:00+00:00") == ()


def test_at_most_ten_callers_are_remembered_and_nobody_is_none() -> None:
    """An event without a caller and a tool says nothing."""
    many = [Caller(f"{JANE}-{number}", "") for number in range(MAX_CALLERS + 5)]
    found = remembered_callers((), [*many, Caller("", "")], NOW)
    assert [each.by for each in found] == [each.by for each in many[5:]]


def test_callers_are_part_of_the_checkpoint() -> None:
    """An earlier version has none. A checkpoint that cannot be read is not complete: its callers are unknown."""
    checkpoint = Checkpoint(callers=(Caller(JANE, "terraform", TODAY),))
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint
    older = json.loads(checkpoint.to_json())
    del older["callers"]
    assert CheckRun.after(1, json.dumps(older), NOW).checkpoint.callers == ()
    assert CheckRun.after(1, json.dumps(older), NOW).checkpoint.is_complete
    damaged = {**older, "callers": [{"by": JANE, "tool": "terraform", "day": "yesterday"}]}
    assert not CheckRun.after(1, json.dumps(damaged), NOW).checkpoint.is_complete
    assert CheckRun.after(0, "", "").checkpoint.is_complete
