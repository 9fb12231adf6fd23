"""A fix of a role that several functions use shows every one of them, and needs an approval."""

from __future__ import annotations

import pytest

from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.errors import RetryableError
from permission_guard.model.findings import FixResult
from tests.fakes import DENIED, FUNCTION_ARN, THROTTLED, InMemoryState
from tests.unit.fixes.test_fixer import BROKEN, Setup, fix_of

OTHER = "arn:aws:lambda:eu-west-1:123456789012:function:returns"
SHARED = (OTHER, FUNCTION_ARN)


@pytest.mark.parametrize("auto_fix", list(AutoFix))
def test_in_mode_auto_a_fix_of_a_shared_role_waits_for_an_approval(auto_fix: AutoFix) -> None:
    """What one function needs, the others get too. The plan, its text and its hash have all of them."""
    setup = Setup(auto_fix=auto_fix, state=InMemoryState(BROKEN, role_users=SHARED))
    outcome = setup.handle()
    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary.endswith("2 functions use the role, so a person has to approve it.")
    assert not setup.state.attached
    finding = setup.store.one()
    assert fix_of(finding).rests_on["functions"] == list(SHARED)
    assert f"functions:\n  {OTHER}\n  {FUNCTION_ARN}" in text(compose(finding))


def test_an_approved_fix_of_a_shared_role_is_applied() -> None:
    """The person saw all functions."""
    setup = Setup(state=InMemoryState(BROKEN, role_users=SHARED))
    setup.handle()
    setup.decide()
    assert setup.handle().result is FixResult.APPLIED


def test_an_approval_does_not_count_for_a_role_that_another_function_uses_since() -> None:
    """That is another plan."""
    setup = Setup(mode=FixMode.APPROVE)
    setup.handle()
    setup.decide()
    setup.state.role_users = SHARED
    outcome = setup.handle()
    assert outcome.result is FixResult.PROPOSED
    assert "Since then has changed: rests_on.functions." in outcome.summary


def test_the_functions_own_use_of_the_role_is_not_shared() -> None:
    """Also if Lambda does not list a function yet that was just created."""
    for users in ((FUNCTION_ARN,), ()):
        setup = Setup(state=InMemoryState(BROKEN, role_users=users))
        assert setup.handle().result is FixResult.APPLIED
        assert "functions" not in fix_of(setup.store.one()).rests_on


def test_unknown_users_of_a_role_refuse() -> None:
    """Whoever approves has to see all of them."""
    setup = Setup(state=InMemoryState(BROKEN, role_users=DENIED))
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert "Unknown which functions use" in outcome.summary


def test_users_of_a_role_that_are_unknown_for_now_are_read_again() -> None:
    """A refused fix would not be retried."""
    setup = Setup(state=InMemoryState(BROKEN, role_users=THROTTLED))
    with pytest.raises(RetryableError, match="Unknown which functions use"):
        setup.handle()
    assert setup.transitions == [("Finding Opened", 1)]
