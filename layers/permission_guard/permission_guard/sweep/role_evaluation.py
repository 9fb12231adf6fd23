"""The findings about roles in a bulk evaluation: one for each role, when all functions that use it are known. Pure."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from permission_guard.checks.engine import evaluate, merge_versions
from permission_guard.findings.exceptions import exclusion_of
from permission_guard.records import record
from permission_guard.rules.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.config.document import GuardConfig
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule


class KeptFunction(Protocol):
    """What is kept of a function, in a small form."""

    def snapshot(self) -> Snapshot:
        """Return the snapshot of its execution role again."""


class RoleFunction(Protocol):
    """A function that is evaluated."""

    @property
    def target(self) -> FunctionTarget:
        """The function."""

    def keep(self) -> KeptFunction:
        """Return what its snapshot can be made of again."""


@record
class _First:
    """The first function by name, so far, that uses a role, and the verdicts on the role as if no other used it."""

    target: FunctionTarget
    kept: KeptFunction
    verdicts: tuple[Verdict, ...]


class RoleEvaluations:
    """Collects which functions use each role, and what the rules say of the roles. Several threads use it.

    As in the findings table, the first function by name that is not excluded by its name stands for the role.
    """

    def __init__(self, rules: Sequence[Rule], config: GuardConfig) -> None:
        self._rules = rules
        self._config = config
        self._lock = Lock()
        self._users: dict[str, set[FunctionTarget]] = {}
        self._firsts: dict[str, _First] = {}

    def uses(self, role_arn: str, target: FunctionTarget) -> None:
        """Record that a function uses a role, whether or not the function is evaluated."""
        if self._rules:
            with self._lock:
                self._users.setdefault(role_arn, set()).add(target)

    def add(self, function: RoleFunction, snapshot: Snapshot, report: Report) -> None:
        """Record the verdicts on the roles of a function. In `snapshot`, this function is their only user."""
        if not self._rules:
            return
        target = function.target
        roles = set(snapshot.role_arns.values())
        with self._lock:
            for role_arn in roles:
                self._users.setdefault(role_arn, set()).add(target)
            new = [arn for arn in roles if arn not in self._firsts or target < self._firsts[arn].target]
        if not new or exclusion_of(self._config, target, None) is not None:
            return
        kept = function.keep()
        with self._lock:
            for role_arn in new:
                if role_arn not in self._firsts or target < self._firsts[role_arn].target:
                    verdicts = tuple(verdict for verdict in report.verdicts if verdict.role_arn == role_arn)
                    self._firsts[role_arn] = _First(target, kept, verdicts)

    def reports(self) -> Iterator[tuple[Report, str, tuple[str, ...], Snapshot | None]]:
        """Yield the report on each role, its ARN, the functions that use it, and the snapshot if it was made again.

        Only for a role that several functions use, the verdicts are made again.
        """
        rules = {rule.id: rule for rule in self._rules}
        for role_arn, first in sorted(self._firsts.items()):
            users = tuple(sorted(self._users[role_arn]))
            verdicts, snapshot = first.verdicts, None
            if len(users) > 1:
                snapshot = first.kept.snapshot()
                snapshot = replace(snapshot, role_users=self._users_of(snapshot))
                report = merge_versions(evaluate(snapshot, self._rules))
                verdicts = tuple(verdict for verdict in report.verdicts if verdict.role_arn == role_arn)
            yield Report(first.target, rules, verdicts), role_arn, tuple(user.arn for user in users), snapshot

    def _users_of(self, snapshot: Snapshot) -> Mapping[str, tuple[FunctionTarget, ...]]:
        return {arn: tuple(sorted(self._users[arn])) for arn in set(snapshot.role_arns.values())}
