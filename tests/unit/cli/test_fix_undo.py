"""`permission-guard fixes undo ID`: a person undoes exactly the fix that the command has shown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bootstrap import deployment
from permission_guard.cli import fix_undo
from permission_guard.delivery.text import shown_time
from permission_guard.errors import RequestRefusedError, RetryableError
from permission_guard.model.findings import FixResult, Status, Transition, UndoRecord
from tests.unit.cli.test_fixes_by_id import APPLIED, JANE, PROPOSED, Stack, run

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding

assert APPLIED.fix is not None
FIX = APPLIED.fix
ID = APPLIED.id
AT = "2026-11-20T11:00:00+00:00"
UNDO = UndoRecord(revision=3, by=JANE, at=AT, ended_at=AT, summary="Undone with iam:DetachRolePolicy.")
UNDONE = replace(APPLIED, transition=Transition.FIX_UNDONE, fix=replace(FIX, result=FixResult.UNDONE, undo_record=UNDO))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Return the stack that the command opens, with an applied fix."""
    opened = Stack(found=[APPLIED])
    monkeypatch.setattr(deployment, "deployment", opened)
    return opened


@pytest.mark.parametrize("status", [Status.OPEN, Status.RESOLVED])
def test_the_fix_is_shown_and_exactly_this_fix_is_undone(stack: Stack, status: Status) -> None:
    """With the revision and the hash that were read, whatever the status of the finding is."""
    stack.found = [replace(APPLIED, status=status)]
    result = run("undo", ID[:8], "--yes", "--reason", "Orders is down", "--stack-name", "guard")
    assert result.exit_code == 0
    for text in (
        "What the undo changes",
        "  - arn:aws:iam::aws:policy/",
        FIX.plan_hash,
        "It stays. The bot undoes only",
    ):
        assert text in result.stdout
    assert f"Requested by {JANE}. The bot undoes the fix within minutes" in result.stdout
    (request,) = stack.sent
    assert (request.kind, request.finding_id, request.revision) == ("undo", ID, APPLIED.revision)
    assert (request.plan_hash, request.reason) == (FIX.plan_hash, "Orders is down")


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_on_a_terminal_a_person_is_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, sent: int
) -> None:
    """After what is undone."""
    monkeypatch.setattr(fix_undo, "is_terminal", lambda: True)
    result = run("undo", ID, answer=answer)
    assert (result.exit_code, len(stack.sent)) == (code, sent)
    assert result.output.index("What the undo changes") < result.output.index("Undo this fix?")


def test_where_nobody_can_be_asked_the_plan_or_yes_is_needed(stack: Stack) -> None:
    """The message has the hash of the fix that was shown. Whoever has it is not asked."""
    result = run("undo", ID)
    assert (result.exit_code, stack.sent) == (2, [])
    assert f"Add --plan {FIX.plan_hash} to undo this fix, or --yes." in result.stderr
    assert run("undo", ID, "--plan", FIX.plan_hash).exit_code == 0


def test_json_is_the_answer_alone(stack: Stack) -> None:
    """The fix is on standard error."""
    result = run("undo", ID, "--yes", "--format", "json")
    assert json.loads(result.stdout)["decision"] == "undo"
    assert "What the undo changes" in result.stderr


@pytest.mark.parametrize(
    ("finding", "why"),
    [
        (replace(APPLIED, fix=None), "the finding has no fix."),
        (replace(PROPOSED, id=ID), "the fix is proposed: only an applied fix can be undone."),
        (UNDONE, f"the fix was undone at {AT}, as {JANE} requested."),
        (replace(APPLIED, fix=replace(FIX, calls=())), "an earlier version of the bot applied the fix"),
    ],
    ids=["no fix", "proposed", "undone", "earlier version"],
)
def test_what_cannot_be_undone_is_not_requested(stack: Stack, finding: Finding, why: str) -> None:
    """The message says what state the fix is in."""
    stack.found = [finding]
    result = run("undo", ID, "--yes")
    assert (result.exit_code, stack.sent) == (1, [])
    assert f"The finding {ID} has no such fix to undo: {why}" in result.stderr


@pytest.mark.parametrize("words", [(), ("--plan", FIX.plan_hash)])
def test_an_earlier_fix_can_only_be_undone_by_hand(stack: Stack, words: tuple[str, ...]) -> None:
    """The message says so, and has the command. A hash of neither fix is another plan."""
    newer = replace(FIX, change={**FIX.change, "policy_arns": ["arn:aws:iam::aws:policy/other"]})
    newer = replace(newer, attempts=2, result=FixResult.APPLIED if words else FixResult.REFUSED)
    stack.found, stack.past = [replace(APPLIED, revision=9, fix=newer)], [APPLIED]
    result = run("undo", ID, "--yes", *words)
    assert (result.exit_code, stack.sent) == (1, [])
    assert "Only the last fix of a finding can be undone through its id." in result.stderr
    assert f"at {FIX.at}, can be undone by hand: {FIX.undo}" in result.stderr
    other = run("undo", ID, "--plan", "0" * 64)
    assert (other.exit_code, "by hand" in other.stderr) == (1, False)


@pytest.mark.parametrize("error", [RequestRefusedError("fixing is stopped"), RetryableError("decide_fix failed")])
def test_what_is_not_recorded_says_why(stack: Stack, error: Exception) -> None:
    """On standard error."""
    stack.error = error
    result = run("undo", ID, "--yes")
    assert (result.exit_code, f"Not requested: {error}" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("3f",), "ID requires 6 to 32 characters"),
        ((ID, "--yes", "--reason", " "), "Not requested: the `reason` is blank"),
        ((ID, "--yes", "--reason", "a\nb"), "Not requested: the `reason` has a line break"),
        ((ID, "--yes", "--reason", "x" * 501), "Not requested: the request has no valid `reason`"),
        ((ID, "--stack-name", "-"), "--stack-name requires the name of a stack"),
    ],
)
def test_invalid_usage_says_what_to_give(stack: Stack, words: tuple[str, ...], message: str) -> None:
    """Nothing is sent."""
    result = run("undo", *words)
    assert (result.exit_code, stack.sent) == (2, [])
    assert message in result.stderr


def test_the_undo_of_a_fix_is_shown_and_earlier_fixes_are_listed(stack: Stack) -> None:
    """Who requested it and how it ended. Each applied fix is listed once, with its last state."""
    stack.found = [UNDONE]
    text = run("show", ID).stdout
    assert f"{JANE} at {shown_time(AT)}" in text
    assert UNDO.summary in text
    assert "fixes undo" not in text
    assert f"permission-guard fixes undo {ID[:8]}" in shown(stack, APPLIED)
    requested = replace(APPLIED, fix=replace(FIX, undo_record=replace(UNDO, ended_at="")))
    assert "undo requested since" in shown(stack, requested)
    stack.found = [replace(PROPOSED, id=ID)]
    stack.past = [replace(APPLIED, revision=3), replace(UNDONE, revision=5)]
    listed: Any = json.loads(run("list", "--format", "json").stdout)["fixes"]
    assert [(one["stage"], one["is_last"]) for one in listed] == [("waiting", True), ("undone", False)]


def shown(stack: Stack, finding: Finding) -> str:
    """Return what `show` prints of a finding."""
    stack.found = [finding]
    return str(run("show", ID).stdout)
