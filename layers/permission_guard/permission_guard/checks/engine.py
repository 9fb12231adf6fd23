"""Evaluate rules on a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.errors import UnknownStateError
from permission_guard.model.state import Snapshot, Unread
from permission_guard.rules.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule


def evaluate(snapshot: Snapshot, rules: Sequence[Rule]) -> Report:
    """Evaluate every rule; a rule that crashes gives an unknown verdict, and the others are still evaluated.

    Of a function that does not exist, only the rules on denied calls are evaluated.
    """
    deleted = snapshot.function is None
    included = [rule for rule in rules if rule.of_denied_calls] if deleted else rules
    verdicts = tuple(verdict for rule in included for verdict in _evaluate(rule, snapshot))
    return Report(snapshot.target, {rule.id: rule for rule in rules}, verdicts, deleted=deleted)


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


def _evaluate(rule: Rule, snapshot: Snapshot) -> Iterator[Verdict]:
    arn = snapshot.target.arn
    if isinstance(snapshot.function, Unread):
        yield rule.unknown(arn, None, str(snapshot.function))
        return
    try:
        verdicts = tuple(rule.check(snapshot))
    except UnknownStateError as error:
        yield rule.unknown(arn, None, str(error))
    except Exception as error:  # noqa: BLE001 - a crashing rule must not stop the others; its verdict is unknown
        yield rule.unknown(arn, None, f"{rule.id} crashed: {type(error).__name__}: {error}")
    else:
        yield from verdicts
