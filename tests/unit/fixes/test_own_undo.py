"""The undo that the bot itself requests: only of a narrowing that it recorded, and only if CloudWatch shows why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.settings import AutoFix
from permission_guard.errors import RetryableError
from permission_guard.findings.lifecycle import reopened, undo_requested
from permission_guard.findings.watch import BOT, NARROWING
from permission_guard.fixes.invoke_policies import digest_of, digest_of_all
from permission_guard.model.findings import FixRecord, FixResult, PlannedCall, Transition
from permission_guard.model.state import Unread
from tests.fakes import FUNCTION_ARN, NOW, SQS_POLICY_ARN, InMemoryFindings, InMemoryStop
from tests.unit.fixes.policy_states import TOPIC, a_state, a_statement, a_trigger, an_inventory, by_source, finding_of
from tests.unit.fixes.test_fixer import Setup, fix_of
from tests.unit.fixes.test_fixer_stopped import RESUMED, stopped_after

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome

BROAD = a_statement("news", "sns.amazonaws.com")
FINDING = finding_of("PG102", "statement/news")
FAILED = ("NumberOfNotificationsFailed", (("TopicName", "orders"),))
START = datetime.fromisoformat(NOW)


def broad() -> Setup:
    """Return a fixer that may narrow the policy of a function to its topic."""
    store = InMemoryFindings()
    store.put(FINDING)
    state = a_state([BROAD], an_inventory("sns", a_trigger("sns", TOPIC)), every_source_is_seen=True)
    return Setup(state=state, store=store, auto_fix=AutoFix.RESTORE)


def narrowed(*, is_active: bool = True) -> Setup:
    """Return a fixer that has narrowed the policy of a function to its topic."""
    setup = broad()
    assert setup.handle(finding_id=FINDING.id).result is FixResult.APPLIED
    if is_active:
        setup.metrics.put("Invocations", (("FunctionName", "orders"),), START - timedelta(hours=3))
    return setup


def request(setup: Setup, reason: str = "They fail.", by: str = BOT) -> None:
    """Record a request to undo the fix, as whoever may write the findings table can."""
    finding = setup.store.one()
    setup.store.put(undo_requested(finding, fix_of(finding), by=by, at=NOW, reason=reason))


def undo(setup: Setup, **later: float) -> FixOutcome:
    """Handle the request some time after the fix: half an hour."""
    now = START + timedelta(**(later or {"minutes": 30}))
    return setup.handle(finding_id=FINDING.id, clock=lambda: now.isoformat(timespec="milliseconds"))


def fail(setup: Setup, count: int = 3) -> None:
    """Have deliveries to the function fail since the fix."""
    setup.metrics.put(*FAILED, START + timedelta(minutes=10), count)


def is_restored(setup: Setup) -> bool:
    """Return whether the policy is as before."""
    return list(map(digest_of, setup.state.statements(FUNCTION_ARN))) == [digest_of(BROAD)]


def test_a_narrowing_after_which_deliveries_fail_is_undone() -> None:
    """Who requested it, and what CloudWatch shows, is in the record: not the reason of the request."""
    setup = narrowed()
    fail(setup)
    request(setup, reason="because I say so")
    outcome = undo(setup)
    assert (outcome.result, is_restored(setup)) == (FixResult.UNDONE, True)
    record = fix_of(setup.store.one()).undo_record
    assert record is not None
    assert (record.by, fix_of(setup.store.one()).declined_by) == (BOT, BOT)
    assert record.reason == (
        f"In the 30 minutes after the fix, NumberOfNotificationsFailed of {TOPIC} rose from 0 to 3."
    )
    assert setup.transitions[-2:] == [("Fix Undo Requested", 3), ("Fix Undone", 4)]


@pytest.mark.parametrize(
    ("count", "is_active", "later"),
    [(0, True, {"minutes": 30}), (3, False, {"minutes": 30}), (0, False, {"minutes": 30})],
)
def test_a_request_that_cloudwatch_does_not_support_undoes_nothing(
    count: int, is_active: bool, later: dict[str, float]
) -> None:
    """Whoever forged it has no effect but an alert."""
    setup = narrowed(is_active=is_active)
    fail(setup, count)
    request(setup)
    outcome = undo(setup, **later)
    assert (outcome.result, is_restored(setup)) == (FixResult.REFUSED, False)
    assert "CloudWatch does not show" in outcome.summary
    assert setup.store.one().transition is Transition.FIX_REFUSED
    assert fix_of(setup.store.one()).result is FixResult.APPLIED
    assert undo(setup).summary == "already handled: Fix Refused"


def test_after_the_watch_nothing_is_undone() -> None:
    """An hour later at most, as the request waits in queues."""
    setup = narrowed()
    fail(setup)
    request(setup)
    assert "its watch has ended" in undo(setup, hours=25, minutes=1).summary
    assert not is_restored(setup)


def test_a_fix_that_the_fixer_has_not_recorded_is_not_undone() -> None:
    """Whoever may write the findings table cannot have the bot write a policy of their choice."""
    setup = narrowed()
    fail(setup)
    setup.own_fixes.held.clear()
    request(setup)
    assert "only a narrowing that it has recorded" in undo(setup).summary
    assert not is_restored(setup)


def test_a_record_that_was_changed_is_not_undone() -> None:
    """The state to restore is part of the plan, whose hash the fixer has recorded."""
    setup = narrowed()
    fail(setup)
    finding = setup.store.one()
    forged = replace(fix_of(finding), before={**fix_of(finding).before, "statements": [{**BROAD, "Principal": "*"}]})
    setup.store.put(replace(finding, fix=forged))
    request(setup)
    assert "only a narrowing that it has recorded" in undo(setup).summary
    assert not is_restored(setup)


def test_a_forged_fix_that_seems_interrupted_is_not_recorded_as_the_bots_own() -> None:
    """Its plan names a statement that the policy never had: the undo would write it."""
    source = by_source("mine", "sns.amazonaws.com", TOPIC)
    forged = FixRecord(
        name=NARROWING,
        result=FixResult.APPLYING,
        summary="",
        at=NOW,
        attempts=1,
        change={
            "resource_arn": FUNCTION_ARN,
            "added": [],
            "removed": [{"sid": "news", "digest": digest_of(BROAD)}],
            "others": digest_of_all([source]),
            "atomic": False,
        },
        before={"statements": [BROAD], "other_statements": [source]},
        calls=(PlannedCall(operation="lambda:RemovePermission", parameters={"StatementId": "news"}),),
        rests_on={"sources": [TOPIC]},
    )
    store = InMemoryFindings()
    store.put(replace(FINDING, fix=forged))
    setup = Setup(state=a_state([source]), store=store)
    assert setup.handle(finding_id=FINDING.id).result is FixResult.APPLIED
    setup.metrics.put("Invocations", (("FunctionName", "orders"),), START - timedelta(hours=3))
    fail(setup)
    request(setup)
    assert "only a narrowing that it has recorded" in undo(setup).summary
    assert setup.state.statements(FUNCTION_ARN) == [source]


@pytest.mark.parametrize("left", [[], [a_statement("mine", "events.amazonaws.com")]])
def test_a_fix_that_somebody_has_changed_since_is_not_undone(left: list[dict[str, Any]]) -> None:
    """The owner took the permission away from the topic. That is why it fails; the bot does not allow every topic."""
    setup = narrowed()
    setup.state.set_statements(FUNCTION_ARN, left)
    fail(setup)
    request(setup)
    assert "Somebody has changed what the fix wrote since" in undo(setup).summary
    assert setup.state.statements(FUNCTION_ARN) == left
    assert setup.own_fixes.held[FINDING.id].undone_for is None


def test_another_fix_is_never_undone_so() -> None:
    """A policy that was attached to a role is not watched."""
    setup = Setup()
    setup.handle()
    assert setup.own_fixes.held == {}
    request(setup)
    assert "only a narrowing that it has recorded" in setup.handle().summary
    assert setup.state.attached == [("orders-role", SQS_POLICY_ARN)]


def test_metrics_that_cannot_be_read_undo_nothing() -> None:
    """A missing permission is said; what fails for now is tried again."""
    setup = narrowed()
    fail(setup)
    request(setup)
    setup.metrics.unread = Unread("cloudwatch:GetMetricData", "Throttling", "slow", denied=False)
    with pytest.raises(RetryableError, match="could not be read for now"):
        undo(setup)
    setup.metrics.unread = replace(setup.metrics.unread, code="AccessDenied", denied=True)
    outcome = undo(setup)
    assert (outcome.result, is_restored(setup)) == (FixResult.REFUSED, False)
    assert "The metrics cannot be read, so nothing is undone" in outcome.summary


def test_one_fix_of_a_finding_is_undone_so_and_no_other() -> None:
    """If a person approves the same fix again, only a person undoes it."""
    setup = narrowed()
    fail(setup)
    request(setup)
    assert undo(setup).result is FixResult.UNDONE
    setup.store.put(reopened(setup.store.one(), NOW).finding)
    assert setup.handle(finding_id=FINDING.id).result is FixResult.PROPOSED
    setup.decide()
    assert setup.handle(finding_id=FINDING.id).result is FixResult.APPLIED
    request(setup)
    assert "The bot itself undoes one fix of a finding" in undo(setup).summary
    assert not is_restored(setup)


def test_a_request_that_was_fulfilled_does_not_undo_the_same_fix_again() -> None:
    """Who may write the findings table can repeat its revision, and the plan that a person approved is the same."""
    setup = narrowed()
    fail(setup)
    request(setup)
    assert undo(setup).result is FixResult.UNDONE
    fulfilled = fix_of(setup.store.one()).undo_record
    setup.store.put(reopened(setup.store.one(), NOW).finding)
    setup.handle(finding_id=FINDING.id)
    setup.decide()
    assert setup.handle(finding_id=FINDING.id).result is FixResult.APPLIED
    assert fulfilled is not None
    finding, repeated = setup.store.one(), replace(fulfilled, ended_at="", summary="")
    forged = replace(fix_of(finding), result=FixResult.UNDOING, undo_record=repeated)
    setup.store.put(replace(finding, fix=forged))
    assert "The bot itself undoes one fix of a finding" in undo(setup).summary
    assert not is_restored(setup)


@pytest.mark.parametrize("is_used_up", [True, False])
def test_the_rest_of_an_interrupted_fix_is_watched_from_when_it_is_applied(*, is_used_up: bool) -> None:
    """Fixing was stopped for a day between the two calls. If the bot has undone a fix before, that stays as it is."""
    setup = broad()
    setup.stop = stopped_after(2)
    assert setup.handle(finding_id=FINDING.id).is_postponed
    begun = setup.own_fixes.held[FINDING.id]
    if is_used_up:
        begun = setup.own_fixes.held[FINDING.id] = replace(begun, undone_for=1, plan_hash="")
    setup.stop = InMemoryStop(switched=RESUMED)
    later = (START + timedelta(days=1)).isoformat(timespec="milliseconds")
    assert setup.handle(finding_id=FINDING.id, clock=lambda: later).result is FixResult.APPLIED
    assert setup.own_fixes.held[FINDING.id] == (begun if is_used_up else replace(begun, applied_at=later))


@pytest.mark.parametrize("number", [2, 3])
def test_an_undo_that_was_interrupted_is_finished(number: int) -> None:
    """Also if the metrics do not show it any more: it was begun, and counted once."""
    setup = narrowed()
    fail(setup)
    request(setup)

    def crash() -> None:
        if len(setup.state.made) == number:
            raise KeyboardInterrupt

    setup.state.before_call = crash
    with pytest.raises(KeyboardInterrupt):
        undo(setup)
    setup.state.before_call = lambda: None
    setup.metrics.data.clear()
    assert undo(setup).result is FixResult.UNDONE
    assert is_restored(setup)


def test_a_tag_keeps_the_bot_from_undoing() -> None:
    """As it keeps a person: every guard of an undo holds."""
    setup = narrowed()
    fail(setup)
    request(setup)
    setup.state.state = replace(setup.state.state, tags={"permission-guard:fix": "never"})
    outcome: Any = undo(setup)
    assert (outcome.result, is_restored(setup)) == (FixResult.REFUSED, False)
    assert setup.own_fixes.held[FINDING.id].undone_for is None
