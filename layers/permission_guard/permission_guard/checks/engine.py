"""Evaluate rules on a snapshot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.errors import UnknownStateError
from permission_guard.model.state import Snapshot, Unread
from permission_guard.model.verdicts import Outcome
from permission_guard.rules.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule


MAX_VIOLATIONS = 200
"""How many violations of one rule a deployed check reports of a function. Each of its hundred versions and aliases may
have a policy of a hundred statements: all of them would take longer than a check may."""


def evaluate(snapshot: Snapshot, rules: Sequence[Rule], *, limit: int | None = None) -> Report:
    """Evaluate every rule; a rule that crashes gives an unknown verdict, and the others are still evaluated.

    Of a function that does not exist, only the rules on denied calls are evaluated. After `limit` violations of a rule
    what is left of it is not evaluated: unknown.
    """
    deleted = snapshot.function is None
    included = [rule for rule in rules if rule.of_denied_calls] if deleted else rules
    verdicts = tuple(verdict for rule in included for verdict in _evaluate(rule, snapshot, limit))
    return Report(snapshot.target, {rule.id: rule for rule in rules}, verdicts, deleted=deleted)


def merge_versions(report: Report) -> Report:
    """Return the report with one violation where a version or an alias has the same problem as the function itself.

    It has the same one if rule, subject, severity and evidence are equal: the cause is the same role or setting.
    """
    own = {_cause(verdict): verdict for verdict in report.violations if verdict.function_arn == report.target.arn}
    verdicts = []
    for verdict in report.verdicts:
        same = own.get(_cause(verdict)) if verdict.outcome is Outcome.VIOLATION and not verdict.role_arn else None
        if same is None or same is verdict:
            verdicts.append(verdict)
            continue
        reason = "The function itself has the same problem: its finding is the same."
        rule = report.rules[verdict.rule_id]
        verdicts.append(rule.passed(verdict.function_arn, verdict.subject or "", reason))
    return replace(report, verdicts=tuple(verdicts))


def _cause(verdict: Verdict) -> str:
    """Return what two violations with the same cause have in common."""
    parts = [verdict.rule_id, verdict.subject, verdict.severity, dict(verdict.evidence)]
    return json.dumps(parts, sort_keys=True, default=str)


def defer(report: Report, deferred: Sequence[Verdict]) -> Report:
    """Return the report with some violations deferred: unknown until the grace period is over."""
    reason = "Deferred: the change may be incomplete. The function is checked again after the grace period."
    verdicts = tuple(
        report.rules[verdict.rule_id].unknown(verdict.function_arn, verdict.subject, reason)
        if verdict in deferred
        else verdict
        for verdict in report.verdicts
    )
    return replace(report, verdicts=verdicts)


def _evaluate(rule: Rule, snapshot: Snapshot, limit: int | None) -> Iterator[Verdict]:
    arn = snapshot.target.arn
    if isinstance(snapshot.function, Unread):
        yield rule.unknown(arn, None, str(snapshot.function))
        return
    try:
        verdicts = tuple(_limited(rule, snapshot, limit))
    except UnknownStateError as error:
        yield rule.unknown(arn, None, str(error))
    except Exception as error:  # noqa: BLE001 - a crashing rule must not stop the others; its verdict is unknown
        yield rule.unknown(arn, None, f"{rule.id} crashed: {type(error).__name__}: {error}")
    else:
        yield from verdicts


def _limited(rule: Rule, snapshot: Snapshot, limit: int | None) -> Iterator[Verdict]:
    violations = 0
    for verdict in rule.check(snapshot):
        yield verdict
        violations += verdict.outcome is Outcome.VIOLATION
        if violations == limit:
            reason = (
                f"{rule.id} has {limit} findings of this function. The rest is not evaluated: fix some of them first."
            )
            yield rule.unknown(snapshot.target.arn, None, reason)
            return
