"""The undo that no person requested: of a narrowing after which deliveries to the function fail.

`maintain_findings` requests it, and may be wrong or compromised: so nothing of the request is believed. The fix must be
one that this function has planned from the state of AWS and recorded itself before it applied it, in the table that
nobody else may write so, and CloudWatch must show that the deliveries fail.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.findings.watch import BOT, NARROWING, Watched
from permission_guard.fixes.decisions import Decision, DecisionKind
from permission_guard.model.state import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.findings import FixRecord, UndoRecord
    from permission_guard.model.metrics import MetricReader

_LATE: Final = timedelta(hours=1)
"""How long after the end of a watch a request is still fulfilled: it waits in queues."""


@record(kw_only=True)
class OwnFix:
    """A narrowing that is applied, as the fixer itself recorded it before the first call. Times are ISO-8601 in UTC.

    `undone_for` is the revision of the finding for which the bot itself undid a fix of it, None if it never did.
    `plan_hash` is empty once another fix of that finding has followed.
    """

    finding_id: str
    plan_hash: str
    applied_at: str
    undone_for: int | None = None


class OwnFixes(Protocol):
    """Stores what was applied where only the fixer may write."""

    def own_fix(self, finding_id: str) -> OwnFix | None:
        """Return what was recorded of a finding, None if nothing was. ValueError if that cannot be read."""

    def put_own_fix(self, fix: OwnFix) -> None:
        """Record a fix, unless the bot itself has undone one of the finding.

        ConflictError if it has; or if the fix itself is undone, and the recorded one has another plan. One without a
        plan replaces only one that is undone for the same revision.
        """


@record
class OwnUndo:
    """Decides whether the bot itself may undo a fix. `hours` is how long the function is watched."""

    hours: int
    metrics: MetricReader
    fixes: OwnFixes
    clock: Callable[[], str]

    def remember(self, finding_id: str, fix: FixRecord) -> None:
        """Record a narrowing before its first call, once it was planned and may be applied.

        A record of the findings table proves no plan: call it for one that was just made. If the bot itself has undone
        a fix of the finding, its request is used up, also if the new plan is the same.
        """
        if fix.name != NARROWING:
            return
        recorded = self.fixes.own_fix(finding_id)
        if recorded is None or recorded.undone_for is None:
            self.fixes.put_own_fix(OwnFix(finding_id=finding_id, plan_hash=fix.plan_hash, applied_at=self.clock()))
        elif recorded.plan_hash:
            self.fixes.put_own_fix(replace(recorded, plan_hash=""))

    def resume(self, finding_id: str, fix: FixRecord) -> None:
        """Record that the rest of a recorded narrowing is applied now: the function is watched from now on."""
        recorded = self.fixes.own_fix(finding_id) if fix.name == NARROWING else None
        if recorded is not None and recorded.undone_for is None and recorded.plan_hash == fix.plan_hash:
            self.fixes.put_own_fix(replace(recorded, applied_at=self.clock()))

    def request(self, finding_id: str, fix: FixRecord, undo: UndoRecord) -> Decision:
        """Return the request as what CloudWatch shows. FixRefusedError if that is not enough to undo the fix.

        RetryableError if it cannot be read for now.
        """
        own = self._own(finding_id, fix)
        if own.undone_for == undo.revision:
            return self._decision(finding_id, fix, undo, undo.reason)
        if own.undone_for is not None:
            raise FixRefusedError(_once(own.undone_for))
        now = datetime.fromisoformat(self.clock())
        watched = Watched.of(fix, own.applied_at)
        if now - watched.applied_at > timedelta(hours=self.hours) + _LATE:
            raise FixRefusedError(f"The fix was applied at {own.applied_at}: its watch has ended.")
        seen = watched.read(self.metrics, now)
        if isinstance(seen, Unread):
            if not seen.denied:
                raise RetryableError(f"The metrics could not be read for now: {seen}")
            raise FixRefusedError(f"The metrics cannot be read, so nothing is undone: {seen}.")
        if not seen.why_undone:
            raise FixRefusedError("CloudWatch does not show that deliveries to an active function fail since the fix.")
        return self._decision(finding_id, fix, undo, seen.why_undone)

    def begin(self, finding_id: str, fix: FixRecord, undo: UndoRecord, is_in_effect: Callable[[], bool]) -> None:
        """Record that the bot itself undoes the fix, before the first call. ConflictError if it did so before.

        FixRefusedError if the fix is not in effect as it was applied: then deliveries may fail for another reason.
        """
        own = self._own(finding_id, fix)
        if own.undone_for == undo.revision:
            return
        if not is_in_effect():
            raise FixRefusedError("Somebody has changed what the fix wrote since. Deliveries may fail because of that.")
        self.fixes.put_own_fix(replace(own, undone_for=undo.revision))

    def _own(self, finding_id: str, fix: FixRecord) -> OwnFix:
        own = self.fixes.own_fix(finding_id)
        if own is not None and own.undone_for is not None and not own.plan_hash:
            raise FixRefusedError(_once(own.undone_for))
        if own is None or fix.name != NARROWING or own.plan_hash != fix.plan_hash:
            raise FixRefusedError("The bot itself undoes only a narrowing that it has recorded, and this is not it.")
        return own

    def _decision(self, finding_id: str, fix: FixRecord, undo: UndoRecord, reason: str) -> Decision:
        return Decision(
            kind=DecisionKind.UNDO,
            finding_id=finding_id,
            revision=undo.revision,
            plan_hash=fix.plan_hash,
            by=BOT,
            at=undo.at,
            nonce="",
            reason=reason,
        )


def _once(revision: int) -> str:
    return f"The bot itself undoes one fix of a finding, and did so at revision {revision}."
