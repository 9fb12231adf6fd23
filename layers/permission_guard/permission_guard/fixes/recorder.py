"""Record what the fixer does about a finding: who owns a started fix, and how it ended."""

from __future__ import annotations

import shlex
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from permission_guard.config.fix_modes import effective_mode
from permission_guard.errors import FixInProgressError
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.lifecycle import Change, advanced, managed, owner_of_fix, undone
from permission_guard.model.findings import FixRecord, FixResult, Transition
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.config.document import GuardConfig
    from permission_guard.config.settings import FixMode
    from permission_guard.findings.store import FindingStore
    from permission_guard.fixes.base import Fix
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import ManagedBy
    from permission_guard.model.targets import FunctionTarget

LEASE = timedelta(minutes=5)
"""How long an invocation owns a fix if it does not end: longer than the timeout of the function, and shorter than the
time after which its queue delivers the message again."""

TRANSITIONS = {
    FixResult.PROPOSED: Transition.FIX_PROPOSED,
    FixResult.APPLIED: Transition.FIX_APPLIED,
    FixResult.REFUSED: Transition.FIX_REFUSED,
    FixResult.FAILED: Transition.FIX_FAILED,
    FixResult.UNDONE: Transition.FIX_UNDONE,
}
"""The transition that each result of a fix makes."""


@record
class FixOutcome:
    """What the fixer did about a finding. `result` is None if there was nothing to do, or nothing yet.

    `stopped` says why fixing is stopped, if that kept a fix from being applied, or its failure has stopped it.
    """

    finding_id: str
    result: FixResult | None
    summary: str
    fix_record: FixRecord | None = None
    is_postponed: bool = False
    stopped: str = ""


