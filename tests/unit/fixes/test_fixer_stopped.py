"""The fixer while fixing is stopped: it writes nothing, loses nothing, and goes on after a resume."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.settings import FixMode
from permission_guard.errors import RetryableError, WriteFailedError
from permission_guard.fixes.stop import Breaker, Switch, SwitchState
from permission_guard.model.findings import FixResult, Status, Transition
from tests.fakes import FINDING_ID, NOW, SQS_POLICY_ARN, InMemoryFindings, InMemoryStop, a_finding
from tests.unit.fixes.test_fixer import JANE, Setup, fix_of

if TYPE_CHECKING:
    from permission_guard.fixes.recorder import FixOutcome

STOPPED = Switch(state=SwitchState.STOPPED, reason="Orders is down", by=JANE, at=NOW, nonce="1" * 32)
RESUMED = replace(STOPPED, state=SwitchState.RESUMED, nonce="2" * 32)
WHY = f"fixing is stopped since {NOW} by {JANE}: Orders is down"


class Killed(BaseException):
    """Lambda kills the process."""


def stopped(outcome: FixOutcome) -> bool:
    """Return whether an outcome is that of a stop: nothing is recorded, and the sweep hands the finding over again."""
    return (outcome.result, outcome.summary, outcome.stopped, outcome.is_postponed) == (None, WHY, WHY, True)


class StoppedLater(InMemoryStop):
    """A switch that somebody sets to stop after some reads."""

    after = 0

    def switch(self) -> Switch | None:
        if self.reads == self.after:
            self.switched = STOPPED
        return super().switch()


def stopped_after(reads: int) -> StoppedLater:
    """Return such a switch."""
    stop = StoppedLater()
    stop.after = reads
    return stop


def test_nothing_is_written_while_fixing_is_stopped_and_the_sweep_catches_up() -> None:
    """The finding stays as it is, and no place of the hour is taken."""
    setup = Setup()
    setup.stop.switched = STOPPED
    assert stopped(setup.handle())
    assert (setup.state.attached, setup.store.one(), setup.store.fixes) == ([], a_finding(), {})
    setup.stop.switched = RESUMED
    outcome = setup.handle()
    assert (outcome.result, outcome.stopped) == (FixResult.APPLIED, "")


@pytest.mark.parametrize("mode", [FixMode.PLAN, FixMode.APPROVE])
def test_fixes_are_proposed_while_fixing_is_stopped(mode: FixMode) -> None:
    """A proposal writes nothing to IAM."""
    setup = Setup(mode)
    setup.stop.switched = STOPPED
    assert setup.handle().result is FixResult.PROPOSED


def test_an_approval_waits_for_the_resume() -> None:
    """It is applied while it is valid, without another one."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    setup.decide()
    setup.stop.switched = STOPPED
    before = setup.store.one()
    assert stopped(setup.handle())
    assert setup.store.one() == before
    setup.stop.switched = RESUMED
    assert setup.handle().result is FixResult.APPLIED
    assert fix_of(setup.store.one()).decided_by == JANE


