"""Evaluate a check for every combination of the values that the file does not contain.

If all combinations have the same outcome, the unresolved values do not matter. If the outcomes differ, the outcome is
unknown, and the reason names the references that it depends on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Severity, Verdict
from permission_guard.rules import RULES
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.failure_destination_missing import FailureDestinationMissing
from permission_guard.rules.execution_role.feature_permission_missing import FeaturePermissionMissing
from permission_guard.rules.execution_role.logging_missing import LoggingMissing
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.execution_role.role_shared import RoleShared
from permission_guard.rules.execution_role.role_trust_too_broad import RoleTrustTooBroad
from permission_guard.rules.invoke_policy.invoke_permission_missing import InvokePermissionMissing
from permission_guard.rules.invoke_policy.policy_size_near_limit import PolicySizeNearLimit
from permission_guard.rules.invoke_policy.source_never_matches import SourceNeverMatches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.rules import Rule
    from permission_guard.rules.report import Report

RULES_OFFLINE: Final = frozenset(rule.id for rule in RULES if rule.offline)
"""The rules that can be evaluated on files."""

_ON_ROLES: Final = frozenset(rule.id for rule in RULES if rule.direction is Direction.EXECUTION_ROLE)

RULES_ON_TRIGGERS: Final = frozenset({InvokePermissionMissing.id})
RULES_ON_POLICIES: Final = RULES_OFFLINE - _ON_ROLES - RULES_ON_TRIGGERS
RULES_ON_STATEMENTS: Final = RULES_ON_POLICIES - {PolicySizeNearLimit.id}
RULES_ON_SHARED_ROLES: Final = frozenset({RoleShared.id})
RULES_ON_MAPPINGS: Final = frozenset({EventSourceReadMissing.id, FailureDestinationMissing.id})
RULES_ON_NAMES: Final = frozenset(
    {EventSourceReadMissing.id, FailureDestinationMissing.id, LoggingMissing.id, FeaturePermissionMissing.id}
)
"""The rules whose outcome depends on the names of resources."""
RULES_ON_TRUST: Final = frozenset({RoleNotAssumable.id, RoleTrustTooBroad.id})
RULES_ON_FUNCTIONS: Final = RULES_OFFLINE & _ON_ROLES - RULES_ON_SHARED_ROLES - {EventSourceReadMissing.id}

_LEAST_FIRST: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class NotInFile(Unread):
    """A part of the state that is not in the file; its text is the message alone."""

    def __str__(self) -> str:
        return self.message


def not_in_file(message: str) -> NotInFile:
    """Return a part of the state that is not in the file."""
    return NotInFile("", "", message, denied=True)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The snapshot for one combination of assumed values.

    `assumed` has the value of each reference. `shown` has the text to print in place of an assumed value. `rules` are
    the only rules for which the combination is possible, None for all.
    """

    snapshot: Snapshot
    assumed: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    rules: frozenset[str] | None = None

    def evaluated(self, rules: Sequence[Rule], subject: str | None) -> list[Verdict]:
        """Return the verdicts of the rules on a subject, None for all subjects."""
        possible = [rule for rule in rules if self.rules is None or rule.id in self.rules]
        return _verdicts_on(subject, evaluate(self.snapshot, possible)) if possible else []


@dataclass(frozen=True, slots=True)
class OfflineCheck:
    """A statement, an event source mapping or a policy to evaluate, in all of its scenarios.

    `rules` are the ids of the rules to evaluate, and `subject` is the only subject to evaluate, None for all.
    `own_accounts` are trusted besides the account of the function. `from_template`: the remedy must be one for a
    template.
    `source_id` is the resource of the template, and `by_sam` is true if SAM creates it. `expressions` has the
    expressions in the properties of the resource, by their resolved values.
    """

    scenarios: tuple[Scenario, ...]
    rules: frozenset[str]
    subject: str | None = None
    own_accounts: frozenset[str] = frozenset()
    from_template: bool = False
    source_id: str = ""
    by_sam: bool = False
    expressions: Mapping[str, str] = field(default_factory=dict)


def evaluate_check(offline_check: OfflineCheck, rules: Sequence[Rule]) -> Iterator[Verdict]:
    """Yield the verdicts of the rules on all scenarios of a check."""
    own = offline_check.own_accounts
    applicable = [
        type(rule)(TrustSet(rule.trust.accounts | own, rule.trust.organizations)) if own else rule
        for rule in rules
        if rule.id in offline_check.rules
    ]
    if not applicable:
        return
    if len(offline_check.scenarios) == 1:
        (scenario,) = offline_check.scenarios
        yield from (_shown(one, scenario) for one in scenario.evaluated(applicable, offline_check.subject))
        return
    # This rule shows which scenarios can have an effect, so it is evaluated even if its verdicts are not requested.
    is_needed = SourceNeverMatches.id in offline_check.rules and SourceNeverMatches not in map(type, applicable)
    added = [SourceNeverMatches(applicable[0].trust)] if is_needed else []
    evaluated = [
        (scenario, scenario.evaluated([*applicable, *added], offline_check.subject))
        for scenario in offline_check.scenarios
    ]
    # An unresolved value is assumed to be one with which the statement has an effect, if there is such a value.
    effective = [(scenario, verdicts) for scenario, verdicts in evaluated if not _has_no_effect(verdicts)] or evaluated
    for rule in applicable:
        yield from _merged(
            rule,
            [
                (scenario, [_shown(one, scenario) for one in verdicts if one.rule_id == rule.id])
                for scenario, verdicts in effective
                if scenario.rules is None or rule.id in scenario.rules
            ],
        )


def _verdicts_on(subject: str | None, report: Report) -> list[Verdict]:
    return [one for one in report.verdicts if subject is None or one.subject in {None, subject}]


