"""The fixer and a fix of a resource-based policy: modes, approvals, crashes and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.document import Fixes, GuardConfig, ManagedElsewhere, ManagingTool
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.fixes.decisions import DecisionKind
from permission_guard.fixes.invoke_policies import digest_of
from permission_guard.model.findings import FixResult
from tests.fakes import FUNCTION_ARN, InMemoryFindings
from tests.unit.fixes.policy_states import BUCKET, a_state, a_statement, a_trigger, an_inventory, by_source, finding_of
from tests.unit.fixes.test_fixer import Setup, fix_of

if TYPE_CHECKING:
    from tests.fakes import InMemoryState

BROAD = a_statement("uploads", "s3.amazonaws.com")
FINDING = finding_of("PG102", "statement/uploads")


def setup_of(state: InMemoryState | None = None, **more: Any) -> Setup:
    """Return a fixer with a function whose policy has a broad statement."""
    store = InMemoryFindings()
    store.put(FINDING)
    state = state or a_state([BROAD], an_inventory("s3", a_trigger("s3", BUCKET)), every_source_is_seen=True)
    return Setup(state=state, store=store, **{"auto_fix": AutoFix.RESTORE, **more})


def operations(setup: Setup) -> list[str]:
    """Return the operations that were made."""
    return [call.operation for call in setup.state.made]


NARROWED = ["lambda:AddPermission", "lambda:RemovePermission"]


def test_a_narrowing_is_applied_in_auto_although_only_restores_are() -> None:
    """It grants nothing new. The record has the old document and what is proven."""
    setup = setup_of()
    outcome = setup.handle(finding_id=FINDING.id)
    assert (outcome.result, operations(setup)) == (FixResult.APPLIED, NARROWED)
    fix = fix_of(setup.store.one())
    assert fix.before["statements"] == [BROAD]
    assert fix.after == fix.expected
    assert fix.certificate["holds"]
    assert fix.rests_on["sources"] == [BUCKET]


def test_sources_that_cannot_be_seen_need_an_approval_in_auto() -> None:
    """Then it is applied as it was approved."""
    state = a_state([BROAD], an_inventory("s3", a_trigger("s3", BUCKET)))
    setup = setup_of(state)
    outcome = setup.handle(finding_id=FINDING.id)
    assert (outcome.result, operations(setup)) == (FixResult.PROPOSED, [])
    assert "Sources of other accounts cannot be seen" in outcome.summary
    setup.decide()
    assert setup.handle(finding_id=FINDING.id).result is FixResult.APPLIED
    assert operations(setup) == NARROWED


def test_in_the_mode_approve_it_is_proposed() -> None:
    """Also if every source is seen."""
    assert setup_of(mode=FixMode.APPROVE).handle(finding_id=FINDING.id).result is FixResult.PROPOSED


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_a_call_is_finished_by_the_next_try(number: int, after: bool) -> None:
    """Before or after the call took effect: one fix, and each call once."""
    setup = setup_of()
    _crash(setup.state, number, after=after)
    with pytest.raises(_Crashed):
        setup.handle(finding_id=FINDING.id)
    _repair(setup.state)
    outcome = setup.handle(finding_id=FINDING.id)
    assert (outcome.result, operations(setup)) == (FixResult.APPLIED, NARROWED)
    assert fix_of(setup.store.one()).before["statements"] == [BROAD]


def test_what_others_change_after_a_crash_keeps_the_rest_from_being_made() -> None:
    """The plan would be another one. What undoes the part is in the record."""
    setup = setup_of()
    _crash(setup.state, 1, after=False)
    with pytest.raises(_Crashed):
        setup.handle(finding_id=FINDING.id)
    _repair(setup.state)
    other = by_source("other", "sns.amazonaws.com", "arn:aws:sns:us-east-1:123456789012:orders")
    setup.state.set_statements(FUNCTION_ARN, [*map(dict, setup.state.statements(FUNCTION_ARN)), other])
    outcome = setup.handle(finding_id=FINDING.id)
    assert outcome.result is FixResult.REFUSED
    assert "A part of the fix was applied, and the rest was not" in outcome.summary
    assert BROAD in setup.state.statements(FUNCTION_ARN)


def test_an_undo_restores_the_policy() -> None:
    """As a person requested it. The finding is open again, and nothing is fixed again by itself."""
    setup = setup_of()
    setup.handle(finding_id=FINDING.id)
    setup.decide(DecisionKind.UNDO)
    outcome = setup.handle(finding_id=FINDING.id)
    assert outcome.result is FixResult.UNDONE
    assert list(map(digest_of, setup.state.statements(FUNCTION_ARN))) == [digest_of(BROAD)]
    assert operations(setup)[2:] == NARROWED


def test_an_undo_that_was_interrupted_is_finished() -> None:
    """The statement is there again, and the bot's own is removed next."""
    setup = setup_of()
    setup.handle(finding_id=FINDING.id)
    setup.decide(DecisionKind.UNDO)
    _crash(setup.state, 3, after=False)
    with pytest.raises(_Crashed):
        setup.handle(finding_id=FINDING.id)
    _repair(setup.state)
    assert setup.handle(finding_id=FINDING.id).result is FixResult.UNDONE
    assert list(map(digest_of, setup.state.statements(FUNCTION_ARN))) == [digest_of(BROAD)]


