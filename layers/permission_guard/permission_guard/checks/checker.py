"""One look at one function: read its state, ask the rules, reconcile what is recorded."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

from permission_guard.checks.engine import evaluate, without
from permission_guard.findings.checkpoint import still_relevant
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.lifecycle import Change, reconcile
from permission_guard.model.arns import role_target
from permission_guard.model.findings import Status
from permission_guard.model.state import ManagedBy, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.findings.checkpoint import Checkpoint, CheckRun
    from permission_guard.findings.store import FindingStore
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import DeniedCall, Snapshot
    from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule
    from permission_guard.rules.report import Report


class SnapshotSource(Protocol):
    """Where state is read from."""

    def snapshot(
        self,
        target: FunctionTarget,
        direction: Direction,
        *,
        not_before: float = 0.0,
        denied_calls: Sequence[DeniedCall] = (),
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


@record
class CheckRequest:
    """Why a function is looked at.

    `event_ids` are those of the events that led to it; `tool` is the infrastructure code that made the change, where an
    event names it. `requested_at` is when the check was requested, in seconds since 1970: what is read once for many
    functions, such as all triggers, is read after it. `after_grace_period` is true where nothing was changed just now:
    rules with a grace period then report. A `full` check also reads which other functions use the function's roles.
    `denied_calls` are the calls about the function that AWS denied.
    """

    event_ids: tuple[str, ...] = ()
    tool: str = ""
    requested_at: float = 0.0
    after_grace_period: bool = False
    full: bool = False
    denied_calls: tuple[DeniedCall, ...] = ()


@record
class CheckResult:
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
    """Looks at functions, in one scope. With `grace_period` false nothing waits: what is seen is told at once."""

    def __init__(
        self,
        direction: Direction,
        rules: Sequence[Rule],
        source: SnapshotSource,
        store: FindingStore,
        clock: Callable[[], str],
        *,
        users: RoleUsers,
        grace_period: bool = True,
    ) -> None:
        self._scope = direction
        self._rules = rules
        self._source = source
        self._store = store
        self._users = users
        self._clock = clock
        self._settles = grace_period

    def forget(self) -> None:
        """Read everything anew from now on: what was read for one batch does not serve the next."""
        self._source.forget()

    def begin(self, target: FunctionTarget) -> CheckRun:
        """Begin a look.

        Begin all looks of a batch before the first of them: what is read for one (a role) serves the others.
        """
        return self._store.start_check(target, self._scope)

    def start_again(self, target: FunctionTarget) -> CheckRun:
        """Begin a look after others of the batch: nothing that was read for those is younger than another's look."""
        self._source.forget()
        return self.begin(target)

    def look(self, target: FunctionTarget, run: CheckRun, request: CheckRequest | None = None) -> CheckResult:
        """Look at one function and record what is seen.

        What could not be read is in the look's `unread`: the caller has the message tried again. ConflictError when
        others kept writing the same findings.
        """
        request = request or CheckRequest()
        seen = self._see(target, run.checkpoint, request)
        recorded = self._store.findings_of(target) if run.checkpoint.has_findings else ()
        new = _new(seen.report, recorded)
        early = () if request.after_grace_period or not self._settles else _within_grace_period(new, seen.report)
        report, unread = without(seen.report, early), seen.unread
        # A function that does not exist has no owner; one that was told before has the one that it was told with.
        if not report.gone and (len(new) > len(early) or (request.full and report.violations)):
            owner = self._source.managed_by(target)
            if isinstance(owner, Unread):
                unread, owner = (*unread, owner), None
            report = replace(report, managed_by=owner or (ManagedBy(request.tool) if request.tool else None))
        # What was read serves the first try; whoever was overtaken by another writer reads again.
        reads = chain([recorded], repeat(None))
        written, changes = retry_on_conflict(
            lambda: self._record(report, run, seen.checkpoint, request.event_ids, next(reads))
        )
        again = bool(early) or not written
        return CheckResult(target, report, changes, unread, stale=not written, again=again, others=seen.others)

    def _see(self, target: FunctionTarget, before: Checkpoint, request: CheckRequest) -> _Seen:
        """Read what there is, and ask the rules that have something to say on this occasion."""
        denied_calls = still_relevant(before.denied_calls, request.denied_calls, self._clock())
        snapshot = self._source.snapshot(
            target, self._scope, not_before=request.requested_at, denied_calls=denied_calls
        )
        roles = _roles(snapshot, before.roles)
        checkpoint = replace(before, roles=roles, denied_calls=_still_denied(snapshot, self._rules))
        if snapshot.function is not None and roles == before.roles and not request.full:
            rules = [rule for rule in self._rules if not rule.full_check_only]
            return _Seen(evaluate(snapshot, rules), snapshot.unread, checkpoint)
        users = self._users.functions_of_roles(roles | before.roles)
        others = _others(target, users, roles) if users and self._users.is_complete else ()
        snapshot = replace(snapshot, role_users=_role_users(snapshot, users))
        return _Seen(evaluate(snapshot, self._rules), snapshot.unread, checkpoint, others)

    def _record(
        self,
        report: Report,
        run: CheckRun,
        checkpoint: Checkpoint,
        event_ids: tuple[str, ...],
        recorded: tuple[Finding, ...] | None,
    ) -> tuple[bool, tuple[Change, ...]]:
        """Write what was seen; return whether it was, and the changes."""
        target, now = report.target, self._clock()
        if recorded is None:
            recorded = self._store.findings_of(target)
        changes = reconcile(recorded, report, now=now, event_ids=event_ids)
        unknowns = [f"{verdict.rule_id}: {verdict.reason}" for verdict in report.unknowns]
        checkpoint = replace(checkpoint, has_findings=bool(recorded or changes))
        written = self._store.commit_check(
            target, self._scope, run, checkpoint, changes=changes, unknowns=unknowns, now=now
        )
        return written, changes if written else ()


@record
class _Seen:
    """What the rules say, what could not be read, and what the next look is to know."""

    report: Report
    unread: tuple[Unread, ...]
    checkpoint: Checkpoint
    others: tuple[FunctionTarget, ...] = ()


def _new(report: Report, recorded: Iterable[Finding]) -> tuple[Verdict, ...]:
    """Return the violations that nobody was told of, or that were over."""
    known = {finding.id for finding in recorded if finding.status is not Status.RESOLVED}
    return tuple(verdict for verdict in report.violations if verdict.finding_id not in known)


def _within_grace_period(new: Iterable[Verdict], report: Report) -> tuple[Verdict, ...]:
    """Return what may be but a moment of a deployment, or of IAM, which takes minutes to agree with itself."""
    return tuple(verdict for verdict in new if report.rules[verdict.rule_id].grace_period)


def _roles(snapshot: Snapshot, before: frozenset[RoleTarget]) -> frozenset[RoleTarget]:
    """Return the roles that the function and its versions run with, those of before where one could not be read."""
    roles = set(map(role_target, snapshot.role_arns.values()))
    parts = (snapshot.function, snapshot.mappings, snapshot.invoke_configs, *snapshot.versions.values())
    return frozenset(roles | before if any(isinstance(part, Unread) for part in parts) else roles)


def _still_denied(snapshot: Snapshot, rules: Iterable[Rule]) -> tuple[DeniedCall, ...]:
    """Return the refusals to remember.

    What may be by now is over: whoever takes the function or the permission away later does not miss it.
    """
    asked = [rule for rule in rules if rule.of_denied_calls]
    reports = [
        (refusal, evaluate(replace(snapshot, denied_calls=(refusal,)), asked)) for refusal in snapshot.denied_calls
    ]
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
