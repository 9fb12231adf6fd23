"""One look at one function: read its state, ask the rules, reconcile what is recorded."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

from permission_guard.checks.engine import evaluate, without
from permission_guard.findings.checkpoint import still_told
from permission_guard.findings.conflicts import despite_conflicts
from permission_guard.findings.lifecycle import Change, reconcile
from permission_guard.model.arns import role_target
from permission_guard.model.findings import Status
from permission_guard.model.state import ManagedBy, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.findings.checkpoint import Begun, Notes
    from permission_guard.findings.store import FindingStore
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Refusal, Snapshot
    from permission_guard.model.targets import FunctionTarget, RoleTarget, Scope
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule
    from permission_guard.rules.report import Report


class SnapshotSource(Protocol):
    """Where state is read from."""

    def snapshot(
        self, target: FunctionTarget, scope: Scope, *, not_before: float = 0.0, refusals: Sequence[Refusal] = ()
    ) -> Snapshot:
        """Read what a scope needs of a function; what is shared with other functions not before some time."""

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        """Return the infrastructure code that owns a function; None when it does not say."""

    def forget(self) -> None:
        """Read everything anew from now on."""


class RoleUsers(Protocol):
    """Which functions run with which role."""

    @property
    def is_complete(self) -> bool:
        """Whether what it says is what looks have written."""

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List, for each of some roles, the functions that run with it, by name."""


@record(frozen=True, slots=True)
class Occasion:
    """Why a function is looked at.

    `event_ids` are of the events that led to it, `tool` is the infrastructure code that made the change, as far as one
    of them tells. `requested_at` is when the look was requested, in seconds since 1970: what is read once for many
    functions, such as all triggers, is read after it. What is `settled` was not changed just now: rules that settle
    tell of it. A `thorough` look asks who else has the function's roles, whether they changed or not. `refusals` are
    the calls about it that AWS refused.
    """

    event_ids: tuple[str, ...] = ()
    tool: str = ""
    requested_at: float = 0.0
    settled: bool = False
    thorough: bool = False
    refusals: tuple[Refusal, ...] = ()


@record(frozen=True, slots=True)
class Look:
    """What came of a look. `stale` says that another look knew better, so nothing of this one was written.

    `again` says that something was seen which only a look some minutes later can tell for sure. `others` are functions
    to be looked at since this one came to share their role, or shares it no longer.
    """

    target: FunctionTarget
    report: Report
    changes: tuple[Change, ...]
    unread: tuple[Unread, ...]
    stale: bool
    again: bool = False
    others: tuple[FunctionTarget, ...] = ()


class Checker:
    """Looks at functions, in one scope. With `settles` false nothing waits: what is seen is told at once."""

    def __init__(
        self,
        scope: Scope,
        rules: Sequence[Rule],
        source: SnapshotSource,
        store: FindingStore,
        clock: Callable[[], str],
        *,
        users: RoleUsers,
        settles: bool = True,
    ) -> None:
        self._scope = scope
        self._rules = rules
        self._source = source
        self._store = store
        self._users = users
        self._clock = clock
        self._settles = settles

    def begin(self, target: FunctionTarget) -> Begun:
        """Begin a look.

        Begin all looks of a batch before the first of them: what is read for one (a role) serves the others.
        """
        return self._store.begin_look(target, self._scope)

    def begin_again(self, target: FunctionTarget) -> Begun:
        """Begin a look after others of the batch: nothing that was read for those is younger than another's look."""
        self._source.forget()
        return self.begin(target)

    def look(self, target: FunctionTarget, begun: Begun, occasion: Occasion | None = None) -> Look:
        """Look at one function and record what is seen.

        What could not be read is in the look's `unread`: the caller has the message tried again. ConflictError when
        others kept writing the same findings.
        """
        occasion = occasion or Occasion()
        seen = self._see(target, begun.notes, occasion)
        recorded = self._store.findings_of(target) if begun.notes.has_findings else ()
        new = _new(seen.report, recorded)
        early = () if occasion.settled or not self._settles else _settling(new, seen.report)
        report, unread = without(seen.report, early), seen.unread
        # A function that does not exist has no owner; one that was told before has the one that it was told with.
        if not report.gone and (len(new) > len(early) or (occasion.thorough and report.violations)):
            owner = self._source.managed_by(target)
            if isinstance(owner, Unread):
                unread, owner = (*unread, owner), None
            report = replace(report, managed_by=owner or (ManagedBy(occasion.tool) if occasion.tool else None))
        # What was read serves the first try; whoever was overtaken by another writer reads again.
        reads = chain([recorded], repeat(None))
        written, changes = despite_conflicts(
            lambda: self._record(report, begun, seen.notes, occasion.event_ids, next(reads))
        )
        again = bool(early) or not written
        return Look(target, report, changes, unread, stale=not written, again=again, others=seen.others)

    def _see(self, target: FunctionTarget, before: Notes, occasion: Occasion) -> _Seen:
        """Read what there is, and ask the rules that have something to say on this occasion."""
        refusals = still_told(before.refusals, occasion.refusals, self._clock())
        snapshot = self._source.snapshot(target, self._scope, not_before=occasion.requested_at, refusals=refusals)
        roles = _roles(snapshot, before.roles)
        notes = replace(before, roles=roles, refusals=_unsettled(snapshot, self._rules))
        if snapshot.function is not None and roles == before.roles and not occasion.thorough:
            rules = [rule for rule in self._rules if not rule.thorough]
            return _Seen(evaluate(snapshot, rules), snapshot.unread, notes)
        users = self._users.functions_of_roles(roles | before.roles)
        others = _others(target, users, roles) if users and self._users.is_complete else ()
        snapshot = replace(snapshot, role_users=_role_users(snapshot, users))
        return _Seen(evaluate(snapshot, self._rules), snapshot.unread, notes, others)

    def _record(
        self,
        report: Report,
        begun: Begun,
        notes: Notes,
        event_ids: tuple[str, ...],
        recorded: tuple[Finding, ...] | None,
    ) -> tuple[bool, tuple[Change, ...]]:
        """Write what was seen; return whether it was, and the changes."""
        target, now = report.target, self._clock()
        if recorded is None:
            recorded = self._store.findings_of(target)
        changes = reconcile(recorded, report, now=now, event_ids=event_ids)
        unknowns = [f"{verdict.rule_id}: {verdict.reason}" for verdict in report.unknowns]
        notes = replace(notes, has_findings=bool(recorded or changes))
        written = self._store.commit_look(
            target, self._scope, begun, notes, changes=changes, unknowns=unknowns, now=now
        )
        return written, changes if written else ()


