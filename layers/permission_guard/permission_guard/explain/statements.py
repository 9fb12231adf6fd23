"""The statements of a function's resource-based policies, with what the rules say of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.explain.explanation import (
    AllowedPrincipal,
    Answer,
    RuleVerdict,
    StatementExplanation,
    TriggerExplanation,
)
from permission_guard.invokers.allowed import statements_of
from permission_guard.model.verdicts import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.explain.state import FunctionState
    from permission_guard.iam import Statement, TrustSet
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.state import ResourcePolicy
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.report import Report

_PREFIX: Final = "statement/"
_TRIGGERS: Final = "PG112"
_ANSWERS: Final = {
    Outcome.PASS: Answer.ALLOWED,
    Outcome.VIOLATION: Answer.DENIED,
    Outcome.UNKNOWN: Answer.UNKNOWN,
}


def statements(state: FunctionState, report: Report, trust: TrustSet) -> Iterator[StatementExplanation]:
    """Yield the statements of each policy in question, in their order."""
    verdicts: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in report.verdicts:
        verdicts.setdefault((verdict.function_arn, verdict.subject or ""), []).append(verdict)
    for policy in state.policies:
        if policy.resource_arn not in state.resource_arns:
            continue
        allows = {one.statement.index: one for one in statements_of(policy, state.invokes, trust)}
        for statement in policy.document.statements:
            allowed = allows.get(statement.index)
            if allowed is None:
                yield _denying(policy, statement)
                continue
            found = verdicts.get((policy.resource_arn, f"{_PREFIX}{allowed.name}"), [])
            yield _allowing(allowed, found, report)


def verdict_of(verdict: Verdict, report: Report) -> RuleVerdict:
    """Return what an explanation says of a verdict."""
    rule = report.rules[verdict.rule_id]
    severity = str(verdict.severity or rule.severity) if verdict.outcome is Outcome.VIOLATION else ""
    return RuleVerdict(
        rule.id, rule.name, str(verdict.outcome), severity, verdict.subject or "", verdict.title, verdict.reason
    )


def triggers(state: FunctionState, report: Report) -> Iterator[TriggerExplanation]:
    """Yield what is set up to invoke the function, with the verdict of PG112 on each."""
    verdicts = {
        (verdict.function_arn, verdict.subject): verdict
        for verdict in report.verdicts
        if verdict.rule_id == _TRIGGERS and is_of_trigger(verdict)
    }
    for inventory in state.invokes.inventories:
        for trigger in inventory.triggers:
            key = (trigger.function_arn, f"trigger/{trigger.principal}/{trigger.source}")
            verdict = verdicts.get(key)
            if verdict is None or trigger.function_arn.removesuffix(":$LATEST") not in state.resource_arns:
                continue
            yield TriggerExplanation(
                trigger.description,
                trigger.principal,
                trigger.source,
                trigger.function_arn,
                _ANSWERS[verdict.outcome],
                verdict.reason,
            )


def is_of_trigger(verdict: Verdict) -> bool:
    """Return whether a verdict is about one trigger, and not about all triggers of a source or service."""
    subject = verdict.subject or ""
    return subject.startswith("trigger/") and not subject.endswith("/*")


def other_verdicts(reports: Iterable[Report], state: FunctionState) -> Iterator[RuleVerdict]:
    """Yield the violations and unknown outcomes that are about no statement and no trigger.

    An unknown outcome of several rules with the same reason is named once.
    """
    reasons = set()
    for report in reports:
        for verdict in report.verdicts:
            subject = verdict.subject or ""
            is_elsewhere = subject.startswith(_PREFIX) or is_of_trigger(verdict)
            if verdict.outcome is Outcome.PASS or is_elsewhere or not _is_in_question(verdict, state):
                continue
            if verdict.outcome is Outcome.UNKNOWN:
                if verdict.reason in reasons:
                    continue
                reasons.add(verdict.reason)
            yield verdict_of(verdict, report)


def _is_in_question(verdict: Verdict, state: FunctionState) -> bool:
    return state.qualifier is None or verdict.function_arn in {*state.resource_arns, state.target.arn}


def _allowing(allowed: Allowed, verdicts: list[Verdict], report: Report) -> StatementExplanation:
    exposure = allowed.exposure
    outcomes = {verdict.outcome for verdict in verdicts}
    worst = next((one for one in (Outcome.VIOLATION, Outcome.UNKNOWN, Outcome.PASS) if one in outcomes), "")
    return StatementExplanation(
        allowed.policy.resource_arn,
        allowed.name,
        "Allow",
        _actions(allowed.statement),
        _conditions(allowed.statement),
        tuple(AllowedPrincipal(one.kind, one.value, str(one.restriction), one.why) for one in exposure.principals),
        str(worst),
        tuple(verdict_of(one, report) for one in verdicts if one.outcome is not Outcome.PASS),
        sum(one.outcome is Outcome.PASS for one in verdicts),
        exposure.closed_by or "",
    )


def _denying(policy: ResourcePolicy, statement: Statement) -> StatementExplanation:
    entries = statement.principals.entries if statement.principals else []
    is_negated = statement.principals is not None and statement.principals.negated
    why = "everyone but this principal" if is_negated else ""
    return StatementExplanation(
        policy.resource_arn,
        statement.sid or f"statement {statement.index + 1}",
        statement.effect or "invalid",
        _actions(statement),
        _conditions(statement),
        tuple(AllowedPrincipal(kind, value, "", why) for kind, value in entries),
    )


def _actions(statement: Statement) -> tuple[str, ...]:
    return tuple(f"everything but {text}" if statement.not_action else text for text in statement.action_texts)


def _conditions(statement: Statement) -> tuple[str, ...]:
    return tuple(
        f"{condition.name} {condition.spelled} " + " or ".join(f'"{text}"' for text in condition.texts)
        for condition in statement.conditions
    )
