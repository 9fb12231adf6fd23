"""Evaluate rules on a snapshot."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.errors import UnknownStateError
from permission_guard.model.state import Snapshot, Unread
from permission_guard.model.verdicts import Outcome
from permission_guard.rules.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule


MAX_VIOLATIONS = 200
"""How many violations of one rule a deployed check reports of a function. Each of its hundred versions and aliases may
have a policy of a hundred statements: all of them would take longer than a check may."""

_VERSION = re.compile(r":function:[^:]+:(\d+)$", re.ASCII)
_MAX_VERSIONS = 20


def evaluate(snapshot: Snapshot, rules: Sequence[Rule], *, limit: int | None = None) -> Report:
    """Evaluate every rule; a rule that crashes gives an unknown verdict, and the others are still evaluated.

    Of a function that does not exist, only the rules on denied calls are evaluated. After `limit` violations of a rule
    what is left of it is not evaluated: unknown.
    """
    deleted = snapshot.function is None
    included = [rule for rule in rules if rule.of_denied_calls] if deleted else rules
    verdicts = tuple(verdict for rule in included for verdict in _evaluate(rule, snapshot, limit))
    return Report(snapshot.target, {rule.id: rule for rule in rules}, verdicts, deleted=deleted)


def merge_versions(report: Report, stays_apart: Callable[[Verdict], bool] = lambda _: False) -> Report:
    """Return the report with one violation where published versions have the same problem as the function itself.

    It is the same one if rule, subject, severity and evidence are equal but for the version in ARNs. The violation of
    the function names the versions. `stays_apart` says of that violation whether the versions keep theirs.
    """
    of_function = (verdict for verdict in report.violations if verdict.function_arn == report.target.arn)
    own = {_cause(verdict, report): verdict for verdict in of_function if not stays_apart(verdict)}
    versions: dict[str, list[str]] = {}
    verdicts = []
    for verdict in report.verdicts:
        version = _VERSION.search(verdict.function_arn)
        cause = _cause(verdict, report) if version and verdict.outcome is Outcome.VIOLATION else ""
        if version is None or cause not in own:
            verdicts.append(verdict)
            continue
        versions.setdefault(own[cause].finding_id, []).append(version[1])
        reason = "The function itself has the same problem: its finding names the version."
        rule = report.rules[verdict.rule_id]
        verdicts.append(rule.passed(verdict.function_arn, verdict.subject or "", reason))
    return replace(report, verdicts=tuple(_with_versions(verdict, versions) for verdict in verdicts))


def _with_versions(verdict: Verdict, versions: Mapping[str, Sequence[str]]) -> Verdict:
    """Return a violation that names the versions with the same problem."""
    numbers = versions.get(verdict.finding_id)
    if numbers is None or verdict.outcome is not Outcome.VIOLATION:
        return verdict
    shown = [*numbers[:_MAX_VERSIONS], *([f"{len(numbers) - _MAX_VERSIONS} more"] if numbers[_MAX_VERSIONS:] else [])]
    reason = f"{verdict.reason} Published versions have the same problem: {', '.join(shown)}."
    evidence = {**verdict.evidence, "versions": numbers[:_MAX_VERSIONS], "version_count": len(numbers)}
    return replace(verdict, reason=reason, evidence=evidence)


def _cause(verdict: Verdict, report: Report) -> str:
    """Return what two violations with the same cause have in common."""
    parts = [verdict.rule_id, verdict.subject, verdict.severity, dict(verdict.evidence)]
    return json.dumps(parts, sort_keys=True, default=str).replace(verdict.function_arn, report.target.arn)


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
