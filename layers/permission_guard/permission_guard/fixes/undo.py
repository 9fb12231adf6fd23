"""Undo one applied fix, as a person or the bot itself requested it: only what the fix changed, and what is still so.

What followed the fix is undone first: Lambda would go on to read the source with a role that may no longer do so.

It has the guards of a fix: where a fix would be refused, so is its undo, with the reason. A refused, expired or failed
request has ended. The fix stays applied then, and a person can request the undo again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.checks.engine import evaluate
from permission_guard.errors import (
    FixingStoppedError,
    FixInProgressError,
    FixNotVisibleError,
    FixRefusedError,
    RetryableError,
    WriteFailedError,
)
from permission_guard.findings.exceptions import exclusion_of
from permission_guard.findings.lifecycle import verdict_about
from permission_guard.findings.watch import BOT
from permission_guard.fixes.afterwards import WRITES as AFTERWARDS
from permission_guard.fixes.guards import guard_function
from permission_guard.fixes.plans import in_words
from permission_guard.fixes.recorder import TRANSITIONS, declined_by, fix_of, is_leased
from permission_guard.fixes.stop import count_failed_fix, why_stopped
from permission_guard.fixes.stoppable import StoppableWriter
from permission_guard.model.findings import FixResult, UndoRecord
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Outcome
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.config.document import GuardConfig
    from permission_guard.config.settings import FixMode
    from permission_guard.fixes.afterwards import Afterwards
    from permission_guard.fixes.base import Fix, FixState, Writers
    from permission_guard.fixes.decisions import Decision
    from permission_guard.fixes.own_undo import OwnUndo
    from permission_guard.fixes.recorder import FixOutcome, FixRecorder
    from permission_guard.fixes.stop import BreakerStore
    from permission_guard.fixes.stores import Decisions, FixQuota, FixStateSource
    from permission_guard.model.findings import Finding, FixRecord, PlannedCall
    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.rules.base import Rule


@record
class Undoer:
    """Undoes fixes, one at a time. Its parts are those of the Fixer."""

    mode: FixMode
    max_fixes_an_hour: int
    rules: Mapping[str, Rule]
    config: GuardConfig
    source: FixStateSource
    fix_state: FixState
    decisions: Decisions
    quota: FixQuota
    stop: BreakerStore
    writers: Writers
    afterwards: Afterwards
    own_undo: OwnUndo
    recorder: FixRecorder
    clock: Callable[[], str]
    wait: Callable[[float], None]
    verify_after: Sequence[float]

    def handle(self, target: FunctionTarget, finding: Finding, fix: Fix) -> FixOutcome:
        """Undo the finding's fix, or finish an undo that was interrupted, or record why it is not undone.

        RetryableError when a call to AWS or the table failed, or while another invocation undoes it.
        """
        fix_record, refused = fix_of(finding), ""
        if is_leased(fix_record, self.clock()):
            raise FixInProgressError(f"another invocation is undoing the fix until {fix_record.lease_until}")
        try:
            undo = self._planned(target, finding, fix)
        except FixRefusedError as error:
            undo, refused = undo_of(fix_record), str(error)
        # Recorded before the first change, so that a crash does not hide what was begun.
        owned = self.recorder.own(finding, replace(fix_record, result=FixResult.UNDOING, undo_record=undo))
        with self.recorder.lease(target, owned):
            if refused:
                return self._not_undone(target, owned, FixResult.REFUSED, refused)
            return self._undo(target, owned, fix)

    def _planned(self, target: FunctionTarget, finding: Finding, fix: Fix) -> UndoRecord:
        """Return the undo with its calls, none if nothing of the fix is left. FixRefusedError if it must not be."""
        fix_record = fix_of(finding)
        decision = self._request(finding.id, fix_record)
        undo = replace(undo_of(fix_record), by=decision.by, reason=decision.reason)
        if not self.mode.takes_approvals:
            raise FixRefusedError(f"FixMode is {self.mode}: nothing is undone.")
        if fix_record.name != fix.name:
            raise FixRefusedError(f"This version of the bot has no fix {fix_record.name} for {finding.rule_id}.")
        self._guard(target, finding, fix)
        calls = self._calls(fix_record, fix)
        if fix_record.result is FixResult.UNDOING:  # what others attach again meanwhile is theirs
            calls = tuple(call for call in calls if call in undo.calls)
        if calls and (stopped := why_stopped(self.stop)):
            raise FixRefusedError(f"{stopped}. Resume fixing, and request the undo again.")
        hour, key = self.clock()[: len("2026-11-20T09")], f"{finding.id}#undo#{undo.revision}"
        if calls and not self.quota.take_fix_quota(hour, self.max_fixes_an_hour, key):
            raise FixRefusedError(
                f"The limit of {self.max_fixes_an_hour} fixes per hour is reached. Request the undo again in an hour."
            )
        if undo.by == BOT:
            change = fix_record.change
            self.own_undo.begin(finding.id, fix_record, undo, lambda: fix.is_applied(change, self.fix_state))
        if fix_record.result is FixResult.UNDOING:
            return undo
        return replace(undo, calls=calls, before=self._state(fix_record, fix))

    def _calls(self, fix_record: FixRecord, fix: Fix) -> tuple[PlannedCall, ...]:
        """Return the calls that undo what is left of a fix, in their order."""
        of_the_change = fix.undo_calls(fix_record.change, fix_record.before, self.fix_state)
        return (*self.afterwards.undo_calls(fix_record), *of_the_change)

    def _state(self, fix_record: FixRecord, fix: Fix) -> Mapping[str, JSON]:
        return {**fix.state(fix_record.change, self.fix_state), **self.afterwards.state(fix_record)}

    def _request(self, finding_id: str, fix_record: FixRecord) -> Decision:
        """Return the recorded request of a person to undo exactly this fix. An event or a finding proves none.

        What the bot itself requested is proven by the metrics.
        """
        undo = undo_of(fix_record)
        if undo.by == BOT:
            return self.own_undo.request(finding_id, fix_record, undo)
        decision = self.decisions.decision(finding_id, undo.revision)
        if decision is None or not decision.is_undo_of(fix_record.plan_hash):
            raise FixRefusedError("The table of decisions has no request to undo this fix.")
        # What was begun in time is finished.
        if fix_record.result is not FixResult.UNDOING and not decision.is_valid(self.clock()):
            raise FixRefusedError(f"The request by {decision.by} of {decision.at} has expired. Request the undo again.")
        return decision

    def _guard(self, target: FunctionTarget, finding: Finding, fix: Fix) -> None:
        """Read the function and its tags again, and refuse what the bot must not change."""
        snapshot = self.source.snapshot_for_fix(target, self.rules[finding.rule_id].direction)
        tags = snapshot.tags
        if exclusion := exclusion_of(self.config, target, tags):
            raise FixRefusedError(f"The configuration excludes the function: {exclusion.reason}")
        if snapshot.function is not None:  # a deleted function has no tags; its role is guarded all the same
            if isinstance(tags, Unread) and not tags.denied:
                raise RetryableError(f"The tags of {target.arn} could not be read for now: {tags}")
            guard_function(snapshot)
        fix.guard_undo(fix_of(finding).change, target.account, self.fix_state)

    def _undo(self, target: FunctionTarget, owned: Finding, fix: Fix) -> FixOutcome:
        """Make the recorded calls that are left, and verify; FixNotVisibleError when AWS does not show it in time."""
        try:
            self._make(self._left(owned, fix), owned, fix)
            is_shown = self._is_shown(owned, fix)
        except FixRefusedError as error:
            return self._not_undone(target, owned, FixResult.REFUSED, str(error))
        except WriteFailedError as error:
            self._count(owned)
            outcome = self._not_undone(target, owned, FixResult.FAILED, str(error))
            return replace(outcome, stopped=why_stopped(self.stop))
        if is_shown:
            return self._undone(target, owned, fix)
        raise FixNotVisibleError(f"AWS does not show yet that the fix is undone: {fix_of(owned).summary}")

    def _is_shown(self, owned: Finding, fix: Fix) -> bool:
        """Wait for AWS to show that nothing is left to undo; return whether it does in time."""
        for delay in self.verify_after:
            self.wait(delay)
            if not self._left(owned, fix):
                return True
        return False

    def _make(self, calls: Sequence[PlannedCall], owned: Finding, fix: Fix) -> None:
        """Make calls one by one. FixRefusedError if fixing is stopped before one of them.

        WriteFailedError if AWS refuses one of them. Both name the calls that were made before.
        """
        writer = StoppableWriter(self.writers.for_finding(owned.id), self.stop)
        made: list[PlannedCall] = []
        try:
            for call in calls:
                if call.operation in AFTERWARDS:
                    self.afterwards.undo(call, owned.id)
                else:
                    fix.undo(call, fix_of(owned).change, writer, self.fix_state)
                made.append(call)
        except FixingStoppedError as error:
            done = f"Done: {in_words(made)}. " if made else ""
            left = in_words(call for call in calls if call not in made)
            raise FixRefusedError(
                f"{error}. {done}Not done: {left}. Resume fixing, and request the undo again."
            ) from error
        except WriteFailedError as error:
            if not made:
                raise
            raise WriteFailedError(f"{str(error).removesuffix('.')}. Done: {in_words(made)}.") from error

    def _left(self, owned: Finding, fix: Fix) -> Sequence[PlannedCall]:
        """Return the recorded calls that are not in effect yet."""
        fix_record = fix_of(owned)
        recorded = undo_of(fix_record).calls
        left = self._calls(fix_record, fix) if recorded else ()
        return [call for call in left if call in recorded]

    def _undone(self, target: FunctionTarget, owned: Finding, fix: Fix) -> FixOutcome:
        """Record that the fix is undone. It is counted first: if the record fails, it is not counted again."""
        is_solved = self._is_solved(target, owned)
        self._count(owned)
        fix_record = fix_of(owned)
        undo = undo_of(fix_record)
        after = self._state(fix_record, fix)
        ended = replace(undo, after=after, ended_at=self.clock(), summary=_summary(undo.calls))
        outcome = self.recorder.record(
            target,
            owned,
            replace(fix_record, result=FixResult.UNDONE, undo_record=ended, declined_by=undo.by),
            is_solved=is_solved,
        )
        return replace(outcome, stopped=why_stopped(self.stop))

    def _is_solved(self, target: FunctionTarget, owned: Finding) -> bool:
        """Return whether the problem does not exist without the fix either: of a deleted function, for example.

        No check would resolve such a finding again before the next sweep. What is unknown is not solved.
        """
        rule = self.rules[owned.rule_id]
        verdicts = evaluate(self.source.snapshot_for_fix(target, rule.direction), (rule,)).verdicts
        verdict = verdict_about(owned, verdicts)
        return verdict is None or verdict.outcome is Outcome.PASS

    def _not_undone(self, target: FunctionTarget, owned: Finding, result: FixResult, why: str) -> FixOutcome:
        """Record why the fix stays applied, as a whole or in part."""
        fix_record = fix_of(owned)
        ended = replace(undo_of(fix_record), ended_at=self.clock(), summary=why)
        applied = replace(fix_record, result=FixResult.APPLIED, undo_record=ended)
        outcome = self.recorder.record(target, owned, applied, TRANSITIONS[result])
        return replace(outcome, result=result) if outcome.result else outcome

    def _count(self, owned: Finding) -> None:
        count_failed_fix(self.stop, owned.id, undo_of(fix_of(owned)).revision, self.clock())


def undo_of(fix_record: FixRecord) -> UndoRecord:
    """Return the undo of a fix; ValueError if nobody requested one."""
    if fix_record.undo_record is None:
        raise ValueError(f"nobody requested to undo {fix_record.name}")
    return fix_record.undo_record


def why_declined(finding: Finding, calls: Sequence[PlannedCall], others: Iterable[Finding]) -> str:
    """Return who rejected or undid this before, so that it is only proposed; empty if nobody did.

    `others` are the findings of the same function: what was declined for one of them is not done for another one, also
    when it is proposed again.
    """
    if finding.fix is not None and finding.fix.result is FixResult.REJECTED:
        return f"{finding.fix.decided_by} rejected it before."
    if declined := declined_by(finding.fix):
        return f"{declined} rejected or undid it before."
    for other in others:
        who = declined_by(other.fix)
        if other.fix and who and any(call in other.fix.calls for call in calls):
            return f"{who} rejected or undid the same change for the finding {other.id}."
    return ""


def _summary(calls: Sequence[PlannedCall]) -> str:
    if not calls:
        return "Nothing of the fix was left: others had undone all of it."
    return f"Undone with {in_words(calls)}."
