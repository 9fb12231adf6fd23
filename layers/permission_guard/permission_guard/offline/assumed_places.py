"""Findings that are not true in every place to which a template may be deployed are unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.errors import InputError
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.offline.scenarios import OfflineCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from permission_guard.offline.deployment import Deployment, GivenPlace

Evaluated = tuple[OfflineCheck, Verdict]


def in_every_place(
    evaluated: list[Evaluated],
    deployment: Deployment | None,
    evaluate_in: Callable[[GivenPlace, frozenset[str]], Iterable[Evaluated]],
) -> list[Evaluated]:
    """Return the verdicts in the assumed place; a violation that another possible place does not have is unknown.

    `evaluate_in` evaluates rules, by their ids, in another place.
    """
    if deployment is None:
        return evaluated
    for other in deployment.others:
        rules = frozenset(verdict.rule_id for _, verdict in evaluated if verdict.outcome is Outcome.VIOLATION)
        if not rules:
            break
        values = [value for value in (other.account, other.region) if value]
        names = [deployment.account.value, deployment.region.value, *values]
        try:
            found = {_key(one, names) for one in evaluate_in(other, rules) if one[1].outcome is Outcome.VIOLATION}
        except InputError:
            continue
        evaluated = [
            one
            if one[1].outcome is not Outcome.VIOLATION or _key(one, names) in found
            else (one[0], _unknown(one[1], deployment, other))
            for one in evaluated
        ]
    return evaluated


def _key(one: Evaluated, names: Iterable[str]) -> tuple[str, ...]:
    """Return what identifies a verdict in every place."""
    offline_check, verdict = one
    named = [verdict.rule_id, offline_check.source_id, verdict.function_arn, verdict.subject or ""]
    for name in names:
        named = [text.replace(name, "*") for text in named]
    return tuple(named)


def _unknown(verdict: Verdict, deployment: Deployment, other: GivenPlace) -> Verdict:
    parts = [
        (name, one.value, value)
        for name, one, value in (
            ("account", deployment.account, other.account),
            ("region", deployment.region, other.region),
        )
        if one.value != value
    ]
    reason = (
        f"Unknown: it depends on the {' and '.join(name for name, *_ in parts)} of the stack. It is a problem in "
        f"{' '.join(assumed for _, assumed, _ in parts)}, which is assumed, but not in "
        f"{' '.join(str(value) for *_, value in parts)}. Set {' and '.join(f'--{name}' for name, *_ in parts)}."
    )
    return replace(
        verdict, outcome=Outcome.UNKNOWN, reason=reason, title="", impact="", evidence={}, remedies=(), severity=None
    )
