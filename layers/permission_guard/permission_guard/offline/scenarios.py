"""Evaluate a check for every combination of the values that the file does not contain.

If all combinations have the same outcome, the unresolved values do not matter. If the outcomes differ, the outcome is
unknown, and the reason names the references that it depends on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from permission_guard.checks.engine import evaluate
from permission_guard.invokers import invoker_of
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.offline.intrinsics import begins_with, sole_unresolved, unresolved_in
from permission_guard.rules.invoke_policy.source_never_matches import SourceNeverMatches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON, Direction
    from permission_guard.offline.intrinsics import Unresolved
    from permission_guard.offline.physical_names import Place
    from permission_guard.rules import Rule
    from permission_guard.rules.report import Report

MAX_SCENARIOS: Final = 256

_ARNS: Final = frozenset({"aws:sourcearn", "aws:principalarn"})
_ACCOUNTS: Final = frozenset({"aws:sourceaccount", "aws:sourceowner", "aws:principalaccount"})
_ORGANIZATIONS: Final = frozenset({"aws:principalorgid", "aws:sourceorgid"})
_EXACT: Final = {
    "action": ("lambda:InvokeFunction", "lambda:*"),
    "lambda:functionurlauthtype": ("NONE", "AWS_IAM"),
    "lambda:invokedviafunctionurl": ("true", "false"),
}
_SOME_SOURCE: Final = "arn:{partition}:sns:{region}:{account}:NAME"


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

    `assumed` has the value of each reference. `shown` has the text to print in place of an assumed value.
    """

    snapshot: Snapshot
    assumed: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OfflineCheck:
    """A statement, an event source mapping or a policy to evaluate, in all of its scenarios.

    `subject` is the only subject to evaluate, None for all. `from_template`: the remedy must be one for a template.
    `source_id` is the resource of the template, and `by_sam` is true if SAM creates it. `expressions` has the
    expressions in the properties of the resource, by their resolved values.
    """

    scenarios: tuple[Scenario, ...]
    directions: frozenset[Direction]
    subject: str | None = None
    from_template: bool = False
    source_id: str = ""
    by_sam: bool = False
    expressions: Mapping[str, str] = field(default_factory=dict)


def evaluate_check(offline_check: OfflineCheck, rules: Sequence[Rule]) -> Iterator[Verdict]:
    """Yield the verdicts of the rules on all scenarios of a check."""
    applicable = [rule for rule in rules if rule.direction in offline_check.directions]
    if len(offline_check.scenarios) == 1:
        (scenario,) = offline_check.scenarios
        report = evaluate(scenario.snapshot, applicable)
        yield from (_shown(one, scenario) for one in _verdicts_on(offline_check.subject, report))
        return
    # This rule shows which scenarios can have an effect, so it is evaluated even if its verdicts are not requested.
    added = [
        SourceNeverMatches(rule.trust) for rule in applicable[:1] if SourceNeverMatches not in map(type, applicable)
    ]
    evaluated = [
        (scenario, _verdicts_on(offline_check.subject, evaluate(scenario.snapshot, [*applicable, *added])))
        for scenario in offline_check.scenarios
    ]
    # An unresolved value is assumed to be one with which the statement has an effect, if there is such a value.
    effective = [(scenario, verdicts) for scenario, verdicts in evaluated if not _has_no_effect(verdicts)] or evaluated
    for rule in applicable:
        of_rule = [(scenario, [one for one in verdicts if one.rule_id == rule.id]) for scenario, verdicts in effective]
        merged = _merged(rule, of_rule)
        if merged is not None:
            yield merged


def _verdicts_on(subject: str | None, report: Report) -> list[Verdict]:
    return [one for one in report.verdicts if subject is None or one.subject in {None, subject}]


def _has_no_effect(verdicts: Iterable[Verdict]) -> bool:
    return any(one.rule_id == SourceNeverMatches.id and one.outcome is Outcome.VIOLATION for one in verdicts)


