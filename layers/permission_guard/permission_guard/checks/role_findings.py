"""Findings about a role, which several functions may use: recorded by the checks of one of them.

The first function that uses a role, by name, records its findings. So they are protected by the count of that
function's checks, like its own findings, and a check of another function needs no read for them. Each function that
begins or ceases to use a role causes a full check of the first one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.exceptions import exclusion_of
from permission_guard.findings.lifecycle import reconcile, resolved
from permission_guard.model.arns import role_target
from permission_guard.model.findings import Status
from permission_guard.model.targets import NamedRole, including
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.config.document import GuardConfig
    from permission_guard.findings.lifecycle import Change, SuppressionOf
    from permission_guard.findings.store import FindingStore
    from permission_guard.model.findings import Cause
    from permission_guard.model.targets import FunctionTarget, RoleTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.report import Report

_FUNCTIONS = "functions"


class RoleUsers(Protocol):
    """Lists the functions that use a role."""

    @property
    def is_complete(self) -> bool:
        """Whether the index is complete: a sweep has built it."""

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List the functions that use each of the roles, by name."""


@record
class Roles:
    """The roles of a checked function.

    `arns` are those of the function and its versions. `users` are the functions that use each of them, None if the
    check did not read them. `before` has what the last check recorded of the roles whose findings the function's checks
    record; it has no digests of a role that the function ceased to use, as long as its findings may still be open.
    `is_read` is false if a part of the configuration could not be read: it may name more roles.
    """

    arns: frozenset[str]
    users: Mapping[str, tuple[FunctionTarget, ...]] | None
    before: Mapping[str, Mapping[str, str]]
    is_read: bool

    @property
    def left(self) -> frozenset[str]:
        """The roles whose findings the function's checks recorded, and which it no longer uses."""
        return frozenset(self.before.keys() - self.arns) if self.is_read else frozenset()

    @property
    def unsettled(self) -> frozenset[str]:
        """Those of `left` that an earlier check left: it was recorded, but may have ended before it resolved them."""
        return frozenset(arn for arn in self.left if not self.before[arn])

    @property
    def candidates(self) -> frozenset[str]:
        """The roles whose findings this check may have to record."""
        return self.arns & self.before.keys() if self.users is None else self.arns


@record
class RoleChanges:
    """The changes of the findings about roles, and the digests for the checkpoint.

    `unreadable` are recorded findings that cannot be read. `owners` are the functions that have to be checked, because
    they now record the findings of a role.
    """

    changes: tuple[Change, ...] = ()
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()
    owners: tuple[FunctionTarget, ...] = ()


