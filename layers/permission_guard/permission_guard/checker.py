"""One look at one function: read its state, ask the rules, reconcile what is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from permission_guard.engine import Report, evaluate
from permission_guard.findings.conflicts import despite_conflicts
from permission_guard.findings.lifecycle import Change, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.findings.store import FindingStore
    from permission_guard.model import FunctionTarget, Scope, Snapshot, Unread
    from permission_guard.rules.base import Rule


class SnapshotSource(Protocol):
    """Where state is read from."""

    def snapshot(self, target: FunctionTarget, scope: Scope) -> Snapshot:
        """Read what a scope needs of a function."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look. `stale` says that a newer look was recorded first, so nothing of this one was written."""

    target: FunctionTarget
    report: Report
    changes: tuple[Change, ...]
    unread: tuple[Unread, ...]
    stale: bool


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

    def look(self, target: FunctionTarget, number: int, event_ids: Sequence[str] = ()) -> Look:
        """Look at one function and record what is seen.

        What could not be read is in the look's `unread`: the caller has the message tried again. ConflictError when
        others kept writing the same findings.
        """
        snapshot = self._source.snapshot(target, self._scope)
        report = evaluate(snapshot, self._rules)
        return despite_conflicts(lambda: self._record(report, snapshot, number, event_ids))

    def _record(self, report: Report, snapshot: Snapshot, number: int, event_ids: Sequence[str]) -> Look:
        target, now = report.target, self._clock()
        changes = reconcile(self._store.findings_of(target), report, now=now, event_ids=event_ids)
        unknowns = [f"{verdict.rule_id}: {verdict.reason}" for verdict in report.unknowns]
        written = self._store.commit_look(target, self._scope, number, changes=changes, unknowns=unknowns, now=now)
        return Look(target, report, changes if written else (), snapshot.unread, stale=not written)
