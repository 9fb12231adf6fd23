"""Undoing a fix that enabled a mapping: the mapping is disabled first, unless others changed it since."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.plans import undo_preview
from permission_guard.errors import FixNotVisibleError, RetryableError, WriteFailedError
from permission_guard.findings.lifecycle import reopened, resolved
from permission_guard.fixes.decisions import DecisionKind
from permission_guard.fixes.recorder import LEASE
from permission_guard.fixes.stop import Breaker
from permission_guard.model.findings import FixResult, PlannedCall, Transition
from tests.fakes import (
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    MAPPING_UUID,
    NOW,
    SQS_POLICY_ARN,
    THROTTLED,
    InMemoryStop,
)
from tests.unit.fixes.test_afterwards import FORBIDDEN, LOST, disabled
from tests.unit.fixes.test_fixer import JANE, Interrupted, fix_of
from tests.unit.fixes.test_undo import Killed, StoppedLater, attached, change_role, undo_of

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping
    from tests.unit.fixes.test_fixer import Setup

DISABLE = PlannedCall(operation="lambda:UpdateEventSourceMapping", parameters={"UUID": MAPPING_UUID, "Enabled": False})
DETACH = PlannedCall(
    operation="iam:DetachRolePolicy", parameters={"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN}
)


def requested() -> Setup:
    """Return a fixer with a request to undo a fix that enabled a mapping, whose state has settled."""
    setup = disabled()
    assert setup.handle().result is FixResult.APPLIED
    setup.mappings.change(MAPPING_UUID, state="Enabled")
    setup.decide(DecisionKind.UNDO)
    return setup


def mapping_of(setup: Setup) -> EventSourceMapping:
    """Return the mapping."""
    (mapping,) = setup.state.state.mappings  # type: ignore[misc]
    return mapping


def later() -> str:
    """Return a time after the lease."""
    return (datetime.fromisoformat(NOW) + LEASE + LEASE).isoformat()


# ── What is undone ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mapping_is_disabled_before_the_policy_is_detached() -> None:
    """Both calls name the finding. The record has both, and both states."""
    setup = requested()
    seen: list[list[Any]] = []
    detach = setup.state.detach_role_policy

    def detached(role_name: str, policy_arn: str) -> None:
        seen.append(list(setup.mappings.disabled))
        detach(role_name, policy_arn)

    setup.state.detach_role_policy = detached  # type: ignore[method-assign]
    outcome = setup.handle()
    assert outcome.result is FixResult.UNDONE
    assert seen == [[(MAPPING_UUID, FINDING_ID)]], "it is disabled, once, when the policy is detached"
    assert (attached(setup), mapping_of(setup).state) == (set(), "Disabling")
    fix, undo = fix_of(setup.store.one()), undo_of(setup)
    assert undo.calls == (DISABLE, DETACH)
    assert undo.before == fix.after
    assert undo.after == {**fix.before, "mapping_state_reason": "USER_INITIATED"}
    assert outcome.summary == (
        f"Undone with lambda:UpdateEventSourceMapping {MAPPING_UUID}, Enabled=False; "
        f"iam:DetachRolePolicy orders-role, {SQS_POLICY_ARN}."
    )


def test_the_command_shows_that_the_mapping_is_disabled() -> None:
    """The reason that AWS gives for the state cannot be restored, so it is not shown."""
    preview = undo_preview(fix_of(requested().store.one()))
    assert "mapping_state: Enabled -> Disabled" in preview
    assert LOST not in preview


@pytest.mark.parametrize(
    "change",
    [
        {"state": "Disabled", "state_transition_reason": "USER_INITIATED"},
        {"state": "Disabling", "state_transition_reason": LOST},
        {"state": "Deleting"},
        {"function_arn": f"{FUNCTION_ARN}:live"},
        {"event_source_arn": "arn:aws:sqs:us-east-1:123456789012:others"},
    ],
)
def test_a_mapping_that_others_changed_since_stays_as_it_is(change: dict[str, str]) -> None:
    """The rest of the fix is undone."""
    setup = requested()
    setup.mappings.change(MAPPING_UUID, **change)
    before = mapping_of(setup)
    assert setup.handle().result is FixResult.UNDONE
    assert (setup.mappings.disabled, mapping_of(setup), attached(setup)) == ([], before, set())
    assert undo_of(setup).calls == (DETACH,)


def test_a_mapping_that_was_deleted_since_needs_no_call() -> None:
    """Its state is not known then."""
    setup = requested()
    setup.state.state = replace(setup.state.state, mappings=())
    assert setup.handle().result is FixResult.UNDONE
    assert (undo_of(setup).calls, undo_of(setup).after["mapping_state"]) == ((DETACH,), None)


def test_a_mapping_that_somebody_else_enabled_stays_enabled() -> None:
    """It was enabled when the fix came to it; the command does not announce it either."""
    setup = disabled()
    setup.mappings.before_read = lambda: setup.mappings.change(MAPPING_UUID, state="Enabled")
    setup.handle()
    assert "mapping_state" not in undo_preview(fix_of(setup.store.one()))
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE
    assert (setup.mappings.disabled, mapping_of(setup).state, attached(setup)) == ([], "Enabled", set())
    assert undo_of(setup).calls == (DETACH,)
    assert "mapping_state" not in undo_of(setup).before


def test_a_mapping_that_the_fix_could_not_enable_stays_as_others_left_it() -> None:
    """AWS denied the call; somebody enabled the mapping later."""
    setup = disabled()
    setup.mappings.errors = [FORBIDDEN]
    setup.handle()
    setup.mappings.change(MAPPING_UUID, state="Enabled")
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE
    assert (setup.mappings.disabled, mapping_of(setup).state) == ([], "Enabled")


def test_a_mapping_is_disabled_again_although_others_have_detached_the_policy() -> None:
    """It is what is left of the fix."""
    setup = requested()
    change_role(setup, attached={})
    assert setup.handle().result is FixResult.UNDONE
    assert (undo_of(setup).calls, len(setup.mappings.disabled), setup.state.detached) == ((DISABLE,), 1, [])


def test_whether_the_configuration_still_enables_mappings_does_not_matter() -> None:
    """It was perhaps changed because of this fix."""
    setup = requested()
    setup.config = replace(setup.config, fixes=replace(setup.config.fixes, enable_mappings=False))
    assert setup.handle().result is FixResult.UNDONE
    assert len(setup.mappings.disabled) == 1


def test_the_mapping_is_not_enabled_again_by_itself() -> None:
    """It is disabled on purpose now. Where the problem comes back, the plan is only proposed."""
    setup = requested()
    setup.handle()
    setup.mappings.change(MAPPING_UUID, state="Disabled")
    setup.store.put(reopened(resolved(setup.store.one(), "It passes.", NOW).finding, NOW).finding)
    assert setup.handle().result is None
    setup.mappings.change(MAPPING_UUID, state="Disabled", state_transition_reason=LOST)
    outcome = setup.handle()
    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary.endswith(f"{JANE} rejected or undid it before.")
    assert len(setup.mappings.enabled) == 1


# ── Guards, the stop, and what AWS denies ───────────────────────────────────────────────────────────────────────────


def test_if_the_mapping_may_not_be_read_nothing_is_undone() -> None:
    """The reason is in the record, and the undo can be requested again."""
    setup = requested()
    setup.mappings.unread = DENIED
    outcome = setup.handle()
    assert (outcome.result, outcome.summary) == (
        FixResult.REFUSED,
        f"Event source mapping {MAPPING_UUID} could not be read: {DENIED}.",
    )
    assert (setup.state.detached, setup.mappings.disabled) == ([], [])
    setup.mappings.unread = None
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE


def test_a_throttled_read_of_the_mapping_is_retried() -> None:
    """Nothing is recorded meanwhile."""
    setup = requested()
    setup.mappings.unread = THROTTLED
    before = setup.store.one()
    with pytest.raises(RetryableError):
        setup.handle()
    assert (setup.store.one(), setup.state.detached) == (before, [])


@pytest.mark.parametrize(("after", "made"), [(0, 0), (1, 0), (2, 1)])
def test_the_stop_is_read_before_each_call(after: int, made: int) -> None:
    """Between the two calls, too: the mapping is disabled then, and the next request detaches the policy."""
    setup = requested()
    setup.stop = StoppedLater()
    setup.stop.after = after
    outcome = setup.handle()
    assert (outcome.result, len(setup.mappings.disabled), setup.state.detached) == (FixResult.REFUSED, made, [])
    if after:
        assert ("Done: lambda:UpdateEventSourceMapping" in outcome.summary) is bool(made)
        assert ("Not done: lambda:UpdateEventSourceMapping" in outcome.summary) is not bool(made)
        assert "iam:DetachRolePolicy" in outcome.summary.partition("Not done: ")[2]
        assert outcome.summary.endswith("Resume fixing, and request the undo again.")
    assert setup.store.one().transition is Transition.FIX_REFUSED
    setup.stop = InMemoryStop()
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE
    assert (len(setup.mappings.disabled), len(setup.state.detached)) == (1, 1)


def test_if_aws_denies_the_first_call_the_policy_stays_attached() -> None:
    """Detached, the mapping would fail instead of being disabled. The failure is counted."""
    setup = requested()
    setup.mappings.errors = [FORBIDDEN]
    outcome = setup.handle()
    assert (outcome.result, outcome.summary) == (FixResult.FAILED, str(FORBIDDEN))
    assert (fix_of(setup.store.one()).result, attached(setup)) == (FixResult.APPLIED, {SQS_POLICY_ARN})
    assert [one.finding_id for one in setup.stop.opened.failed] == [FINDING_ID]


def test_if_aws_denies_the_second_call_the_next_request_makes_only_that() -> None:
    """The mapping is disabled already, and the record says so."""
    setup = requested()
    setup.state.error = WriteFailedError("iam:DetachRolePolicy failed with AccessDenied: no")
    outcome = setup.handle()
    (done,) = (call.parameters["UUID"] for call in undo_of(setup).calls if call != DETACH)
    assert (outcome.result, outcome.summary) == (
        FixResult.FAILED,
        f"{setup.state.error}. Done: lambda:UpdateEventSourceMapping {done}, Enabled=False.",
    )
    setup.state.error = None
    setup.decide(DecisionKind.UNDO)
    assert setup.handle().result is FixResult.UNDONE
    assert (undo_of(setup).calls, len(setup.mappings.disabled), attached(setup)) == ((DETACH,), 1, set())


def test_while_another_change_of_the_mapping_is_in_progress_the_undo_is_tried_again() -> None:
    """The next run makes both calls."""
    setup = requested()
    setup.mappings.errors = [RetryableError("ResourceInUseException")]
    with pytest.raises(RetryableError):
        setup.handle()
    assert (fix_of(setup.store.one()).result, setup.state.detached) == (FixResult.UNDOING, [])
    assert setup.handle().result is FixResult.UNDONE
    assert (undo_of(setup).calls, setup.stop.opened) != ((), Breaker())
    assert (len(setup.mappings.disabled), len(setup.state.detached)) == (1, 1)


def test_an_undo_is_recorded_when_aws_shows_that_the_mapping_is_disabled() -> None:
    """Not before."""
    setup = requested()
    setup.mappings.hidden = 1
    with pytest.raises(FixNotVisibleError, match="AWS does not show yet that the fix is undone"):
        setup.handle()
    assert fix_of(setup.store.one()).result is FixResult.UNDOING
    setup.mappings.hidden = 0
    assert setup.handle().result is FixResult.UNDONE


# ── Crashes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at", range(1, 33))
def test_after_a_crash_at_any_step_the_next_run_finishes_the_undo(at: int) -> None:
    """Also between the two calls: each was made once or, where its effect was not seen, again with the same effect."""
    setup = requested()
    counter = [0]

    def killed() -> None:
        raise Killed

    parts: dict[str, Any] = {
        name: Interrupted(part, counter, at, killed)
        for name, part in {
            "store": setup.store,
            "source": setup.state,
            "fix_state": setup.state,
            "stop": setup.stop,
            "mappings": setup.mappings,
        }.items()
    }
    mappings = parts.pop("mappings")
    afterwards = replace(setup.fixer().afterwards, mappings=mappings, writers=mappings, stop=parts["stop"])
    more = {"quota": parts["store"], "writers": parts["source"], "decisions": parts["store"], "afterwards": afterwards}
    try:
        setup.handle(**parts, **more)
    except Killed:
        setup.handle(clock=later)
    else:
        assert counter[0] < at
    finding = setup.store.one()
    assert (fix_of(finding).result, finding.transition) == (FixResult.UNDONE, Transition.FIX_UNDONE)
    assert (attached(setup), mapping_of(setup).state, undo_of(setup).calls) == (set(), "Disabling", (DISABLE, DETACH))
    assert (len(setup.mappings.disabled), len(setup.state.detached)) == (1, 1)
    assert len({one.key for one in setup.stop.opened.failed}) == len(setup.stop.opened.failed) == 1