@record
class RoleFindings:
    """Reconciles the findings about the roles of a function."""

    config: GuardConfig
    users: RoleUsers
    store: FindingStore
    clock: Callable[[], str]

    def changes(
        self,
        report: Report,
        roles: Roles,
        *,
        now: str,
        cause: Cause,
        suppression_of: SuppressionOf,
        baseline: bool,
    ) -> RoleChanges:
        """Return the changes that bring the findings about the function's roles up to date with a report.

        Of a role whose verdicts are recorded already, nothing is read. Otherwise the functions that use it are read, if
        the check has not read them: they decide which function records its findings, and the findings name them.
        """
        changes: list[Change] = []
        kept = roles.left - roles.unsettled if roles.is_read else roles.before.keys() - roles.arns
        digests: dict[str, Mapping[str, str]] = {arn: {} if roles.is_read else roles.before[arn] for arn in kept}
        unreadable: frozenset[str] = frozenset()
        owners: list[FunctionTarget] = []
        for role_arn in sorted(roles.candidates):
            before = roles.before.get(role_arn, {})
            found = _digests(report, role_arn, now)
            users = None if roles.users is None else roles.users[role_arn]
            if users is None and not _is_recorded(found, before):
                users = self._users_of(role_arn, report.target)
            if users is not None:
                owner = owner_of(users, self.config)
                if owner != report.target:
                    owners += [owner] if before else []
                    continue
                found[_FUNCTIONS] = _digest([user.arn for user in users])
            digests[role_arn] = {**before, **found}
            if users is None or _is_recorded(found, before):
                continue
            recorded = self.store.findings_of(NamedRole(role_arn))
            unreadable |= recorded.unreadable
            changes += reconcile(
                recorded.findings,
                _about(report, role_arn),
                now=now,
                cause=cause,
                suppression_of=suppression_of,
                baseline=baseline,
                functions=[user.arn for user in users],
            )
        readable = tuple(change for change in changes if change.finding.id not in unreadable)
        return RoleChanges(readable, digests, unreadable, tuple(dict.fromkeys(owners)))

    def resolve_unused(self, left: Iterable[str], roles: Roles, cause: Cause) -> tuple[Change, ...]:
        """Resolve the findings about roles that this function has left, and was the last to use.

        The index of users is read after this function has been removed from it. So of several functions that cease to
        use a role at the same time, the last one finds no other. Names of roles are unique: a role of the same name
        that has another ARN was created again.
        """
        changes: list[Change] = []
        for role_arn in sorted(left):
            name = role_target(role_arn)
            is_created_again = name in map(role_target, roles.arns)
            if not is_created_again and self.users.functions_of_roles([name])[name]:
                continue
            for finding in self.store.findings_of(NamedRole(role_arn)).findings:
                change = retry_on_conflict(lambda: self._resolve(role_arn, finding.id, cause))  # noqa: B023 - called at once
                changes += [change] if change else []
        return tuple(changes)

    def _resolve(self, role_arn: str, finding_id: str, cause: Cause) -> Change | None:
        finding = self.store.finding(NamedRole(role_arn), finding_id)
        if finding is None or finding.status is Status.RESOLVED:
            return None
        change = resolved(finding, "No function uses the role.", self.clock(), cause)
        self.store.put_finding(change)
        return change

    def _users_of(self, role_arn: str, target: FunctionTarget) -> tuple[FunctionTarget, ...]:
        name = role_target(role_arn)
        return including(self.users.functions_of_roles([name])[name], target)


def owner_of(users: Sequence[FunctionTarget], config: GuardConfig) -> FunctionTarget:
    """Return the function whose checks record a role's findings: the first that is not excluded by its name."""
    return next((user for user in users if exclusion_of(config, user, None) is None), users[0])


def _about(report: Report, role_arn: str) -> Report:
    """Return what a report says of one role."""
    rules = {rule_id: rule for rule_id, rule in report.rules.items() if rule.of_role}
    verdicts = [verdict for verdict in report.verdicts if verdict.rule_id in rules]
    return replace(report, rules=rules, verdicts=tuple(one for one in verdicts if one.role_arn in ("", role_arn)))


def _digests(report: Report, role_arn: str, now: str) -> dict[str, str]:
    """Return a digest of what each rule says of a role, by its id.

    Findings are written again after a day, with the time at which they were last seen, so that it contains the date.
    """
    about, day = _about(report, role_arn), now[: len("2026-11-20")]
    digests = {}
    for rule_id in {*about.rules, *report.not_evaluated}:
        rule = about.rules.get(rule_id)
        set_ = [rule.resolution, rule.severity] if rule else []
        content = [_content(verdict) for verdict in about.verdicts if verdict.rule_id == rule_id]
        digests[rule_id] = _digest([day, report.not_evaluated.get(rule_id), set_, content])
    return digests


def _is_recorded(found: Mapping[str, str], before: Mapping[str, str]) -> bool:
    return all(before.get(name) == digest for name, digest in found.items())


def _content(verdict: Verdict) -> list[object]:
    texts = [verdict.title, verdict.reason, *(remedy.text for remedy in verdict.remedies)]
    return [verdict.subject, verdict.outcome, verdict.severity, verdict.evidence, texts]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