@record(frozen=True, slots=True)
class _Seen:
    """What the rules say, what could not be read, and what the next look is to know."""

    report: Report
    unread: tuple[Unread, ...]
    notes: Notes
    others: tuple[FunctionTarget, ...] = ()


def _new(report: Report, recorded: Iterable[Finding]) -> tuple[Verdict, ...]:
    """Return the violations that nobody was told of, or that were over."""
    known = {finding.id for finding in recorded if finding.status is not Status.RESOLVED}
    return tuple(verdict for verdict in report.violations if verdict.finding_id not in known)


def _settling(new: Iterable[Verdict], report: Report) -> tuple[Verdict, ...]:
    """Return what may be but a moment of a deployment, or of IAM, which takes minutes to agree with itself."""
    return tuple(verdict for verdict in new if report.rules[verdict.rule_id].settles)


def _roles(snapshot: Snapshot, before: frozenset[RoleTarget]) -> frozenset[RoleTarget]:
    """Return the roles that the function and its versions run with, those of before where one could not be read."""
    roles = set(map(role_target, snapshot.role_arns.values()))
    parts = (snapshot.function, snapshot.mappings, snapshot.invoke_configs, *snapshot.versions.values())
    return frozenset(roles | before if any(isinstance(part, Unread) for part in parts) else roles)


def _unsettled(snapshot: Snapshot, rules: Iterable[Rule]) -> tuple[Refusal, ...]:
    """Return the refusals to remember.

    What may be by now is over: whoever takes the function or the permission away later does not miss it.
    """
    asked = [rule for rule in rules if rule.of_refusals]
    reports = [(refusal, evaluate(replace(snapshot, refusals=(refusal,)), asked)) for refusal in snapshot.refusals]
    return tuple(refusal for refusal, report in reports if not report.passes or report.passes != report.verdicts)


def _role_users(
    snapshot: Snapshot, users: Mapping[RoleTarget, tuple[FunctionTarget, ...]]
) -> dict[str, tuple[FunctionTarget, ...]]:
    """Return the users of each of the snapshot's roles, the function itself among them."""
    arns = set(snapshot.role_arns.values())
    return {arn: tuple(sorted({snapshot.target, *users[role_target(arn)]})) for arn in arns}


def _others(
    target: FunctionTarget,
    users: Mapping[RoleTarget, tuple[FunctionTarget, ...]],
    roles: frozenset[RoleTarget],
) -> tuple[FunctionTarget, ...]:
    """Return, of each role that the function has come to use or uses no longer, the first of the other users.

    That is where it is told who shares the role, or where it was told until now.
    """
    changed = [role for role, functions in users.items() if (target in functions) is not (role in roles)]
    firsts = (next((one for one in users[role] if one != target), None) for role in changed)
    return tuple(dict.fromkeys(first for first in firsts if first))
