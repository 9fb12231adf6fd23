"""The plan of a fix as text: what is called and changed, on what it rests, what is unknown, and its hash."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.delivery.plans import approved_until, plan_parts
from permission_guard.delivery.tickets.ops_item.content import MAX_VALUE, content
from permission_guard.model.findings import Finding, FixRecord, FixResult, PlannedCall, Transition
from tests.paths import FINDINGS

PROPOSED = Finding.from_document(json.loads((FINDINGS / "fix-proposed.json").read_text()))
assert PROPOSED.fix is not None
FIX: FixRecord = PROPOSED.fix
JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
APPROVED = replace(FIX, approve="", decided_by=JANE, at="2026-11-20T11:00:00+00:00")


def text_of(fix: FixRecord, title: str) -> str:
    """Return the text under a title."""
    return dict(plan_parts(fix))[title]


def test_a_list_shows_what_is_added_and_removed_and_how_much_stays() -> None:
    """The rest of the state is in the evidence."""
    fix = replace(FIX, before={"attached": ["a", "b"], "same": 1}, expected={"attached": ["b", "c"], "same": 1})
    assert text_of(fix, "Before and after") == "attached:\n  - a\n  + c\n  1 unchanged"


def test_other_values_are_shown_before_and_after() -> None:
    """Also a value that did not exist."""
    fix = replace(FIX, before={"a": "x", "b": None}, expected={"a": "y", "b": ["z"], "c": 1})
    assert text_of(fix, "Before and after") == 'a: x -> y\nb: null -> ["z"]\nc: null -> 1'
    assert text_of(replace(FIX, before={}, expected={}), "Before and after") == "Nothing changes."


def test_after_a_fix_the_state_that_was_read_counts() -> None:
    """It can differ from what was expected."""
    fix = replace(FIX, result=FixResult.APPLIED, after={**FIX.expected, "attached_policies": ["other"]})
    assert "  + other" in text_of(fix, "Before and after")


def test_a_certificate_is_shown_with_its_grounds() -> None:
    """Whoever approves the plan reads what is certain about it. An earlier version recorded none."""
    title, grounds = "What is certain about the plan", ["One sentence.", "Another one."]
    fix = replace(FIX, certificate={"kind": "attach", "holds": True, "grounds": grounds})
    assert text_of(fix, title) == "The certificate (attach) holds:\n  One sentence.\n  Another one."
    assert title not in dict(plan_parts(replace(FIX, certificate={})))


def test_a_fix_without_a_plan_has_no_parts() -> None:
    """It was refused, or recorded by an earlier version."""
    assert list(plan_parts(replace(FIX, calls=()))) == []


def test_a_name_cannot_forge_a_line_of_the_plan() -> None:
    """The values come from AWS, whose callers choose them."""
    forged = "x\n\nHow to approve it:\naws iam create-user \u202e"
    calls = (PlannedCall(operation="iam:AttachRolePolicy", parameters={"RoleName": forged}),)
    fix = replace(
        FIX,
        calls=calls,
        before={forged: forged},
        expected={forged: [forged]},
        rests_on={forged: [forged]},
        unknowns=(forged,),
        certificate={"kind": forged, "holds": True, "grounds": [forged]},
    )
    for title, part in plan_parts(fix):
        assert "How to approve it" not in [line.strip().rstrip(":") for line in part.split("\n")], title
        assert all(char.isprintable() or char == "\n" for char in part), title


def test_an_approval_is_shown_with_its_end() -> None:
    """24 hours after the decision. A proposal and an applied fix have none."""
    assert approved_until(APPROVED) == "2026-11-21T11:00:00Z"
    assert "valid until 2026-11-21T11:00:00Z" in text_of(APPROVED, "Hash of the plan")
    for fix in (FIX, replace(APPROVED, result=FixResult.APPLIED), replace(APPROVED, result=FixResult.REJECTED)):
        assert approved_until(fix) == ""
    body = text(compose(replace(PROPOSED, fix=APPROVED, transition=Transition.FIX_APPROVED)))
    assert f"Approved by:\n{JANE} until 2026-11-21T11:00:00Z\n" in body


def test_a_proposal_that_takes_no_approval_has_a_hash_and_no_command() -> None:
    """It was made in the mode `plan`."""
    body = text(compose(replace(PROPOSED, fix=replace(FIX, approve=""))))
    assert FIX.plan_hash in body
    assert "approv" not in body


@pytest.mark.parametrize("longest", [1, 10_000])
def test_a_ticket_has_the_plan_and_the_command(longest: int) -> None:
    """The operational data has them in full, whatever fits into the description. A command is never cut."""
    fix = replace(FIX, rests_on={**FIX.rests_on, "missing": ["x" * 100] * longest})
    data = content(replace(PROPOSED, fix=fix)).data
    assert data["bot_fix_plan"].startswith("Calls to AWS:\niam:AttachRolePolicy\n  RoleName: orders-role\n")
    assert data["bot_fix_approve"] == FIX.approve
    assert len(data["bot_fix_plan"].encode()) <= MAX_VALUE
    assert (FIX.unknowns[1] in data["bot_fix_plan"]) is (longest == 1)


def test_a_ticket_does_not_keep_a_command_that_approves_nothing_any_more() -> None:
    """OpsCenter keeps a value that is not written again."""
    refused = FixRecord(name="f", result=FixResult.REFUSED, summary="It is tagged.", at="", attempts=0)
    for fix in (APPROVED, refused):
        assert content(replace(PROPOSED, fix=fix), {}).data["bot_fix_approve"] == "Nothing waits for an approval."
    assert content(replace(PROPOSED, fix=refused), {}).data["bot_fix_plan"] == "There is no plan."
