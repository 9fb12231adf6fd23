"""Fix one finding: read the state again, plan, record, apply, verify. When in doubt, refuse with the reason."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from permission_guard.bus.events import SOURCE
from permission_guard.checks.engine import evaluate
from permission_guard.config import FixMode
from permission_guard.errors import FixNotVisibleError, FixRefusedError, RetryableError, WriteFailedError
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.lifecycle import Change, is_about
from permission_guard.fixes import fix_for
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.findings.store import FindingStore
    from permission_guard.fixes.base import Fix, FixState, Plan, Writer
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import Direction, FunctionTarget
    from permission_guard.rules.base import Rule

MAX_TRIES = 3
"""The number of fixes of one finding; if the problem comes back after that, manual action is required."""

VERIFY_AFTER_SECONDS = (0.0, 1.0, 2.0, 4.0)
"""The waits before each read that verifies a change: IAM changes take time to propagate."""

_TRANSITIONS = {
    FixResult.PROPOSED: Transition.FIX_PROPOSED,
    FixResult.APPLIED: Transition.FIX_APPLIED,
    FixResult.REFUSED: Transition.FIX_REFUSED,
    FixResult.FAILED: Transition.FIX_FAILED,
}
_NEW = (Transition.OPENED, Transition.REOPENED)


class FixStateSource(Protocol):
    """The source of current state, read without a cache."""

    def snapshot_for_fix(self, target: FunctionTarget, direction: Direction) -> Snapshot:
        """Read the state that a direction's rules need of a function, and its tags."""


class FixQuota(Protocol):
    """The limit of fixes per hour."""

    def take_fix_quota(self, hour: str, limit: int) -> bool:
        """Count one more fix; return False if the limit is reached."""


@record
class FixOutcome:
    """What the fixer did about a finding. `result` is None if there was nothing to do."""

    finding_id: str
    result: FixResult | None
    summary: str
    fix_record: FixRecord | None = None


