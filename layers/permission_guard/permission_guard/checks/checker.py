"""Check one function: read its state, evaluate the rules, reconcile the recorded findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

from permission_guard.checks.engine import MAX_VIOLATIONS, defer, evaluate, merge_versions
from permission_guard.checks.requests import CheckRequest, CheckResult
from permission_guard.checks.role_findings import RoleChanges, RoleFindings, Roles, RoleUsers
from permission_guard.config.document import GuardConfig
from permission_guard.findings.callers import remembered_callers
from permission_guard.findings.checkpoint import still_relevant
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.exceptions import Exceptions, exclusion_of, exclusions_by_tag, needs_tags
from permission_guard.findings.lifecycle import Change, reconcile
from permission_guard.findings.recorded_tags import recorded_tags
from permission_guard.findings.role_permissions import recent_changes
from permission_guard.model.arns import role_target
from permission_guard.model.findings import Status
from permission_guard.model.function_states import is_being_changed, was_changed_just_now
from permission_guard.model.role_permissions import RequiredPermissions
from permission_guard.model.state import Function, ManagedBy, Unread
from permission_guard.model.suppressions import SuppressedBy
from permission_guard.model.targets import Direction, FunctionTarget, including
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.findings.checkpoint import Checkpoint, CheckRun, StoredFindings
    from permission_guard.findings.store import FindingStore
    from permission_guard.model.findings import Finding
    from permission_guard.model.role_permissions import RoleChange
    from permission_guard.model.state import DeniedCall, Snapshot
    from permission_guard.model.targets import RoleTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule
    from permission_guard.rules.report import Report


class SnapshotSource(Protocol):
    """Reads snapshots."""

    def snapshot(
        self,
        target: FunctionTarget,
        direction: Direction,
        *,
        not_before: float = 0.0,
        denied_calls: Sequence[DeniedCall] = (),
    ) -> Snapshot:
        """Read what a direction needs; what functions share is read after `not_before`, in seconds since 1970."""

    def tags(self, target: FunctionTarget) -> Mapping[str, str] | Unread:
        """Return the tags of a function."""

    def managed_by(self, target: FunctionTarget) -> ManagedBy | Unread | None:
        """Return the infrastructure code that owns a function; None when it is unknown."""

    def forget(self) -> None:
        """Forget what was read: the next call reads it again."""


class Checker:
    """Checks functions, in one direction. Without `grace_period` every violation is reported immediately."""

    def __init__(
        self,
        direction: Direction,
        rules: Sequence[Rule],
        source: SnapshotSource,
        store: FindingStore,
        clock: Callable[[], str],
        *,
        users: RoleUsers,
        config: GuardConfig | None = None,
        grace_period: bool = True,
    ) -> None:
        self._direction = direction
        self._config = config or GuardConfig()
        self._rules = rules
        self._source = source
        self._store = store
        self._roles = RoleFindings(self._config, users, store, clock)
        self._users = users
        self._clock = clock
        self._has_grace_period = grace_period

    def forget(self) -> None:
        """Forget what was read for the batch before."""
        self._source.forget()

    def start(self, target: FunctionTarget) -> CheckRun:
        """Start a check.

        Start all checks of a batch before the first is made: what is read for one (a role) serves the others.
        """
        return self._store.start_check(target, self._direction)

    def start_again(self, target: FunctionTarget) -> CheckRun:
        """Start a check after others of the batch: what was read for those may be older than a check elsewhere."""
        self._source.forget()
        return self.start(target)

    def check(self, target: FunctionTarget, run: CheckRun, request: CheckRequest | None = None) -> CheckResult:
        """Check one function and record the result.

        What could not be read is in the result's `unread`: the caller has the message retried. ConflictError when other
        writers kept changing the same findings.
        """
        request = request or CheckRequest()
        recorded = run.recorded.findings
        evaluated = self._evaluate(
            target, run, request, not_before=max(request.requested_at, self._last_opened(recorded))
        )
        new = _new(evaluated.report, recorded)
        deferred = (
            ()
            if request.after_grace_period or not self._has_grace_period
            else _within_grace_period(new, evaluated.report)
        )
        report, unread = defer(evaluated.report, deferred), evaluated.unread
        # A deleted function has no owner; an existing finding keeps its recorded owner and tags.
        tags: Mapping[str, str] | Unread | None = None
        if not report.deleted and (len(new) > len(deferred) or (request.full and report.violations)):
            owner, tags = self._source.managed_by(target), self._source.tags(target)
            if isinstance(owner, Unread):
                unread, owner = (*unread, owner), None
            report = replace(report, managed_by=owner or (ManagedBy(request.tool) if request.tool else None))
        if tags is None and report.violations and needs_tags(self._config):
            tags = self._source.tags(target)
        if isinstance(tags, Unread):
            unread = unread if tags in unread else (*unread, tags)
        elif tags is not None:
            report = replace(report, tags=recorded_tags(tags, self._config))
        evaluated = replace(evaluated, report=report)
        settled = self._roles.resolve_unused(evaluated.roles.unsettled, evaluated.roles, request.cause)
        # The first try uses what was read; after a conflict the findings are read again.
        reads = chain([run.recorded], repeat(None))
        written, changes, of_roles, unreadable = retry_on_conflict(
            lambda: self._record(evaluated, run, request, tags, next(reads))
        )
        waits = bool(deferred) or not written or evaluated.is_being_changed
        # If IAM alone is the reason, a later change can cause what the next check finds: that has its own grace period.
        # Two functions that begin to use a role at the same time may not see each other before both are recorded.
        full = request.full or evaluated.is_new_of_role
        following = replace(request, after_grace_period=waits, iam_change=False, redelivered=False, full=full)
        return CheckResult(
            target,
            report,
            (*settled, *changes),
            unread,
            stale=not written,
            recheck=following if waits or evaluated.is_propagating else None,
            related=tuple(dict.fromkeys((*evaluated.related, *of_roles.owners))) if written else evaluated.related,
            unreadable=unreadable | of_roles.unreadable,
            roles=evaluated.roles,
        )

    def resolve_unused_roles(self, result: CheckResult, request: CheckRequest) -> CheckResult:
        """Resolve the findings about roles that the function was the last to use, after its check was recorded."""
        if result.stale or result.roles is None:
            return result
        left = result.roles.left - result.roles.unsettled
        return replace(
            result, changes=(*result.changes, *self._roles.resolve_unused(left, result.roles, request.cause))
        )

    def _evaluate(
        self, target: FunctionTarget, run: CheckRun, request: CheckRequest, *, not_before: float
    ) -> _Evaluated:
        """Read the state, and evaluate the rules that this kind of check includes."""
        before, now = run.checkpoint, self._clock()
        denied_calls = still_relevant(before.denied_calls, request.denied_calls, now)
        snapshot = self._source.snapshot(target, self._direction, not_before=not_before, denied_calls=denied_calls)
        roles = _roles(snapshot, before.roles)
        found = self._required_permissions(snapshot)
        role_changes = recent_changes(
            before.role_changes,
            request.role_changes,
            now,
            is_relevant=lambda change: _concerns(change, roles | before.roles, found),
        )
        checkpoint = replace(
            before,
            roles=roles,
            denied_calls=_still_denied(snapshot, self._rules),
            permissions=before.permissions.after(found, role_changes, run.seen_at, now),
            role_changes=role_changes,
            callers=remembered_callers(before.callers, request.callers, now),
            is_complete=found is not None,
        )
        has_grace_period = self._has_grace_period and snapshot.function is not None
        is_followed = has_grace_period and not request.after_grace_period
        is_being_changed = is_followed and _is_being_changed(snapshot)
        # A change of a role before the function had it named no function: IAM may still show what was before it.
        is_new = roles != before.roles or request.redelivered
        is_new_of_role = is_new and (is_followed or was_changed_just_now(snapshot.function, now))
        is_propagating = has_grace_period and bool(roles) and ((is_followed and request.iam_change) or is_new_of_role)
        tags = self._source.tags(target) if exclusions_by_tag(self._config) else None
        rules, not_evaluated = self._included(target, tags)
        # Another check follows, and can read what AWS then says of the function.
        rules = [rule for rule in rules if not (rule.of_function_state and is_being_changed)]
        users, related = None, tuple[FunctionTarget, ...]()
        if snapshot.function is not None and not is_new and not request.full:
            rules = [rule for rule in rules if not rule.full_check_only]
        else:
            of_roles = self._users.functions_of_roles(roles | before.roles)
            related = _related(target, of_roles, roles, request) if of_roles and self._users.is_complete else ()
            users = _role_users(snapshot, of_roles)
            snapshot = replace(snapshot, role_users=users)
        report = merge_versions(evaluate(snapshot, rules, limit=MAX_VIOLATIONS), self._stays_apart(run))
        is_role_check = self._direction is Direction.EXECUTION_ROLE
        return _Evaluated(
            replace(report, not_evaluated=not_evaluated),
            (*snapshot.unread, *([tags] if isinstance(tags, Unread) else [])),
            checkpoint,
            Roles(
                frozenset(snapshot.role_arns.values()) if is_role_check else frozenset(),
                users,
                before.role_digests,
                is_read=not _has_unread_part(snapshot),
            ),
            related,
            is_being_changed,
            is_propagating,
            is_new_of_role,
        )

    def _stays_apart(self, run: CheckRun) -> Callable[[Verdict], bool]:
        """Return what says whether versions keep their own findings beside one of the function.

        A person who suppressed that one, or an exception for a qualifier, did not mean the versions.
        """
        by_person = {
            finding.id
            for finding in run.recorded.findings
            if finding.suppression is not None and finding.suppression.by is SuppressedBy.PERSON
        }
        by_qualifier = {rule_id for entry in self._config.exceptions if entry.qualifiers for rule_id in entry.rules}
        return lambda verdict: verdict.finding_id in by_person or verdict.rule_id in by_qualifier

    def _required_permissions(self, snapshot: Snapshot) -> RequiredPermissions | None:
        """Return what the function requires of its roles, None if a part that it depends on could not be read."""
        if self._direction is Direction.INVOKE_POLICY:  # whose snapshots have no roles
            is_read = not isinstance(snapshot.function, Unread)
            return RequiredPermissions(frozenset(), frozenset(), frozenset(), {}) if is_read else None
        # Only the checks of execution roles need it: the import delays a cold start.
        from permission_guard.needs.role_permissions import required_permissions  # noqa: PLC0415 - as the comment says

        return required_permissions(snapshot)

    def _included(
        self, target: FunctionTarget, tags: Mapping[str, str] | Unread | None
    ) -> tuple[Sequence[Rule], Mapping[str, str]]:
        """Return the rules to evaluate, and why the others are not, by their ids.

        While the tags cannot be read, and could exclude the function, nothing is evaluated, and all findings stay.
        """
        exclusion = exclusion_of(self._config, target, tags)
        if exclusion is None:
            return ([] if isinstance(tags, Unread) else self._rules), {}
        is_by_name = exclusion_of(self._config, target, None) is not None
        # Other functions may use the role, too: only the names of functions exclude it.
        rules = [] if is_by_name else [rule for rule in self._rules if rule.of_role]
        reason = f"The configuration excludes the function: {exclusion.reason}"
        return rules, {rule.id: reason for rule in self._rules if rule not in rules}

    def _last_opened(self, recorded: Iterable[Finding]) -> float:
        """Return when the last finding that depends on inventories was opened, in seconds since 1970; 0 for none.

        Each execution environment caches them. One that is older than a finding must not resolve it.
        """
        rules = {rule.id for rule in self._rules if rule.of_inventories}
        findings = (one for one in recorded if one.rule_id in rules and one.status is not Status.RESOLVED)
        return max((datetime.fromisoformat(one.opened_at).timestamp() for one in findings), default=0.0)

    def _record(
        self,
        evaluated: _Evaluated,
        run: CheckRun,
        request: CheckRequest,
        tags: Mapping[str, str] | Unread | None,
        recorded: StoredFindings | None,
    ) -> tuple[bool, tuple[Change, ...], RoleChanges, frozenset[str]]:
        """Write the result; return whether it was written, the changes, and what is recorded but cannot be read."""
        report, now = evaluated.report, self._clock()
        if recorded is None:
            recorded = self._store.findings_of(report.target)
        suppression_of = Exceptions(self._config, tags, now).suppression_of
        found = reconcile(
            recorded.findings,
            replace(report, verdicts=tuple(verdict for verdict in report.verdicts if not verdict.role_arn)),
            now=now,
            cause=request.cause,
            suppression_of=suppression_of,
            baseline=request.baseline,
        )
        of_roles = self._roles.changes(
            report,
            evaluated.roles,
            now=now,
            cause=request.cause,
            suppression_of=suppression_of,
            baseline=request.baseline,
        )
        of_function = (change for change in found if change.finding.id not in recorded.unreadable)
        changes = (*of_function, *of_roles.changes)
        unknowns = [f"{verdict.rule_id}: {verdict.reason}" for verdict in report.unknowns]
        checkpoint = replace(evaluated.checkpoint, role_digests=of_roles.digests).within()
        written = self._store.commit_check(
            report.target, self._direction, run, checkpoint, changes=changes, unknowns=unknowns, now=now
        )
        return written, changes if written else (), of_roles, recorded.unreadable


@record
class _Evaluated:
    """The rules' report, what could not be read, and the checkpoint for the next check.

    Only a later read has the result while AWS still creates or updates the function (`is_being_changed`), or IAM
    propagates a change of its role (`is_propagating`), as it may if the role is new to the function (`is_new_of_role`).
    """

    report: Report
    unread: tuple[Unread, ...]
    checkpoint: Checkpoint
    roles: Roles
    related: tuple[FunctionTarget, ...] = ()
    is_being_changed: bool = False
    is_propagating: bool = False
    is_new_of_role: bool = False


def _new(report: Report, recorded: Iterable[Finding]) -> tuple[Verdict, ...]:
    """Return the violations that have no open finding. The findings of roles are recorded apart, and have no delay."""
    known = {finding.id for finding in recorded if finding.status is not Status.RESOLVED}
    return tuple(verdict for verdict in report.violations if not verdict.role_arn and verdict.finding_id not in known)


def _within_grace_period(new: Iterable[Verdict], report: Report) -> tuple[Verdict, ...]:
    """Return the violations of rules with a grace period: deployments take several changes, and IAM propagates late."""
    return tuple(verdict for verdict in new if report.rules[verdict.rule_id].grace_period)


def _roles(snapshot: Snapshot, before: frozenset[RoleTarget]) -> frozenset[RoleTarget]:
    """Return the roles of the function and its versions; the roles of before too, where a part could not be read."""
    roles = set(map(role_target, snapshot.role_arns.values()))
    return frozenset(roles | before if _has_unread_part(snapshot) else roles)


def _has_unread_part(snapshot: Snapshot) -> bool:
    """Return whether a part of the configuration that can name roles could not be read."""
    parts = (snapshot.function, snapshot.mappings, snapshot.invoke_configs, *snapshot.versions.values())
    return any(isinstance(part, Unread) for part in parts)


def _is_being_changed(snapshot: Snapshot) -> bool:
    return any(is_being_changed(version) for version in snapshot.versions.values() if isinstance(version, Function))


def _concerns(change: RoleChange, roles: frozenset[RoleTarget], found: RequiredPermissions | None) -> bool:
    """Return whether a change is of one of the roles, or of a policy that one may have."""
    if change.role_name:
        return change.role_name in {role.name for role in roles}
    return found is None or any(change.policy_arn in policies for policies in found.attached.values())


def _still_denied(snapshot: Snapshot, rules: Iterable[Rule]) -> tuple[DeniedCall, ...]:
    """Return the denied calls to keep in the checkpoint: drop those that would now succeed."""
    asked = [rule for rule in rules if rule.of_denied_calls]
    reports = [
        (denied_call, evaluate(replace(snapshot, denied_calls=(denied_call,)), asked))
        for denied_call in snapshot.denied_calls
    ]
    return tuple(
        denied_call for denied_call, report in reports if not report.passes or report.passes != report.verdicts
    )


def _role_users(
    snapshot: Snapshot, users: Mapping[RoleTarget, tuple[FunctionTarget, ...]]
) -> dict[str, tuple[FunctionTarget, ...]]:
    """Return the functions that use each of the snapshot's roles, including this one."""
    arns = set(snapshot.role_arns.values())
    return {arn: including(users[role_target(arn)], snapshot.target) for arn in arns}


def _related(
    target: FunctionTarget,
    users: Mapping[RoleTarget, tuple[FunctionTarget, ...]],
    roles: frozenset[RoleTarget],
    request: CheckRequest,
) -> tuple[FunctionTarget, ...]:
    """Return the first other user of each role that the function began or ceased to use: it records the findings.

    An earlier try of a redelivered request may have been recorded, and have ended before it requested anything: then it
    is the first other user of every role.
    """
    changed = [
        role for role, functions in users.items() if request.redelivered or (target in functions) is not (role in roles)
    ]
    firsts = (next((one for one in users[role] if one != target), None) for role in changed)
    return tuple(dict.fromkeys(first for first in firsts if first))
