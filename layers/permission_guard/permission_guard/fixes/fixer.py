"""Put one finding right: re-read, plan, apply, read back, remember. When in doubt, refuse and say why."""

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
from permission_guard.findings.lifecycle import Change, speaks_of
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
"""A finding that comes back after so many fixes is handed to a person."""

VERIFY_AFTER_SECONDS = (0.0, 1.0, 2.0, 4.0)
"""When a change is read back: IAM may take a moment to show it."""

_TRANSITIONS = {
    FixResult.PROPOSED: Transition.FIX_PROPOSED,
    FixResult.APPLIED: Transition.FIX_APPLIED,
    FixResult.REFUSED: Transition.FIX_REFUSED,
    FixResult.FAILED: Transition.FIX_FAILED,
}
_NEW = (Transition.OPENED, Transition.REOPENED)


class FixStateSource(Protocol):
    """Where state is read from, afresh."""

    def snapshot_for_fix(self, target: FunctionTarget, direction: Direction) -> Snapshot:
        """Read what a scope needs of a function, and its tags."""


class FixQuota(Protocol):
    """How many fixes may be made in an hour."""

    def take_fix_quota(self, hour: str, limit: int) -> bool:
        """Count one more fix; False when the limit is reached."""


@record
class FixOutcome:
    """What the fixer did about a finding. `result` is None where there was nothing to do."""

    finding_id: str
    result: FixResult | None
    summary: str
    record: FixRecord | None = None


@record
class Fixer:
    """Handles findings one by one.

    `rules` are all rules by id; `wait` sleeps for some seconds between reading back and reading back again.
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
        """Do what the mode allows about one finding; the same request twice does it once.

        `approved_revision` is the revision of the proposal that a person agreed to. RetryableError when AWS or the
        table did not answer: nothing is lost, the message comes again.
        """
        finding = self.store.finding(target, finding_id)
        fix = fix_for(finding.rule_id) if finding else None
        if finding is None or fix is None:
            return FixOutcome(finding_id, None, "there is no such finding" if finding is None else "no fix is known")
        run = _started(finding)
        if run and fix.is_made(run.change, self.fix_state):
            return self._record_applied(target, finding, fix, run)
        outcome = self._handle(target, finding, fix, approved_revision)
        if run and outcome.record is None:
            # It was cut short before it was made, and is not made now: no record may say that it is under way.
            summary = f"It was begun and does not show: {outcome.summary}."
            return self._record(target, finding, self._said(finding, fix, FixResult.REFUSED, summary))
        return outcome

    def _handle(self, target: FunctionTarget, finding: Finding, fix: Fix, approved_revision: int | None) -> FixOutcome:
        """Begin a fix, or say why not. One that was cut short before it was made is begun again; the try counts."""
        idle = self._why_idle(finding, approved_revision)
        if idle:
            return FixOutcome(finding.id, None, idle)
        try:
            return self._begin(target, finding, fix, approved=approved_revision is not None)
        except FixRefusedError as refusal:
            return self._record(target, finding, self._said(finding, fix, FixResult.REFUSED, str(refusal)))

    def _why_idle(self, finding: Finding, approved_revision: int | None) -> str | None:
        """Say why nothing is to be done about a finding; None when something is."""
        if self.mode is FixMode.OFF:
            return "FixMode is off"
        if finding.status is not Status.OPEN:
            return f"the finding is {finding.status}"
        if approved_revision is not None:
            return self._why_not_approved(finding, approved_revision)
        if finding.transition in _NEW or self._was_proposed_under_another_mode(finding):
            return None
        return f"it was handled before: {finding.transition}"

    def _why_not_approved(self, finding: Finding, revision: int) -> str | None:
        if self.mode is not FixMode.APPROVE:
            return f"FixMode is {self.mode}: approvals are not taken"
        if finding.transition is Transition.FIX_PROPOSED and finding.revision == revision:
            return None
        return f"revision {revision} is not what is proposed"

    def _was_proposed_under_another_mode(self, finding: Finding) -> bool:
        """Tell whether a proposal waits for something that it will not get: auto does it, approve asks a person."""
        if finding.transition is not Transition.FIX_PROPOSED or finding.fix is None:
            return False
        return self.mode is FixMode.AUTO or (self.mode is FixMode.APPROVE and not finding.fix.approve)

    def _begin(self, target: FunctionTarget, finding: Finding, fix: Fix, *, approved: bool) -> FixOutcome:
        tries = finding.fix.attempts if finding.fix else 0
        if tries >= MAX_TRIES:
            raise FixRefusedError(f"It came back after {tries} fixes: a person has to find out what undoes them.")
        snapshot, verdict = self._look(target, finding)
        if verdict is None or verdict.outcome is Outcome.PASS:
            return FixOutcome(finding.id, None, "it is right already")
        plan = _plan(fix, finding, snapshot, verdict, self.fix_state)
        intent = replace(
            self._said(finding, fix, FixResult.APPLYING, plan.summary),
            attempts=tries + 1,
            change=plan.change,
            before=plan.before,
            undo=plan.undo,
        )
        agreed = approved and finding.fix is not None and finding.fix.change == plan.change
        if not (agreed or self.mode is FixMode.AUTO):
            proposal = replace(intent, result=FixResult.PROPOSED, attempts=tries, undo="")
            return self._record(target, finding, proposal)
        if not self.quota.take_fix_quota(self.clock()[: len("2026-11-20T09")], self.max_fixes_an_hour):
            # Not a refusal, which would be the last word: the sweep tells of what is open, and it is tried again.
            return FixOutcome(finding.id, None, f"{self.max_fixes_an_hour} fixes were made in this hour: it waits")
        # Remembered before it is made: whatever happens now, the state to go back to is known.
        self.store.put_finding(Change(replace(finding, fix=intent), finding.revision))
        return self._carry_out(target, finding, fix, intent)

    def _carry_out(self, target: FunctionTarget, finding: Finding, fix: Fix, intent: FixRecord) -> FixOutcome:
        try:
            fix.apply(intent.change, self.writer)
        except WriteFailedError as error:
            return self._record(target, finding, replace(intent, result=FixResult.FAILED, summary=str(error)))
        for delay in self.verify_after:
            self.wait(delay)
            if fix.is_made(intent.change, self.fix_state):
                return self._record_applied(target, finding, fix, intent)
        # Raised, not recorded as failed: the change is made, and only reading it back can tell what came of it.
        raise FixNotVisibleError(f"{intent.summary} was done and does not show yet. Undo: {intent.undo}")

    def _look(self, target: FunctionTarget, finding: Finding) -> tuple[Snapshot, Verdict | None]:
        """Read the state afresh and judge the finding's subject by its rule; None when the subject is gone."""
        rule = self.rules[finding.rule_id]
        snapshot = self.source.snapshot_for_fix(target, rule.direction)
        report = evaluate(snapshot, (rule,))
        for verdict in report.verdicts:
            if speaks_of(verdict, finding):
                return snapshot, verdict
        return snapshot, None

    def _said(self, finding: Finding, fix: Fix, result: FixResult, summary: str) -> FixRecord:
        """Return what is said of a fix now; of one that was begun, what is known of it is kept."""
        run = _started(finding)
        if run:
            return replace(run, result=result, summary=summary)
        attempts = finding.fix.attempts if finding.fix else 0
        return FixRecord(name=fix.name, result=result, summary=summary, at=self.clock(), attempts=attempts)

    def _record_applied(self, target: FunctionTarget, finding: Finding, fix: Fix, intent: FixRecord) -> FixOutcome:
        """Record a fix that AWS shows, and say so if the finding's subject is not right even so."""
        after = fix.state(intent.change, self.fix_state)
        _, verdict = self._look(target, finding)
        summary = intent.summary
        if verdict is not None and verdict.outcome is not Outcome.PASS:
            summary = f"{summary}. This alone does not make it right: {verdict.reason}"
        return self._record(target, finding, replace(intent, result=FixResult.APPLIED, summary=summary, after=after))

    def _record(self, target: FunctionTarget, finding: Finding, record: FixRecord) -> FixOutcome:
        """Write what was done into the finding, whatever became of it meanwhile."""
        said = replace(record, at=self.clock())
        return retry_on_conflict(lambda: self._write(target, finding, said))

    def _write(self, target: FunctionTarget, finding: Finding, record: FixRecord) -> FixOutcome:
        current = self.store.finding(target, finding.id) or finding
        revision = current.revision + 1
        if record.result is FixResult.PROPOSED and self.mode is FixMode.APPROVE:
            record = replace(record, approve=_approval(current, revision))
        told = replace(
            current,
            fix=record,
            revision=revision,
            transition=_TRANSITIONS[record.result],
            changed_at=record.at,
        )
        self.store.put_finding(Change(told, current.revision))
        return FixOutcome(finding.id, record.result, record.summary, record)