@record
class Fixer:
    """Handles findings, one at a time.

    `rules` are all rules by id; `wait` sleeps for some seconds before each read that verifies a change.
    """

    mode: FixMode
    max_fixes_an_hour: int
    rules: Mapping[str, Rule]
    source: FixStateSource
    fix_state: FixState
    store: FindingStore
    quota: FixQuota
    writer: Writer
    clock: Callable[[], str]
    wait: Callable[[float], None]
    verify_after: Sequence[float] = VERIFY_AFTER_SECONDS

    def handle(self, target: FunctionTarget, finding_id: str, *, approved_revision: int | None = None) -> FixOutcome:
        """Do what the mode allows about one finding; a repeated request changes nothing.

        `approved_revision` is the revision of the proposal that a person approved. RetryableError when a call to AWS or
        the table failed: nothing is lost, and the message is delivered again.
        """
        finding = self.store.finding(target, finding_id)
        fix = fix_for(finding.rule_id) if finding else None
        if finding is None:
            return FixOutcome(finding_id, None, "the finding does not exist")
        if fix is None:
            return FixOutcome(finding_id, None, f"there is no fix for {finding.rule_id}")
        started = _started_fix(finding)
        if started and fix.is_applied(started.change, self.fix_state):
            return self._record_applied(target, finding, fix, started)
        outcome = self._handle(target, finding, fix, approved_revision)
        if started and outcome.fix_record is None:
            # The fix was interrupted before the change, and is not applied now: the record must not stay `applying`.
            summary = f"The fix was started, but nothing was changed: {outcome.summary}."
            return self._record(target, finding, self._fix_record(finding, fix, FixResult.REFUSED, summary))
        return outcome

    def _handle(self, target: FunctionTarget, finding: Finding, fix: Fix, approved_revision: int | None) -> FixOutcome:
        """Start a fix, or return why not. A fix that was interrupted before its change becomes a new attempt."""
        reason = self._reason_to_skip(finding, approved_revision)
        if reason:
            return FixOutcome(finding.id, None, reason)
        try:
            return self._start(target, finding, fix, approved=approved_revision is not None)
        except FixRefusedError as error:
            return self._record(target, finding, self._fix_record(finding, fix, FixResult.REFUSED, str(error)))

    def _reason_to_skip(self, finding: Finding, approved_revision: int | None) -> str | None:
        """Return why there is nothing to do about a finding, None if there is something to do."""
        if self.mode is FixMode.OFF:
            return "FixMode is off"
        if finding.status is not Status.OPEN:
            return f"the finding is {finding.status}"
        if approved_revision is not None:
            return self._reason_to_reject(finding, approved_revision)
        if finding.transition in _NEW or self._is_proposal_of_another_mode(finding):
            return None
        return f"already handled: {finding.transition}"

    def _reason_to_reject(self, finding: Finding, revision: int) -> str | None:
        """Return why an approval is not accepted, None if it is."""
        if self.mode is not FixMode.APPROVE:
            return f"FixMode is {self.mode}: approvals are not accepted"
        if finding.transition is Transition.FIX_PROPOSED and finding.revision == revision:
            return None
        return f"revision {revision} is not the current proposal"

    def _is_proposal_of_another_mode(self, finding: Finding) -> bool:
        """Return whether the current mode handles an older proposal: auto applies it, approve adds its command."""
        if finding.transition is not Transition.FIX_PROPOSED or finding.fix is None:
            return False
        return self.mode is FixMode.AUTO or (self.mode is FixMode.APPROVE and not finding.fix.approve)

    def _start(self, target: FunctionTarget, finding: Finding, fix: Fix, *, approved: bool) -> FixOutcome:
        """Plan the fix from the current state; then apply it, or propose it if the mode requires an approval."""
        tries = finding.fix.attempts if finding.fix else 0
        if tries >= MAX_TRIES:
            raise FixRefusedError(
                f"The problem came back after {tries} fixes. Manual action required: find out what reverts them."
            )
        snapshot, verdict = self._check(target, finding)
        if verdict is None or verdict.outcome is Outcome.PASS:
            return FixOutcome(finding.id, None, "the problem no longer exists")
        plan = _plan(fix, finding, snapshot, verdict, self.fix_state)
        intent = replace(
            self._fix_record(finding, fix, FixResult.APPLYING, plan.summary),
            attempts=tries + 1,
            change=plan.change,
            before=plan.before,
            undo=plan.undo,
        )
        is_approved = approved and finding.fix is not None and finding.fix.change == plan.change
        if not (is_approved or self.mode is FixMode.AUTO):
            proposal = replace(intent, result=FixResult.PROPOSED, attempts=tries, undo="")
            return self._record(target, finding, proposal)
        if not self.quota.take_fix_quota(self.clock()[: len("2026-11-20T09")], self.max_fixes_an_hour):
            # Not recorded as refused, which would be final: the sweep publishes open findings again, for a retry.
            return FixOutcome(finding.id, None, f"the limit of {self.max_fixes_an_hour} fixes per hour is reached")
        # Recorded before the change, so that the state to restore is known after a crash.
        self.store.put_finding(Change(replace(finding, fix=intent), finding.revision))
        return self._apply(target, finding, fix, intent)

    def _apply(self, target: FunctionTarget, finding: Finding, fix: Fix, intent: FixRecord) -> FixOutcome:
        """Apply a recorded fix, and verify it; FixNotVisibleError when AWS does not show it in time."""
        try:
            fix.apply(intent.change, self.writer)
        except WriteFailedError as error:
            return self._record(target, finding, replace(intent, result=FixResult.FAILED, summary=str(error)))
        for delay in self.verify_after:
            self.wait(delay)
            if fix.is_applied(intent.change, self.fix_state):
                return self._record_applied(target, finding, fix, intent)
        # Raised, not recorded as failed: AWS accepted the change, and a later read will show it.
        raise FixNotVisibleError(f"AWS does not show the change yet: {intent.summary}. Undo: {intent.undo}")

    def _check(self, target: FunctionTarget, finding: Finding) -> tuple[Snapshot, Verdict | None]:
        """Read the current state and evaluate the finding's rule; the verdict is None if the subject was deleted."""
        rule = self.rules[finding.rule_id]
        snapshot = self.source.snapshot_for_fix(target, rule.direction)
        report = evaluate(snapshot, (rule,))
        for verdict in report.verdicts:
            if is_about(verdict, finding):
                return snapshot, verdict
        return snapshot, None

    def _fix_record(self, finding: Finding, fix: Fix, result: FixResult, summary: str) -> FixRecord:
        """Return the record of a fix; the record of a started fix keeps its change and its state before."""
        started = _started_fix(finding)
        if started:
            return replace(started, result=result, summary=summary)
        attempts = finding.fix.attempts if finding.fix else 0
        return FixRecord(name=fix.name, result=result, summary=summary, at=self.clock(), attempts=attempts)

    def _record_applied(self, target: FunctionTarget, finding: Finding, fix: Fix, intent: FixRecord) -> FixOutcome:
        """Record a fix that AWS shows; the summary says if the finding's rule does not pass yet."""
        after = fix.state(intent.change, self.fix_state)
        _, verdict = self._check(target, finding)
        summary = intent.summary
        if verdict is not None and verdict.outcome is not Outcome.PASS:
            summary = f"{summary}. The check does not pass yet: {verdict.reason}"
        return self._record(target, finding, replace(intent, result=FixResult.APPLIED, summary=summary, after=after))

    def _record(self, target: FunctionTarget, finding: Finding, fix_record: FixRecord) -> FixOutcome:
        """Write the record of a fix into the finding's current revision; retry when another writer was first."""
        timed = replace(fix_record, at=self.clock())
        return retry_on_conflict(lambda: self._write(target, finding, timed))

    def _write(self, target: FunctionTarget, finding: Finding, fix_record: FixRecord) -> FixOutcome:
        current = self.store.finding(target, finding.id) or finding
        revision = current.revision + 1
        if fix_record.result is FixResult.PROPOSED and self.mode is FixMode.APPROVE:
            fix_record = replace(fix_record, approve=_approve_command(current, revision))
        updated = replace(
            current,
            fix=fix_record,
            revision=revision,
            transition=_TRANSITIONS[fix_record.result],
            changed_at=fix_record.at,
        )
        self.store.put_finding(Change(updated, current.revision))
        return FixOutcome(finding.id, fix_record.result, fix_record.summary, fix_record)


