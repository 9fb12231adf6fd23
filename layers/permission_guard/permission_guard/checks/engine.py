"""Put a snapshot before the rules: the report says what each of them found."""

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
    """Ask every rule; one that fails becomes unknown and the others still speak.

    Of a function that does not exist, only the calls that AWS refused can be asked about.
    """
    gone = snapshot.function is None
    asked = [rule for rule in rules if rule.of_denied_calls] if gone else rules
    verdicts = tuple(verdict for rule in asked for verdict in _ask(rule, snapshot))
    return Report(snapshot.target, {rule.id: rule for rule in rules}, verdicts, gone=gone)


def without(report: Report, early: Sequence[Verdict]) -> Report:
    """Return a report that does not know yet what it was too early to tell."""
    reason = "Seen right after a change, which may not be complete; it is looked at again before anyone is told."
    verdicts = tuple(
        report.rules[verdict.rule_id].unknown(verdict.function_arn, verdict.subject, reason)
        if verdict in early
        else verdict
        for verdict in report.verdicts
    )
    return replace(report, verdicts=verdicts)


def _ask(rule: Rule, snapshot: Snapshot) -> Iterator[Verdict]:
    arn = snapshot.target.arn
    if isinstance(snapshot.function, Unread):
        yield rule.unknown(arn, None, str(snapshot.function))
        return
    try:
        verdicts = tuple(rule.check(snapshot))
    except UnknownStateError as error:
        yield rule.unknown(arn, None, str(error))
    except Exception as error:  # noqa: BLE001 - a crashing rule must not silence the others; it is counted as unknown
        yield rule.unknown(arn, None, f"{rule.id} crashed: {type(error).__name__}: {error}")
    else:
        yield from verdicts
