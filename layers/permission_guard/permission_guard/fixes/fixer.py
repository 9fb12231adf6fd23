"""Fix one finding: read the state again, plan, record, apply, verify. When in doubt, refuse with the reason."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.checks.engine import evaluate
from permission_guard.config.fix_modes import effective_mode
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.errors import (
    FixingStoppedError,
    FixInProgressError,
    FixNotVisibleError,
    FixRefusedError,
    RetryableError,
    WriteFailedError,
)
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.exceptions import why_exempt
from permission_guard.findings.lifecycle import verdict_about
from permission_guard.fixes import fix_for
from permission_guard.fixes.approval import why_to_approve
from permission_guard.fixes.guards import ManagedByCodeError, guard_function
from permission_guard.fixes.planner import Planner
from permission_guard.fixes.plans import in_words, progress_of, proposal, why_not_approved
from permission_guard.fixes.recorder import FixOutcome, FixRecorder, declined_by, fix_of, is_leased, started_fix
from permission_guard.fixes.restore import reasons_to_wait, removals
from permission_guard.fixes.reverted import guard_reverted
from permission_guard.fixes.stop import count_failed_fix, why_stopped
from permission_guard.fixes.stoppable import StoppableWriter
from permission_guard.fixes.together import NEW, resolved_by, waits_for, why_rejected
from permission_guard.fixes.undo import Undoer, why_declined
from permission_guard.model.findings import Finding, FixRecord, FixResult, PlannedCall, Status, Transition
from permission_guard.model.targets import FunctionTarget
from permission_guard.model.verdicts import Outcome
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.config.document import GuardConfig
    from permission_guard.config.fix_modes import EffectiveMode
    from permission_guard.findings.store import FindingStore
    from permission_guard.fixes.afterwards import Afterwards
    from permission_guard.fixes.base import Fix, FixState, Plan, Writers
    from permission_guard.fixes.decisions import Decision
    from permission_guard.fixes.own_undo import OwnUndo
    from permission_guard.fixes.stop import BreakerStore
    from permission_guard.fixes.stores import Decisions, FixQuota, FixStateSource
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON, FindingTarget
    from permission_guard.rules.base import Rule

MAX_TRIES = 3
"""The number of fixes of one finding; if the problem comes back after that, manual action is required."""

VERIFY_AFTER_SECONDS = (0.0, 1.0, 2.0, 4.0)
"""The waits before each read that verifies a change: IAM changes take time to propagate."""

IN_PROGRESS_SECONDS = (1.0, 2.0, 4.0)
"""The waits for another invocation to end the fix that it applies. Most take seconds, and a message that fails is only
delivered again after six minutes."""


@record
class Fixer:
    """Handles findings, one at a time.

    `mode` is the ceiling of the modes that `config` sets for rules. `rules` are all rules by id; `wait` sleeps for some
    seconds before each read that verifies a change. `token` returns a text that nobody else has: it makes an invocation
    the owner of a fix.
    """

    mode: FixMode
    auto_fix: AutoFix
    max_fixes_an_hour: int
    decide_fix_arn: str
    rules: Mapping[str, Rule]
    config: GuardConfig
    source: FixStateSource
    fix_state: FixState
    store: FindingStore
    decisions: Decisions
    quota: FixQuota
    stop: BreakerStore
    writers: Writers
    afterwards: Afterwards
    own_undo: OwnUndo
    clock: Callable[[], str]
    wait: Callable[[float], None]
    token: Callable[[], str]
    verify_after: Sequence[float] = VERIFY_AFTER_SECONDS

    def handle(self, target: FindingTarget, finding_id: str) -> FixOutcome:
        """Do what the mode and the decisions allow about one finding; a repeated request changes nothing.

        Where another writer changed the finding meanwhile, it is handled as it is then. RetryableError when a call to
        AWS or the table failed, or another invocation applies the fix for longer than `IN_PROGRESS_SECONDS`: nothing
        is lost, and the message is delivered again.
        """
        for delay in IN_PROGRESS_SECONDS:
            with suppress(FixInProgressError):
                return retry_on_conflict(lambda: self._handle_once(target, finding_id))
            self.wait(delay)
        return retry_on_conflict(lambda: self._handle_once(target, finding_id))

    def _handle_once(self, target: FindingTarget, finding_id: str) -> FixOutcome:
        if not isinstance(target, FunctionTarget):
            return FixOutcome(finding_id, None, "there is no fix for findings about a role")
        finding = self.store.finding(target, finding_id)
        fix = fix_for(finding.rule_id) if finding else None
        if finding is None:
            return FixOutcome(finding_id, None, "the finding does not exist")
        if fix is None:
            return FixOutcome(finding_id, None, f"there is no fix for {finding.rule_id}")
        if finding.fix is not None and finding.fix.is_undo_requested:
            return self._undoer.handle(target, finding, fix)
        started = started_fix(finding)
        if started is None:
            return self._handle(target, finding, fix)
        return self._continue(target, finding, fix, started)

    def _continue(self, target: FunctionTarget, finding: Finding, fix: Fix, started: FixRecord) -> FixOutcome:
        """Finish a fix that was interrupted. If nothing of its change was applied, it becomes a new attempt."""
        if is_leased(started, self.clock()):
            raise FixInProgressError(f"another invocation is applying the fix until {started.lease_until}")
        owned = self._recorder.own(finding, started)
        with self._recorder.lease(target, owned):
            if fix.is_applied(started.change, self.fix_state):
                return self._record_applied(target, owned, fix)
            if finished := self._finish(target, owned, fix, started):
                return finished
            outcome = self._handle(target, owned, fix)
            if outcome.is_postponed and not outcome.stopped:
                raise RetryableError(outcome.summary)
            if outcome.is_postponed:
                return self._recorder.wait_for_resume(target, owned, outcome.stopped, started.progress)
            if outcome.fix_record is None:
                summary = f"The fix was started, but nothing of it is in effect: {outcome.summary}."
                return self._recorder.refused(target, owned, fix, summary)
            return outcome

    def _finish(self, target: FunctionTarget, owned: Finding, fix: Fix, started: FixRecord) -> FixOutcome | None:
        """Apply the rest of a change of which a part was applied, None if nothing of it was.

        Planned from the current state, that part would count as the state before. So the plan is made again as if it
        were not applied: only the same plan is finished, under the same guards.
        """
        rule = self.rules[owned.rule_id]
        snapshot = self.source.snapshot_for_fix(target, rule.direction)
        rest = fix.rest(started.change, started.before, snapshot, self.fix_state)
        if rest is None:
            return None
        reason = self._reason_to_skip(owned) or self._reason_to_plan_otherwise(
            target, owned, fix, started, rest.snapshot
        )
        if not reason:
            self.own_undo.resume(owned.id, started)
            return self._write(target, owned, fix, rest.change, rest.done)
        partly = f"A part of the fix was applied, and the rest was not: {reason.removesuffix('.')}."
        return self._recorder.refused(target, owned, fix, f"{partly} Undo: {started.undo}")

    def _reason_to_plan_otherwise(
        self, target: FunctionTarget, owned: Finding, fix: Fix, started: FixRecord, before: Snapshot
    ) -> str:
        """Return why the plan of a started fix would be another one for a state, empty if it would be the same."""
        verdict = verdict_about(owned, evaluate(before, (self.rules[owned.rule_id],)).verdicts)
        if verdict is None or verdict.outcome is Outcome.PASS:
            return "the problem no longer exists"
        try:
            plan = self._planner.plan(target, fix, owned, before, verdict)
            planned = proposal(fix, plan, at=started.planned_at, attempts=started.attempts)
        except FixRefusedError as error:
            return str(error)
        return "" if planned.plan_hash == started.plan_hash else "it would be planned otherwise now"

    def _handle(self, target: FunctionTarget, finding: Finding, fix: Fix) -> FixOutcome:
        """Start a fix, or return why not."""
        reason = self._reason_to_skip(finding)
        if reason:
            return FixOutcome(finding.id, None, reason)
        try:
            return self._start(target, finding, fix)
        except FixRefusedError as error:
            managed_by = error.managed_by if isinstance(error, ManagedByCodeError) else None
            return self._recorder.refused(target, finding, fix, str(error), managed_by)

    def _reason_to_skip(self, finding: Finding) -> str | None:
        """Return why there is nothing to do about a finding, None if there is something to do."""
        effective = self._mode(finding)
        if effective.mode is FixMode.OFF:
            return str(effective)
        if finding.status is not Status.OPEN:
            return f"the finding is {finding.status}"
        if finding.transition is Transition.FIX_APPROVED and not effective.mode.takes_approvals:
            return f"{effective}: approvals are not accepted"
        waiting = finding.fix if finding.transition is Transition.FIX_PROPOSED else None
        # An earlier version's proposal does not show its whole plan, so it is made again.
        if waiting and waiting.approve and waiting.calls:
            return "the proposal waits for an approval"
        # A proposal without a command to approve it was made in the mode `plan`.
        is_new = waiting is not None and effective.mode.takes_approvals
        if is_new or finding.transition in (*NEW, Transition.FIX_APPROVED):
            return None
        return f"already handled: {finding.transition}"

    @property
    def _planner(self) -> Planner:
        return Planner(self.rules, self.config, self.source, self.fix_state, self.store, self.afterwards)

    @property
    def _recorder(self) -> FixRecorder:
        return FixRecorder(self.mode, self.config, self.decide_fix_arn, self.store, self.clock, self.token)

    @property
    def _undoer(self) -> Undoer:
        return Undoer(
            self.mode,
            self.max_fixes_an_hour,
            self.rules,
            self.config,
            self.source,
            self.fix_state,
            self.decisions,
            self.quota,
            self.stop,
            self.writers,
            self.afterwards,
            self.own_undo,
            self._recorder,
            self.clock,
            self.wait,
            self.verify_after,
        )

    def _mode(self, finding: Finding) -> EffectiveMode:
        return effective_mode(self.config, finding.rule_id, self.mode)

    def _start(self, target: FunctionTarget, finding: Finding, fix: Fix) -> FixOutcome:
        """Plan the fix from the current state; then apply it, or propose it if it needs an approval."""
        tries = finding.fix.attempts if finding.fix else 0
        if tries >= MAX_TRIES:
            raise FixRefusedError(
                f"The problem came back after {tries} fixes. Manual action required: find out what reverts them."
            )
        snapshot, verdict = self._planner.check(target, finding)
        if verdict is None or verdict.outcome is Outcome.PASS:
            return FixOutcome(finding.id, None, "the problem no longer exists")
        others = self.store.findings_of(target).findings
        if why_not := why_exempt(self.config, finding, snapshot, self.clock()) or waits_for(finding, others):
            return FixOutcome(finding.id, None, why_not)
        plan = self._planner.plan(target, fix, finding, snapshot, verdict)
        reverted = self._planner.reverted(target, fix, finding, plan)
        guard_reverted(reverted)
        planned = proposal(fix, plan, at=self.clock(), attempts=tries)
        resolves = resolved_by(plan, finding, self._in_the_same_mode(fix, finding, others), self.rules)
        planned = replace(planned, declined_by=declined_by(finding.fix), reverted=reverted, resolves=resolves)
        decision = self._decision(finding)
        approval = decision if decision and decision.approves(planned.plan_hash, self.clock()) else None
        applies, why = (True, "") if approval else self._without_approval(target, fix, finding, plan, others)
        if decision and not approval:
            why = f"{why_not_approved(decision, finding.fix, planned)} {why}".rstrip()
        planned = replace(planned, summary=f"{plan.summary}. {why}" if why else plan.summary)
        if not applies:
            return self._recorder.record(target, finding, planned)
        if why := why_stopped(self.stop):  # before a place of the hour is taken
            return FixOutcome(finding.id, None, why, is_postponed=True, stopped=why)
        if not self.quota.take_fix_quota(
            self.clock()[: len("2026-11-20T09")], self.max_fixes_an_hour, f"{finding.id}#{tries + 1}"
        ):
            # Not recorded as refused, which would be final: the sweep hands open findings over again, for a retry.
            reached = f"the limit of {self.max_fixes_an_hour} fixes per hour is reached"
            return FixOutcome(finding.id, None, reached, is_postponed=True)
        intent = replace(planned, attempts=tries + 1, undo=plan.undo, decided_by=approval.by if approval else "")
        # Recorded before the change, so that the state to restore is known after a crash.
        owned = self._recorder.own(finding, replace(intent, result=FixResult.APPLYING))
        with self._recorder.lease(target, owned):
            self.own_undo.remember(finding.id, intent)
            return self._write(target, owned, fix, intent.change)

    def _in_the_same_mode(self, fix: Fix, finding: Finding, others: Sequence[Finding]) -> list[Finding]:
        mode = self._mode(finding).mode
        return [one for one in others if one.rule_id in fix.rule_ids and self._mode(one).mode is mode]

    def _decision(self, finding: Finding) -> Decision | None:
        """Return what a person decided about an approved proposal, None if nobody did. An event approves nothing."""
        if finding.transition is not Transition.FIX_APPROVED or not self._mode(finding).mode.takes_approvals:
            return None
        return self.decisions.decision(finding.id, finding.revision - 1)

    def _without_approval(
        self, target: FunctionTarget, fix: Fix, finding: Finding, plan: Plan, others: Sequence[Finding]
    ) -> tuple[bool, str]:
        """Return whether a plan is applied without an approval, and why, for its summary."""
        if self._mode(finding).mode is not FixMode.AUTO:
            return False, ""
        if declined := why_declined(finding, plan.calls, others) or why_rejected(finding, others):
            return False, declined
        if why := why_to_approve(self.config, fix, finding, plan):
            return False, why
        if plan.narrows or self.auto_fix is AutoFix.GRANT:
            return True, ""
        permissions = self._planner.permissions(target, finding)
        reasons = reasons_to_wait(plan, permissions)
        if not reasons:
            changes = (f"{change.by or 'someone'} with {change.api}" for change in removals(plan, permissions))
            return True, f"It restores what was removed by {' and '.join(changes)}."
        who = finding.changed_by or "someone whom no event names"
        return False, f"It would grant more than it restores: {'; '.join(reasons)}. The change was made by {who}."

    def _write(
        self,
        target: FunctionTarget,
        finding: Finding,
        fix: Fix,
        change: Mapping[str, JSON],
        done: Sequence[PlannedCall] = (),
    ) -> FixOutcome:
        """Write a change of a recorded fix, and verify it. `done` are the calls of the plan that were made before.

        FixNotVisibleError when AWS does not show it in time.
        """
        intent, writer = fix_of(finding), StoppableWriter(self.writers.for_finding(finding.id), self.stop)
        try:
            fix.apply(change, writer, self.fix_state, self._shows)
        except FixingStoppedError as error:
            made = [*done, *writer.made]
            progress = progress_of(intent.calls, made) if made else ""
            return self._recorder.wait_for_resume(target, finding, str(error), progress)
        except WriteFailedError as error:
            # First: if recording the result fails, the fix is tried again, and not counted again.
            count_failed_fix(self.stop, finding.id, finding.revision, self.clock())
            made = [*done, *writer.made]
            summary = f"{str(error).removesuffix('.')}. Done: {in_words(made)}." if made else str(error)
            outcome = self._recorder.record(target, finding, replace(intent, result=FixResult.FAILED, summary=summary))
            return replace(outcome, stopped=why_stopped(self.stop))
        if self._shows(lambda: fix.is_applied(intent.change, self.fix_state)):
            return self._record_applied(target, finding, fix)
        # Raised, not recorded as failed: AWS accepted the change, and a later read will show it.
        raise FixNotVisibleError(f"AWS does not show the change yet: {intent.summary}. Undo: {intent.undo}")

    def _shows(self, is_visible: Callable[[], bool]) -> bool:
        """Wait for AWS to show something; return whether it does in time."""
        for delay in self.verify_after:
            self.wait(delay)
            if is_visible():
                return True
        return False

    def _record_applied(self, target: FunctionTarget, finding: Finding, fix: Fix) -> FixOutcome:
        """Do what follows a fix that AWS shows, and record it. The summary says if the rule does not pass yet.

        If fixing is stopped before that, the record stays `applying`, and the sweep hands the finding over again.
        """
        followed = self.afterwards.follow(
            finding,
            guard=lambda: self._guard_again(target, finding),
            save=lambda fix_record: self._recorder.save(target, finding, fix_record),
        )
        if followed.waits:
            calls = followed.fix.calls
            progress = progress_of(calls, [call for call in calls if call.operation in fix.writes])
            return self._recorder.wait_for_resume(target, finding, followed.stopped, progress)
        after = {**fix.state(followed.fix.change, self.fix_state), **followed.after}
        _, verdict = self._planner.check(target, finding)
        summary = followed.fix.summary
        if verdict is not None and verdict.outcome is not Outcome.PASS:
            summary = f"{summary.rstrip('.')}. The check does not pass yet: {verdict.reason}"
        applied = replace(followed.fix, result=FixResult.APPLIED, summary=summary, after=after, declined_by="")
        return replace(self._recorder.record(target, finding, applied), stopped=followed.stopped)

    def _guard_again(self, target: FunctionTarget, finding: Finding) -> None:
        """Refuse what follows a fix where the fix itself would be refused by now, or has not helped."""
        effective = self._mode(finding)
        if not effective.mode.takes_approvals:
            raise FixRefusedError(str(effective))
        if finding.status is not Status.OPEN:
            raise FixRefusedError(f"the finding is {finding.status}")
        snapshot, verdict = self._planner.check(target, finding)
        if temporary := [unread for unread in snapshot.unread if not unread.denied]:
            raise RetryableError(f"Unknown for now whether the fix has helped: {temporary[0]}")
        guard_function(snapshot)
        if verdict is not None:
            self._planner.guard_managed(target, finding, snapshot, verdict)
        if exempt := why_exempt(self.config, finding, snapshot, self.clock()):
            raise FixRefusedError(exempt)
        if verdict is not None and (verdict.outcome is Outcome.UNKNOWN or verdict.evidence.get("missing")):
            raise FixRefusedError(verdict.reason)