def _started_fix(finding: Finding) -> FixRecord | None:
    """Return the finding's fix if it was started and its result was not recorded."""
    return finding.fix if finding.fix and finding.fix.result is FixResult.APPLYING else None


def _approve_command(finding: Finding, revision: int) -> str:
    """Return the command that approves the proposal of this revision, and of no other."""
    detail = {"id": finding.id, "function_arn": finding.function_arn, "revision": revision}
    entry = {
        "EventBusName": SOURCE,
        "Source": SOURCE,
        "DetailType": str(Transition.FIX_APPROVED),
        "Detail": json.dumps(detail),
    }
    return f"aws events put-events --region {finding.region} --entries {shlex.quote(json.dumps([entry]))}"


def _plan(fix: Fix, finding: Finding, snapshot: Snapshot, verdict: Verdict, fix_state: FixState) -> Plan:
    """Plan a fix for the problem in the snapshot; FixRefusedError when the verdict is unknown.

    RetryableError if a temporary error is the cause, because a refused fix is not retried.
    """
    temporary = [unread for unread in snapshot.unread if not unread.denied]
    if temporary and (verdict.outcome is Outcome.UNKNOWN or snapshot.tags in temporary):
        raise RetryableError(f"Unknown for now whether the problem still exists: {temporary[0]}")
    if verdict.outcome is Outcome.UNKNOWN:
        raise FixRefusedError(f"Unknown whether the problem still exists: {verdict.reason}")
    return fix.plan(finding, snapshot, fix_state)
