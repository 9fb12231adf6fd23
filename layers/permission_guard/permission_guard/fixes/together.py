"""Findings that one attachment resolves are one plan: one proposal, one approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.checks.engine import evaluate
from permission_guard.findings.lifecycle import is_about
from permission_guard.fixes.recorder import started_fix
from permission_guard.model.findings import FixResult, Status, Transition
from permission_guard.model.verdicts import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.fixes.base import Plan
    from permission_guard.model.findings import Finding
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule

NEW: Final = (Transition.OPENED, Transition.REOPENED)
"""The transitions of findings that nobody has planned a fix for."""


def resolved_by(plan: Plan, finding: Finding, others: Sequence[Finding], rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Return the ids of other open findings that a plan resolves; none if the state after it is unknown.

    Only findings without a plan of their own: what somebody rejected, or already waits, stays apart.
    """
    if plan.leads_to is None or not others:
        return ()
    asked = tuple(rules[rule_id] for rule_id in sorted({other.rule_id for other in others} & rules.keys()))
    verdicts = evaluate(plan.leads_to, asked).verdicts
    return tuple(
        other.id
        for other in others
        if other.id != finding.id
        and other.status is Status.OPEN
        and other.transition in NEW
        and other.function_arn == finding.function_arn
        and _is_resolved(other, verdicts)
    )


def waits_for(finding: Finding, others: Iterable[Finding]) -> str:
    """Return which plan of another finding resolves one that has none of its own, empty if none does."""
    first = plan_that_resolves(finding, others) if finding.transition in NEW and not started_fix(finding) else None
    return f"the plan of finding {first.id} resolves it" if first else ""


def plan_that_resolves(finding: Finding, others: Iterable[Finding]) -> Finding | None:
    """Return the finding whose plan waits or is being applied and resolves another one, None if there is none."""
    return next((other for other in others if _is_waiting(other) and _resolves(other, finding)), None)


def why_rejected(finding: Finding, others: Iterable[Finding]) -> str:
    """Return who rejected another finding's plan that would have resolved this one, empty if nobody did."""
    for other in others:
        if other.fix and other.fix.result is FixResult.REJECTED and _resolves(other, finding):
            return f"{other.fix.decided_by} rejected the plan of finding {other.id} before."
    return ""


def _is_resolved(finding: Finding, after: Sequence[Verdict]) -> bool:
    own = [verdict for verdict in after if verdict.rule_id == finding.rule_id and is_about(verdict, finding)]
    return bool(own) and all(verdict.outcome is Outcome.PASS for verdict in own)


def _is_waiting(finding: Finding) -> bool:
    fix = finding.fix
    if fix is None or finding.status is not Status.OPEN:
        return False
    if fix.result is FixResult.APPLYING:
        return True
    return fix.result is FixResult.PROPOSED and finding.transition in (Transition.FIX_PROPOSED, Transition.FIX_APPROVED)


def _resolves(other: Finding, finding: Finding) -> bool:
    return other.id != finding.id and other.fix is not None and finding.id in other.fix.resolves