def _started(finding: Finding) -> FixRecord | None:
    """Return the fix that was begun and whose end was not recorded."""
    return finding.fix if finding.fix and finding.fix.result is FixResult.APPLYING else None


def _approval(finding: Finding, revision: int) -> str:
    """Return the command with which a person agrees to what this revision proposes, and to nothing else."""
    detail = {"id": finding.id, "function_arn": finding.function_arn, "revision": revision}
    entry = {
        "EventBusName": SOURCE,
        "Source": SOURCE,
        "DetailType": str(Transition.FIX_APPROVED),
        "Detail": json.dumps(detail),
    }
    return f"aws events put-events --region {finding.region} --entries {shlex.quote(json.dumps([entry]))}"


def _plan(fix: Fix, finding: Finding, snapshot: Snapshot, verdict: Verdict, fix_state: FixState) -> Plan:
    """Plan a fix for what the snapshot shows; FixRefusedError when it shows nothing definite.

    RetryableError when a passing fault is the reason: a refusal would be the last word.
    """
    passing = [unread for unread in snapshot.unread if not unread.denied]
    if passing and (verdict.outcome is Outcome.UNKNOWN or snapshot.tags in passing):
        raise RetryableError(f"It cannot be told yet whether this is still so: {passing[0]}")
    if verdict.outcome is Outcome.UNKNOWN:
        raise FixRefusedError(f"It cannot be told whether this is still so: {verdict.reason}")
    return fix.plan(finding, snapshot, fix_state)
