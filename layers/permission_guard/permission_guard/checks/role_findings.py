"""Findings about a role, which several functions may use: recorded by the checks of one of them.

The first function that uses a role, by name, records its findings. So they are protected by the count of that
function's checks, like its own findings, and a check of another function needs no read for them. Each function that
begins or ceases to use a role causes a full check of the first one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.findings.exceptions import exclusion_of
from permission_guard.findings.lifecycle import reconcile
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.config.document import GuardConfig
    from permission_guard.findings.checkpoint import StoredFindings
    from permission_guard.findings.lifecycle import Change, SuppressionOf
    from permission_guard.model.findings import Cause
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.report import Report

_FUNCTIONS: Final = "functions"


@record
class RoleReport:
    """The verdicts on one role, and a digest of them by the id of the rule.

    `functions` are the ARNs of all functions that use the role, None if this check did not read them.
    """

    role_arn: str
    report: Report
    functions: tuple[str, ...] | None
    digests: Mapping[str, str]

    def is_recorded(self, before: Mapping[str, str]) -> bool:
        """Return whether the last check recorded the same."""
        return all(before.get(name) == digest for name, digest in self.digests.items())

    def changes(
        self,
        recorded: StoredFindings,
        *,
        now: str,
        cause: Cause,
        suppression_of: SuppressionOf,
        baseline: bool,
    ) -> tuple[Change, ...]:
        """Return the changes that bring the role's findings up to date."""
        found = reconcile(
            recorded.findings,
            self.report,
            now=now,
            cause=cause,
            suppression_of=suppression_of,
            baseline=baseline,
            functions=self.functions,
        )
        return tuple(change for change in found if change.finding.id not in recorded.unreadable)


def role_reports(
    report: Report, owned: Iterable[str], users: Mapping[str, Sequence[FunctionTarget]] | None, now: str
) -> tuple[RoleReport, ...]:
    """Return the report on each role whose findings this check records.

    `users` are the functions of each role by its ARN, None if they were not read. Findings are written again after a
    day, with the time at which they were last seen, so that the digests contain the date.
    """
    rules = {rule_id: rule for rule_id, rule in report.rules.items() if rule.of_role}
    about = [verdict for verdict in report.verdicts if verdict.rule_id in rules]
    reports = []
    for role_arn in sorted(owned):
        verdicts = tuple(verdict for verdict in about if verdict.role_arn in ("", role_arn))
        functions = tuple(user.arn for user in users[role_arn]) if users is not None else None
        day = now[: len("2026-11-20")]
        digests = {
            rule_id: _digest(
                [
                    day,
                    report.not_evaluated.get(rule_id),
                    [rules[rule_id].resolution, rules[rule_id].severity] if rule_id in rules else [],
                    [_content(verdict) for verdict in verdicts if verdict.rule_id == rule_id],
                ]
            )
            for rule_id in {*rules, *report.not_evaluated}
        }
        if functions is not None:
            digests[_FUNCTIONS] = _digest(functions)
        reports.append(RoleReport(role_arn, replace(report, rules=rules, verdicts=verdicts), functions, digests))
    return tuple(reports)


def owner_of(users: Sequence[FunctionTarget], config: GuardConfig) -> FunctionTarget:
    """Return the function whose checks record a role's findings: the first that is not excluded by its name."""
    return next((user for user in users if exclusion_of(config, user, None) is None), users[0])


def _content(verdict: Verdict) -> list[object]:
    texts = [verdict.title, verdict.reason, *(remedy.text for remedy in verdict.remedies)]
    return [verdict.subject, verdict.outcome, verdict.severity, verdict.evidence, texts]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