def test_an_approval_that_expires_during_the_stop_is_proposed_again() -> None:
    """With a new command."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    command = fix_of(setup.store.one()).approve
    setup.decide()
    setup.stop.switched = STOPPED
    setup.handle()
    setup.stop.switched = RESUMED
    later = (datetime.fromisoformat(NOW) + timedelta(hours=25)).isoformat()
    outcome = setup.handle(clock=lambda: later)
    assert outcome.result is FixResult.PROPOSED
    assert setup.store.one().transition is Transition.FIX_PROPOSED
    assert fix_of(setup.store.one()).approve not in ("", command)
    assert setup.state.attached == []


@pytest.mark.parametrize("mode", [FixMode.AUTO, FixMode.APPROVE])
def test_a_stop_between_the_record_and_the_write_is_seen(mode: FixMode) -> None:
    """The last read is the one before the write. The record does not stay `applying`, and the fix is applied later."""
    setup = Setup(mode)
    if mode is FixMode.APPROVE:
        setup.handle()
        setup.decide()
    transitions = setup.transitions
    setup.stop = stopped_after(1)
    assert stopped(setup.handle())
    assert setup.state.attached == []
    fix = fix_of(setup.store.one())
    assert (fix.result, fix.undo, fix.lease_until, fix.approve) == (FixResult.PROPOSED, "", "", "")
    assert setup.transitions == transitions
    setup.stop = InMemoryStop(switched=RESUMED)
    assert setup.handle().result is FixResult.APPLIED
    assert len(setup.state.attached) == 1


def test_each_write_is_preceded_by_a_read() -> None:
    """One before the place of the hour is taken, and one before the write."""
    setup = Setup()
    setup.handle()
    assert (setup.stop.reads, len(setup.state.attached)) == (2, 1)


def interrupted(setup: Setup) -> None:
    """Let the process be killed before its change."""
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.state.error = None
    assert fix_of(setup.store.one()).result is FixResult.APPLYING


def test_an_interrupted_fix_does_not_stay_applying_while_fixing_is_stopped() -> None:
    """Its message is not retried into the dead-letter queue either."""
    setup = Setup()
    interrupted(setup)
    setup.stop.switched = STOPPED
    assert stopped(setup.handle())
    fix = fix_of(setup.store.one())
    assert (fix.result, fix.attempts, fix.undo) == (FixResult.PROPOSED, 1, "")
    assert stopped(setup.handle())
    setup.stop.switched = RESUMED
    assert setup.handle().result is FixResult.APPLIED
    assert fix_of(setup.store.one()).attempts == 2


def test_a_stop_before_the_second_try_of_an_interrupted_fix_is_seen() -> None:
    """The second try has started, and owns the record."""
    setup = Setup()
    interrupted(setup)
    setup.stop = stopped_after(1)
    assert stopped(setup.handle())
    assert fix_of(setup.store.one()).result is FixResult.PROPOSED


def test_a_fix_that_was_applied_before_the_stop_is_recorded_as_applied() -> None:
    """Nothing is written to IAM for that."""
    setup = Setup()
    setup.state.visible_after = 99
    with pytest.raises(RetryableError, match="AWS does not show the change yet"):
        setup.handle()
    setup.state.visible_after = 0
    setup.stop.switched = STOPPED
    assert setup.handle().result is FixResult.APPLIED
    assert len(setup.state.attached) == 1


def test_a_fix_of_another_invocation_is_not_released() -> None:
    """It owns the record since: it goes on, and records what it did."""
    setup = Setup()
    stop = stopped_after(1)

    class TakenOver(InMemoryFindings):
        """A table in which another invocation takes the fix over as soon as this one has started it."""

        def finding(self, target: Any, finding_id: str) -> Any:
            found = super().finding(target, finding_id)
            if found and found.fix and found.fix.result is FixResult.APPLYING and found.fix.owner != "other":
                self.put(replace(found, fix=replace(found.fix, owner="other")))
                found = super().finding(target, finding_id)
            return found

    setup.store = TakenOver(documents=setup.store.documents)
    setup.stop = stop
    assert stopped(setup.handle())
    fix = fix_of(setup.store.one())
    assert (fix.result, fix.owner) == (FixResult.APPLYING, "other")


def test_a_finding_that_is_resolved_meanwhile_keeps_its_status_when_its_fix_is_released() -> None:
    """Another writer was first, so it is read again."""
    setup = Setup()
    setup.stop = stopped_after(1)
    writes: list[int] = []

    def resolve_before_the_release() -> None:
        writes.append(1)
        if len(writes) == 2:
            found = setup.store.one()
            setup.store.put(replace(found, revision=found.revision + 1, status=Status.RESOLVED))

    setup.store.before_write = resolve_before_the_release
    assert stopped(setup.handle())
    finding = setup.store.one()
    assert (finding.status, finding.revision, fix_of(finding).result) == (Status.RESOLVED, 2, FixResult.PROPOSED)
    assert len(writes) == 3


def test_an_unreadable_switch_stops() -> None:
    """In doubt nothing is written."""

    class Damaged(InMemoryStop):
        def breaker(self) -> Breaker:
            raise KeyError("number")

    setup = Setup()
    setup.stop = Damaged()
    outcome = setup.handle()
    assert outcome.is_postponed
    assert outcome.stopped == "fixing is stopped, because what stops it cannot be read: 'number'"
    assert setup.state.attached == []


def test_an_error_of_the_table_is_retried_and_nothing_is_written() -> None:
    """Also between the record and the write: the retry continues the fix."""

    class Unreachable(InMemoryStop):
        def switch(self) -> Switch | None:
            self.reads += 1
            if self.reads == 2:
                raise ConnectionError
            return None

    setup = Setup()
    setup.stop = Unreachable()
    with pytest.raises(ConnectionError):
        setup.handle()
    assert setup.state.attached == []
    assert setup.handle().result is FixResult.APPLIED


# ── The breaker ─────────────────────────────────────────────────────────────────────────────────────────────────────

FAILURE = WriteFailedError("iam:AttachRolePolicy failed with LimitExceeded: Cannot exceed quota")


def test_the_third_failed_fix_stops_all_fixing() -> None:
    """The outcome says why; the next finding is not fixed."""
    stop = InMemoryStop()
    outcomes: list[FixOutcome] = []
    for _ in range(3):
        setup = Setup(stop=stop)
        setup.store.put(a_finding(revision=len(outcomes) + 1))
        setup.state.error = FAILURE
        outcomes.append(setup.handle())
    assert [outcome.result for outcome in outcomes] == [FixResult.FAILED] * 3
    assert [bool(outcome.stopped) for outcome in outcomes] == [False, False, True]
    assert not outcomes[-1].is_postponed
    assert outcomes[-1].stopped.endswith(
        f"3 fixes failed or were undone within an hour, of the findings {FINDING_ID}, {FINDING_ID}, {FINDING_ID}"
    )
    setup = Setup(stop=stop)
    assert setup.handle().is_postponed
    assert setup.state.attached == []


def test_a_failed_fix_is_counted_before_it_is_recorded_and_once() -> None:
    """If recording it fails, the retry tries the fix again."""
    setup = Setup()
    setup.state.error = FAILURE
    writes: list[int] = []

    def fail_once() -> None:
        writes.append(1)
        if len(writes) == 2:
            raise ConnectionError

    setup.store.before_write = fail_once
    with pytest.raises(ConnectionError):
        setup.handle()
    assert [one.key for one in setup.stop.opened.failed] == [f"{FINDING_ID}#1"]
    assert setup.handle().result is FixResult.FAILED
    assert [one.key for one in setup.stop.opened.failed] == [f"{FINDING_ID}#1"]


@pytest.mark.parametrize("result", [FixResult.APPLIED, FixResult.REFUSED, FixResult.PROPOSED])
def test_only_failed_fixes_count(result: FixResult) -> None:
    """A refusal is a guard that works."""
    setup = Setup(FixMode.PLAN if result is FixResult.PROPOSED else FixMode.AUTO)
    if result is FixResult.REFUSED:
        setup.state.stack = "shop"
    assert setup.handle().result is result
    assert setup.stop.opened == Breaker()


def test_a_change_that_aws_does_not_show_yet_does_not_count() -> None:
    """It has not failed."""
    setup = Setup()
    setup.state.visible_after = 99
    with pytest.raises(RetryableError):
        setup.handle()
    assert setup.stop.opened == Breaker()


# ── CloudTrail ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_write_names_its_finding() -> None:
    """So that CloudTrail has the reason."""
    setup = Setup()
    setup.handle()
    assert setup.state.attached == [("orders-role", SQS_POLICY_ARN)]
    assert setup.state.named == FINDING_ID
