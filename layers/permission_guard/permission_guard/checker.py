"""One look at one function: read its state, ask the rules, reconcile what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from permission_guard.engine import Report, evaluate, without
from permission_guard.findings.conflicts import despite_conflicts
from permission_guard.findings.lifecycle import Change, reconcile
from permission_guard.model import ManagedBy, Status, Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.findings.store import FindingStore
    from permission_guard.model import FunctionTarget, Scope, Snapshot, Verdict
    from permission_guard.rules.base import Rule


class SnapshotSource(Protocol):
    """Where state is read from."""

    def snapshot(self, target: FunctionTarget, scope: Scope, *, not_before: float) -> Snapshot:
        """Read what a scope needs of a function; what is shared with other functions not before some time."""

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        """Return the infrastructure code that owns a function; None when it does not say."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look. `stale` says that a newer look was recorded first, so nothing of this one was written.

    `again` says that something was seen which only a look some minutes later can tell for sure.
    """

    target: FunctionTarget
    report: Report
    changes: tuple[Change, ...]
    unread: tuple[Unread, ...]
    stale: bool
    again: bool = False


class Checker:
    """Looks at functions, in one scope."""

    def __init__(
        self,
        scope: Scope,
        rules: Sequence[Rule],
        source: SnapshotSource,
        store: FindingStore,
        clock: Callable[[], str],
    ) -> None:
        self._scope = scope
        self._rules = rules
        self._source = source
        self._store = store
        self._clock = clock

    def begin(self, target: FunctionTarget) -> int:
        """Begin a look and return its number.

        Begin all looks of a batch before the first of them: what is read for one (a role) serves the others.
        """
        return self._store.begin_look(target, self._scope)

    def look(
        self,
        target: FunctionTarget,
        number: int,
        event_ids: Sequence[str] = (),
        *,
        tool: str = "",
        requested_at: float | None = None,
    ) -> Look:
        """Look at one function and record what is seen.

        `tool` is the infrastructure code that made the change, as far as an event tells. `requested_at` is when the
        look was requested, in seconds since 1970: what is read once for many functions, such as all triggers, is read
        after it. It is None for a look that an event caused: then rules that settle have nothing new to tell yet.
        What could not be read is in the look's `unread`: the caller has the message tried again. ConflictError when
        others kept writing the same findings.
        """
        snapshot = self._source.snapshot(target, self._scope, not_before=requested_at or 0.0)
        report, unread = evaluate(snapshot, self._rules), snapshot.unread
        early = () if requested_at is not None else self._too_early(report)
        report = without(report, early)
        if report.violations:
            owner = self._source.managed_by(target)
            if isinstance(owner, Unread):
                unread, owner = (*unread, owner), None
            report = replace(report, managed_by=owner or (ManagedBy(tool) if tool else None))
        look = despite_conflicts(lambda: self._record(report, unread, number, event_ids))
        return replace(look, again=bool(early))

    def _too_early(self, report: Report) -> tuple[Verdict, ...]:
        """Return what is new and may be but a moment of a deployment: a permission goes before its trigger does."""
        seen = [verdict for verdict in report.violations if report.rules[verdict.rule_id].settles]
        if not seen:
            return ()
        recorded = self._store.findings_of(report.target)
        known = {finding.id for finding in recorded if finding.status is not Status.RESOLVED}
        return tuple(verdict for verdict in seen if verdict.finding_id not in known)

    def _record(self, report: Report, unread: tuple[Unread, ...], number: int, event_ids: Sequence[str]) -> Look:
        target, now = report.target, self._clock()
        changes = reconcile(self._store.findings_of(target), report, now=now, event_ids=event_ids)
        unknowns = [f"{verdict.rule_id}: {verdict.reason}" for verdict in report.unknowns]
        written = self._store.commit_look(target, self._scope, number, changes=changes, unknowns=unknowns, now=now)
        return Look(target, report, changes if written else (), unread, stale=not written)