def test_an_undo_that_others_made_impossible_is_refused() -> None:
    """The fix stays applied, with the reason."""
    setup = setup_of()
    setup.handle(finding_id=FINDING.id)
    setup.decide(DecisionKind.UNDO)
    other = by_source("uploads", "sns.amazonaws.com", "arn:aws:sns:us-east-1:123456789012:orders")
    setup.state.set_statements(FUNCTION_ARN, [*map(dict, setup.state.statements(FUNCTION_ARN)), other])
    outcome = setup.handle(finding_id=FINDING.id)
    assert (outcome.result, operations(setup)) == (FixResult.REFUSED, NARROWED)
    assert fix_of(setup.store.one()).result is FixResult.APPLIED


@pytest.mark.parametrize("elsewhere", [{"functions": ("orders",)}, {"tags": {"team": "shop"}}])
def test_what_infrastructure_code_manages_is_refused(elsewhere: dict[str, Any]) -> None:
    """`fixes.managed_elsewhere` says so, for a function as for a role."""
    entry = ManagedElsewhere(tool=ManagingTool.TERRAFORM, **elsewhere)
    state = a_state(
        [BROAD], an_inventory("s3", a_trigger("s3", BUCKET)), every_source_is_seen=True, tags={"team": "shop"}
    )
    setup = setup_of(state, config=GuardConfig(fixes=Fixes(managed_elsewhere=(entry,))))
    outcome = setup.handle(finding_id=FINDING.id)
    assert (outcome.result, operations(setup)) == (FixResult.REFUSED, [])
    assert "is managed by Terraform" in outcome.summary


def test_an_entry_for_roles_does_not_concern_a_policy() -> None:
    """The fix does not change the role."""
    entry = ManagedElsewhere(tool=ManagingTool.TERRAFORM, roles=("*-role",))
    setup = setup_of(config=GuardConfig(fixes=Fixes(managed_elsewhere=(entry,))))
    assert setup.handle(finding_id=FINDING.id).result is FixResult.APPLIED


class _Crashed(BaseException):
    """The process ends."""


def _crash(state: InMemoryState, number: int, *, after: bool) -> None:
    """Crash at a call, before it or after it took effect."""
    write = state._write

    def crash_before() -> None:
        if len(state.made) == number:
            raise _Crashed

    def crash_after(*arguments: Any) -> None:
        write(*arguments)
        if len(state.made) == number + 1:
            raise _Crashed

    if after:
        state._write = crash_after  # type: ignore[method-assign, assignment]
    else:
        state.before_call = crash_before


def _repair(state: InMemoryState) -> None:
    state.__dict__.pop("_write", None)
    state.before_call = lambda: None