def _has_no_effect(verdicts: Iterable[Verdict]) -> bool:
    return any(one.rule_id == SourceNeverMatches.id and one.outcome is Outcome.VIOLATION for one in verdicts)


def _merged(rule: Rule, evaluated: Sequence[tuple[Scenario, list[Verdict]]]) -> Iterator[Verdict]:
    """Yield the verdict of a rule on each subject of all scenarios. One without a subject is on all of them."""
    subjects = list(dict.fromkeys(one.subject for _, verdicts in evaluated for one in verdicts))
    found = []
    for subject in subjects if subjects == [None] else (one for one in subjects if one is not None):
        on_subject = [
            (scenario, [one for one in verdicts if one.subject in {None, subject}]) for scenario, verdicts in evaluated
        ]
        found.append(_on_subject(rule, on_subject))
    if any(one.outcome is Outcome.VIOLATION for one in found):
        yield from found
        return
    certain = _in_all(evaluated)
    of_certain = {one.subject for one in certain}
    yield from certain[:1]
    yield from (one for one in found if one.subject not in of_certain)


def _in_all(evaluated: Sequence[tuple[Scenario, list[Verdict]]]) -> list[Verdict]:
    """Return the violations that every scenario has, on one subject or on another, such as one of two roles."""
    violations = [[one for one in verdicts if one.outcome is Outcome.VIOLATION] for _, verdicts in evaluated]
    titles = [{one.title for one in found} for found in violations]
    common = set.intersection(*titles) if titles else set()
    return [one for found in violations for one in found if one.title in common]


def _on_subject(rule: Rule, evaluated: Sequence[tuple[Scenario, list[Verdict]]]) -> Verdict:
    """Return the verdict on a subject. A subject that some scenarios do not have passes there."""
    outcomes = [(scenario, _worst(verdicts)) for scenario, verdicts in evaluated]
    found = {outcome for _, outcome in outcomes}
    if Outcome.VIOLATION not in found:
        found.discard(None)
    verdicts = [one for _, listed in evaluated for one in listed]
    if found == {Outcome.VIOLATION}:
        return min((one for one in verdicts if one.outcome is Outcome.VIOLATION), key=lambda one: _surprise(rule, one))
    if len(found) == 1:
        return next(one for one in verdicts if one.outcome in found)
    first = next((one for one in verdicts if one.outcome is Outcome.VIOLATION), verdicts[0])
    names = listed_references(_relevant_references(outcomes))
    return rule.unknown(
        first.function_arn, first.subject, f"Unknown: it depends on {names}, which cannot be resolved from the file."
    )


def _surprise(rule: Rule, verdict: Verdict) -> tuple[int, int]:
    """Return how much a violation claims: the least is true in every scenario."""
    return _LEAST_FIRST.index(verdict.severity or rule.severity), _claims(verdict.evidence)


def _claims(evidence: JSON) -> int:
    if isinstance(evidence, Mapping):
        return sum(map(_claims, evidence.values()))
    return sum(map(_claims, evidence)) if isinstance(evidence, list) else int(bool(evidence))


def _worst(verdicts: Iterable[Verdict]) -> Outcome | None:
    found = {verdict.outcome for verdict in verdicts}
    return next((one for one in (Outcome.VIOLATION, Outcome.UNKNOWN, Outcome.PASS) if one in found), None)


def _relevant_references(outcomes: Sequence[tuple[Scenario, Outcome | None]]) -> list[str]:
    """Return the references that change the outcome while all others keep their values."""
    names = list(dict.fromkeys(name for scenario, _ in outcomes for name in scenario.assumed))
    varied = [name for name in names if len({scenario.assumed.get(name) for scenario, _ in outcomes}) > 1]
    relevant = []
    for name in varied:
        groups: defaultdict[tuple[Any, ...], set[Outcome | None]] = defaultdict(set)
        for scenario, outcome in outcomes:
            groups[tuple(scenario.assumed.get(other) for other in names if other != name)].add(outcome)
        if any(len(group) > 1 for group in groups.values()):
            relevant.append(name)
    return relevant or varied


def listed_references(names: Sequence[str], limit: int = 4) -> str:
    """Return references as text for a sentence."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


_NOT_PLAIN: Final = re.compile(r"[^\w.:${}/-]+", re.ASCII)


def in_remedies(name: str) -> str:
    """Return a name as remedies have it: it does not end the string or the line that it is put into."""
    return _NOT_PLAIN.sub("_", name)


def _shown(verdict: Verdict, scenario: Scenario) -> Verdict:
    """Return a verdict with the names of the references in place of the assumed values."""
    if not scenario.shown:
        return verdict
    pairs = sorted(scenario.shown.items(), key=lambda pair: -len(pair[0]))
    # In a remedy, a generated name is a reference to its resource: the logical id alone would be another name.
    references = [(assumed, name if name.startswith("${") else f"${{{name}}}") for assumed, name in pairs]
    plain_pairs = [(assumed, in_remedies(name)) for assumed, name in references]

    def show(value: JSON, names: Sequence[tuple[str, str]] = pairs) -> JSON:
        if isinstance(value, str):
            for assumed, name in names:
                value = value.replace(assumed, name)
            return value
        if isinstance(value, list):
            return [show(item) for item in value]
        return {show(key): show(item) for key, item in value.items()} if isinstance(value, dict) else value

    return replace(
        verdict,
        function_arn=show(verdict.function_arn),
        subject=show(verdict.subject),
        title=show(verdict.title),
        reason=show(verdict.reason),
        impact=show(verdict.impact),
        evidence=show(dict(verdict.evidence)),
        remedies=tuple(replace(remedy, text=show(remedy.text, plain_pairs)) for remedy in verdict.remedies),
    )
