"""Whoever undoes the same fix twice gets no third one: a person has to settle that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from permission_guard.config.settings import AutoFix
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes.fixer import MAX_TRIES
from permission_guard.fixes.reverted import guard_reverted, reverted_fixes
from permission_guard.model.findings import Finding, FixRecord, FixResult, RevertedFix
from permission_guard.model.role_permissions import RoleChange
from tests.fakes import NOW, ROLE_ARN, THROTTLED, a_finding
from tests.unit.fixes.test_fixer import Setup, fix_of
from tests.unit.fixes.test_restore import JANE, MALLORY, WITH_POLICY, WITHOUT, Story

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome

CI = "arn:aws:sts::123456789012:assumed-role/ci-deploy"


def removed(number: int, by: str) -> RoleChange:
    """Return a removal of the policy from the role."""
    return RoleChange(f"e-{number}", "DetachRolePolicy", NOW, by, role_name="orders-role")


def undone_by(*callers: str) -> list[FixOutcome]:
    """Return what the bot does each time that one of some callers detaches the policy; empty for one without a name."""
    story = Story(auto_fix=AutoFix.GRANT)
    story.check(WITH_POLICY)
    outcomes = []
    for number, caller in enumerate(callers):
        story.check(WITHOUT, *([removed(number, caller)] if caller else []))
        outcomes.append(story.setup.handle(finding_id=story.finding.id))
        story.check(WITH_POLICY)
    return outcomes


def results(*callers: str) -> list[FixResult | None]:
    """Return the result of each fix."""
    return [outcome.result for outcome in undone_by(*callers)]


APPLIED, REFUSED = FixResult.APPLIED, FixResult.REFUSED


def test_the_third_fix_is_refused_with_who_undid_the_others_and_when() -> None:
    """The first removal undid nothing of the bot."""
    outcomes = undone_by(JANE, JANE, JANE)
    assert [outcome.result for outcome in outcomes] == [APPLIED, APPLIED, REFUSED]
    when = f"{JANE} with DetachRolePolicy on {NOW}"
    assert outcomes[-1].summary == (
        f"The fix was undone 2 times: {when}; {when}. Manual action required: agree with them."
    )


def test_two_callers_who_undo_it_once_each_are_not_one() -> None:
    """Then the number of tries is the limit."""
    outcomes = undone_by(JANE, JANE, MALLORY, "arn:aws:iam::123456789012:user/joe")
    assert [outcome.result for outcome in outcomes] == [APPLIED] * MAX_TRIES + [REFUSED]
    assert outcomes[-1].summary == (
        "The problem came back after 3 fixes. Manual action required: find out what reverts them."
    )


def test_the_sessions_of_a_role_are_one_caller() -> None:
    """Each run of a pipeline has a session of its own."""
    assert results(JANE, f"{CI}/run-1", f"{CI}/run-2") == [APPLIED, APPLIED, REFUSED]
    assert results(JANE, f"{CI}/run-1", f"{CI}-2/run-1") == [APPLIED] * 3


def test_an_undoing_that_no_event_names_may_be_anybodys() -> None:
    """The guard cannot be evaluated, so it refuses."""
    outcomes = undone_by(JANE, JANE, "")
    assert [outcome.result for outcome in outcomes] == [APPLIED, APPLIED, REFUSED]
    assert "someone whom no event names, after fix 2" in outcomes[-1].summary
    assert results(JANE, "", "") == [APPLIED, APPLIED, REFUSED]


def test_the_refusal_keeps_who_undid_the_fixes() -> None:
    """So that a later attempt is refused, too. Nothing of it is in the hash of a plan."""
    reverted = (RevertedFix(1, JANE, "DetachRolePolicy", NOW), RevertedFix(2, JANE, "DetachRolePolicy", NOW))
    record = FixRecord(name="n", result=FixResult.PROPOSED, summary="", at=NOW, attempts=2, reverted=reverted)
    setup = Setup(is_open=False)
    setup.store.put(a_finding(fix=record))
    assert setup.handle().result is REFUSED
    assert fix_of(setup.store.one()).reverted == reverted
    assert Finding.from_document(setup.store.one().to_document()) == setup.store.one()


def test_a_fix_that_aws_still_shows_was_not_undone() -> None:
    """The role lacks something else, or the fix failed before it changed anything."""
    record = FixRecord(name="n", result=APPLIED, summary="", at=NOW, attempts=1)
    assert reverted_fixes(record, [removed(1, JANE)], is_applied=True) == ()
    failed = FixRecord(name="n", result=FixResult.FAILED, summary="", at=NOW, attempts=1)
    assert reverted_fixes(failed, [removed(1, JANE)], is_applied=False) == ()


def test_a_call_before_the_fix_did_not_undo_it() -> None:
    """It is what the fix brought back."""
    record = FixRecord(name="n", result=APPLIED, summary="", at="2026-11-20T10:00:00+00:00", attempts=1)
    before = RoleChange("e-1", "DetachRolePolicy", "2026-11-20T09:00:00+00:00", JANE, role_name="orders-role")
    assert reverted_fixes(record, [before], is_applied=False) == (RevertedFix(1),)


def test_a_role_that_cannot_be_read_for_now_is_read_again() -> None:
    """Whether the last fix was undone is unknown until then."""
    setup = Setup(is_open=False)
    change = {"action": "iam:AttachRolePolicy", "role_arn": ROLE_ARN, "policy_arns": ["arn:aws:iam::aws:policy/One"]}
    setup.store.put(a_finding(fix=FixRecord(name="n", result=APPLIED, summary="", at=NOW, attempts=1, change=change)))
    readable = setup.state.role
    setup.state.role = lambda arn: THROTTLED  # type: ignore[method-assign]
    with pytest.raises(RetryableError, match="could not be read"):
        setup.handle()
    setup.state.role = readable  # type: ignore[method-assign]
    assert setup.handle().result is APPLIED


def test_one_undone_fix_is_tried_again() -> None:
    """An accident is no decision."""
    guard_reverted([RevertedFix(1, JANE, "DetachRolePolicy", NOW)])
    with pytest.raises(FixRefusedError, match="undone 2 times"):
        guard_reverted([RevertedFix(1), RevertedFix(2)])