@record
class FixRecorder:
    """Writes the records of fixes into their findings. `token` returns a text that nobody else has."""

    mode: FixMode
    config: GuardConfig
    decide_fix_arn: str
    store: FindingStore
    clock: Callable[[], str]
    token: Callable[[], str]

    def own(self, finding: Finding, record: FixRecord) -> Finding:
        """Record a started fix as this invocation's own. ConflictError if another writer was first."""
        until = datetime.fromisoformat(self.clock()) + LEASE
        owned = replace(record, owner=self.token(), lease_until=until.isoformat(timespec="milliseconds"))
        change = Change(replace(finding, fix=owned), finding.revision, expected_owner=owner_of_fix(finding))
        self.store.put_finding(change)
        return change.finding

    @contextmanager
    def lease(self, target: FunctionTarget, owned: Finding) -> Iterator[None]:
        """End the lease when an error interrupts the fix, so that the retry does not wait for it."""
        try:
            yield
        except BaseException:
            with suppress(Exception):  # the first error says what happened
                current = self.store.finding(target, owned.id)
                if current and (fix := started_fix(current)) and fix.owner == owner_of_fix(owned):
                    ended = replace(current, fix=replace(fix, lease_until=""))
                    self.store.put_finding(Change(ended, current.revision))
            raise

    def refused(
        self,
        target: FunctionTarget,
        finding: Finding,
        fix: Fix,
        reason: str,
        managed_by: ManagedBy | None = None,
    ) -> FixOutcome:
        """Record that a fix is refused; the record of a started fix keeps its change and its state before.

        `managed_by` is the tool in whose code to make the change, if that is why.
        """
        refusal = started_fix(finding)
        if refusal is None:
            attempts = finding.fix.attempts if finding.fix else 0
            refusal = FixRecord(
                name=fix.name, result=FixResult.REFUSED, summary=reason, at=self.clock(), attempts=attempts
            )
            reverted = finding.fix.reverted if finding.fix else ()
            refusal = replace(refusal, declined_by=declined_by(finding.fix), reverted=reverted)
        refusal = replace(refusal, result=FixResult.REFUSED, summary=reason)
        return self.record(target, finding, refusal, managed_by=managed_by)

    def record(
        self,
        target: FunctionTarget,
        finding: Finding,
        fix_record: FixRecord,
        transition: Transition | None = None,
        managed_by: ManagedBy | None = None,
        *,
        is_solved: bool = False,
    ) -> FixOutcome:
        """Write the record of a fix into the finding's current revision; retry when another writer was first.

        What was recorded by another invocation meanwhile is not recorded again. `transition` is that of the record's
        result if it is None. Another one is of an undo that has ended without effect: the fix is applied since the same
        time as before. `is_solved` is whether the problem does not exist after an undo either, so that a resolved
        finding stays resolved.
        """
        now = self.clock()
        timed = replace(fix_record, at=fix_record.at if transition else now, lease_until="", progress="")
        made = transition or TRANSITIONS[timed.result]
        return retry_on_conflict(
            lambda: self._write(target, finding, timed, made, managed_by, is_solved=is_solved, now=now)
        )

    def _write(
        self,
        target: FunctionTarget,
        finding: Finding,
        fix_record: FixRecord,
        transition: Transition,
        managed_by: ManagedBy | None,
        *,
        is_solved: bool,
        now: str,
    ) -> FixOutcome:
        current = self.store.finding(target, finding.id) or finding
        started = started_fix(finding)
        # A started fix is recorded whatever else happened to the finding; a proposal or a refusal is of one revision.
        is_current = (
            (mine := started_fix(current)) is not None and mine.owner == started.owner
            if started
            else current.revision == finding.revision and owner_of_fix(current) == owner_of_fix(finding)
        )
        if not is_current:
            return FixOutcome(finding.id, None, f"changed meanwhile: {current.transition}")
        revision = current.revision + 1
        if fix_record.result is FixResult.PROPOSED and self._takes_approvals(current):
            fix_record = replace(fix_record, approve=self._approve_command(current, fix_record, revision))
        if fix_record.result is FixResult.UNDONE:
            after = undone(current, now, fix_record.declined_by, is_solved=is_solved)
        else:
            after = advanced(current, transition, now)
        updated = managed(replace(after, fix=fix_record), managed_by)
        self.store.put_finding(Change(updated, current.revision, expected_owner=owner_of_fix(current)))
        return FixOutcome(finding.id, fix_record.result, fix_record.last_summary, fix_record)

    def _approve_command(self, finding: Finding, proposal: FixRecord, revision: int) -> str:
        """Return the command that approves the proposal of this revision, and of no other."""
        options = {
            "--function-arn": finding.function_arn,
            "--revision": str(revision),
            "--plan": proposal.plan_hash,
            "--decide-fix": self.decide_fix_arn,
        }
        given = " ".join(f"{name} {shlex.quote(value)}" for name, value in options.items())
        return f"permission-guard fixes approve {finding.id} {given}"

    def save(self, target: FunctionTarget, owned: Finding, fix_record: FixRecord) -> None:
        """Record what the next try of a started fix must know. FixInProgressError if another invocation owns it."""
        retry_on_conflict(lambda: self._save(target, owned, fix_record))

    def _save(self, target: FunctionTarget, owned: Finding, fix_record: FixRecord) -> None:
        current = self.store.finding(target, owned.id)
        started = started_fix(current) if current else None
        if current is None or started is None or started.owner != owner_of_fix(owned):
            raise FixInProgressError("another invocation has taken over the fix")
        change = Change(replace(current, fix=fix_record), current.revision, expected_owner=started.owner)
        self.store.put_finding(change)

    def _takes_approvals(self, finding: Finding) -> bool:
        return effective_mode(self.config, finding.rule_id, self.mode).mode.takes_approvals

    def wait_for_resume(self, target: FunctionTarget, owned: Finding, why: str, progress: str = "") -> FixOutcome:
        """Let the started fix of `owned` wait, because fixing is stopped; the sweep hands the finding over again.

        With `progress` a part of it was applied: it stays started, and the next try finishes it. Else it becomes a
        proposal without an approval command, and is planned again. Neither is a transition, so an approval of the
        finding stays what it is. Nothing changes if the fix is no longer started, or another invocation owns it. The
        owner changes: whoever has read the started fix does not go on.
        """
        retry_on_conflict(lambda: self._let_wait(target, owned, progress))
        return FixOutcome(owned.id, None, why, is_postponed=True, stopped=why)

    def _let_wait(self, target: FunctionTarget, owned: Finding, progress: str) -> None:
        current = self.store.finding(target, owned.id)
        fix = current.fix if current else None
        if current is None or fix is None or fix.result is not FixResult.APPLYING or fix.owner != owner_of_fix(owned):
            return
        waiting = replace(fix, owner=self.token(), lease_until="", progress=progress)
        if not progress:
            waiting = replace(waiting, result=FixResult.PROPOSED, undo="")
        self.store.put_finding(Change(replace(current, fix=waiting), current.revision, expected_owner=fix.owner))


def started_fix(finding: Finding) -> FixRecord | None:
    """Return the finding's fix if it, or its undo, was started and the result was not recorded."""
    is_started = finding.fix is not None and finding.fix.result in (FixResult.APPLYING, FixResult.UNDOING)
    return finding.fix if is_started else None


def is_leased(fix_record: FixRecord, now: str) -> bool:
    """Return whether an invocation works on a started fix, and no other may."""
    until = fix_record.lease_until
    return bool(until) and datetime.fromisoformat(until) > datetime.fromisoformat(now)


def declined_by(fix_record: FixRecord | None) -> str:
    """Return the ARN of who rejected or undid a fix of a finding, empty if nobody did since one was applied."""
    if fix_record is None:
        return ""
    return fix_record.decided_by if fix_record.result is FixResult.REJECTED else fix_record.declined_by


def fix_of(finding: Finding) -> FixRecord:
    """Return the finding's fix; ValueError if it has none."""
    if finding.fix is None:
        raise ValueError(f"finding {finding.id} has no fix")
    return finding.fix