def _merged(rule: Rule, evaluated: Sequence[tuple[Scenario, list[Verdict]]]) -> Verdict | None:
    """Return the verdict of a rule on all scenarios, None if it has none."""
    outcomes = [(scenario, _worst(verdicts)) for scenario, verdicts in evaluated]
    pairs = [(scenario, verdict) for scenario, verdicts in evaluated for verdict in verdicts]
    if not pairs:
        return None
    scenario, first = next(
        ((scenario, verdict) for scenario, verdict in pairs if verdict.outcome is Outcome.VIOLATION), pairs[0]
    )
    shown = _shown(first, scenario)
    if len({outcome for _, outcome in outcomes}) == 1:
        return shown
    names = listed_references(_relevant_references(outcomes))
    return rule.unknown(
        shown.function_arn, shown.subject, f"Unknown: it depends on {names}, which cannot be resolved from the file."
    )


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


def _shown(verdict: Verdict, scenario: Scenario) -> Verdict:
    """Return a verdict with the names of the references in place of the assumed values."""
    if not scenario.shown:
        return verdict
    pairs = sorted(scenario.shown.items(), key=lambda pair: -len(pair[0]))
    # In a remedy, the name must not end the string or the line that it is put into.
    plain_pairs = [(assumed, _NOT_PLAIN.sub("_", name)) for assumed, name in pairs]

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


# ── Candidates for unresolved values ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Usage:
    """A place of a reference: its element or condition key, and whether it is or begins the value."""

    place: str
    whole: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """Create candidates for unresolved values. `stranger` is an account that is not trusted."""

    place: Place
    stranger: str
    organizations: tuple[str, ...] = ()

    def of(self, unresolved: Unresolved, usages: Sequence[Usage], principals: Collection[str], token: str) -> list[str]:
        """Return the possible values of a reference, the most relevant first."""
        if unresolved.allowed:
            return list(unresolved.allowed)
        accounts = [self.place.account] if unresolved.own else [self.place.account, self.stranger]
        found = [
            candidate for usage in usages for candidate in self._at(usage, unresolved, accounts, principals, token)
        ]
        return list(dict.fromkeys(found))

    def _at(
        self, usage: Usage, unresolved: Unresolved, accounts: list[str], principals: Collection[str], token: str
    ) -> list[str]:
        if usage.place == "principal":
            return self._principals(usage, unresolved, accounts, token)
        if usage.place not in _ARNS:
            known = {
                **_EXACT,
                **dict.fromkeys(_ACCOUNTS, accounts),
                **{key: [f"o-{token}", *self.organizations[:1]] for key in _ORGANIZATIONS},
            }
            return list(known.get(usage.place, [token]))
        arns = self._arns(accounts, principals, token) if usage.first else []
        if usage.whole:
            return arns
        return [token, *arns, *([] if unresolved.own else [*accounts, self.place.partition, self.place.region])]

    def _principals(self, usage: Usage, unresolved: Unresolved, accounts: list[str], token: str) -> list[str]:
        if not usage.whole:
            return [token, *accounts, self.place.region]
        roles = [f"arn:{self.place.partition}:iam::{account}:role/{token}" for account in accounts]
        return roles if unresolved.own else [*accounts, *roles, "*", f"{token}.amazonaws.com"]

    def _arns(self, accounts: list[str], principals: Collection[str], token: str) -> list[str]:
        forms = [invoker_of(name).source_arn or _SOME_SOURCE for name in principals] or [_SOME_SOURCE]
        return [
            re.sub(
                r"[A-Z][A-Z-]*", token, naming.format(partition=self.place.partition, region="\0", account=account)
            ).replace("\0", self.place.region)
            for account in accounts
            for naming in forms
        ]

    def is_artificial(self, candidate: str) -> bool:
        """Return whether a candidate occurs only in place of a reference, and must be shown as that reference."""
        return candidate.startswith(("unresolved", "o-unresolved", "arn:")) or candidate == self.stranger


def usages_in(place: str, value: JSON) -> Iterator[tuple[str, Usage]]:
    """Yield each unresolved reference in a value, with its place."""
    if isinstance(value, str):
        for name in unresolved_in(value):
            yield name, Usage(place, sole_unresolved(value) == name, begins_with(value) == name)
    elif isinstance(value, list):
        for item in value:
            yield from usages_in(place, item)


def combinations(candidates: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yield every combination of candidates, none if there are more than MAX_SCENARIOS."""
    count = 1
    for candidate in candidates.values():
        count *= len(candidate)
    if count > MAX_SCENARIOS:
        return
    for chosen in product(*candidates.values()):
        yield dict(zip(candidates, chosen, strict=True))
