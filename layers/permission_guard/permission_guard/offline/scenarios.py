"""Answers that hold whatever is not known: a question is put once for every way in which the gaps may be filled.

Where every way gives the same answer, the gap does not matter. Where they differ, nobody can tell, and the reference
that the answer hangs on is named.
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
    """A piece of state that is not in the file; it says so in its own words."""

    def __str__(self) -> str:
        return self.message


def not_in_file(message: str) -> NotInFile:
    """Return what stands for a piece of state that is not in the file."""
    return NotInFile("", "", message, denied=True)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which everything may be: what is seen then, and what was assumed for it.

    `assumed` has a value for each reference. `shown` says with which words to show the texts that stand in its place.
    """

    snapshot: Snapshot
    assumed: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OfflineCheck:
    """Something to judge, in every way that it may be.

    `subject` is what alone is judged of what is seen, None where that is everything. `from_template` tells that the
    cure is to be one for a template; `source_id` is the resource that it is about, and `by_sam` tells that SAM makes
    that one. `written` has the expressions with which the resource writes its values, by what they resolve to.
    """

    scenarios: tuple[Scenario, ...]
    directions: frozenset[Direction]
    subject: str | None = None
    from_template: bool = False
    source_id: str = ""
    by_sam: bool = False
    written: Mapping[str, str] = field(default_factory=dict)


def judge(offline_check: OfflineCheck, rules: Sequence[Rule]) -> Iterator[Verdict]:
    """Yield what the rules say, certain or unknown."""
    asked = [rule for rule in rules if rule.direction in offline_check.directions]
    if len(offline_check.scenarios) == 1:
        (scenario,) = offline_check.scenarios
        yield from (_shown(one, scenario) for one in _about(offline_check.subject, evaluate(scenario.snapshot, asked)))
        return
    # Whether a statement can serve is asked in any case, even if nobody wants to hear of it.
    silent = [SourceNeverMatches(rule.trust) for rule in asked[:1] if SourceNeverMatches not in map(type, asked)]
    seen = [
        (scenario, _about(offline_check.subject, evaluate(scenario.snapshot, [*asked, *silent])))
        for scenario in offline_check.scenarios
    ]
    # What is not known is taken to be set so that the statement can serve, where it can be.
    serving = [(scenario, verdicts) for scenario, verdicts in seen if not _is_dead(verdicts)] or seen
    for rule in asked:
        answers = [(scenario, [one for one in verdicts if one.rule_id == rule.id]) for scenario, verdicts in serving]
        answer = _together(rule, answers)
        if answer is not None:
            yield answer


def _about(subject: str | None, report: Report) -> list[Verdict]:
    return [one for one in report.verdicts if subject is None or one.subject in {None, subject}]


def _is_dead(verdicts: Iterable[Verdict]) -> bool:
    return any(one.rule_id == SourceNeverMatches.id and one.outcome is Outcome.VIOLATION for one in verdicts)


def _together(rule: Rule, answers: Sequence[tuple[Scenario, list[Verdict]]]) -> Verdict | None:
    outcomes = [(scenario, _worst(verdicts)) for scenario, verdicts in answers]
    spoken = [(scenario, verdict) for scenario, verdicts in answers for verdict in verdicts]
    if not spoken:
        return None
    scenario, first = next(
        ((scenario, verdict) for scenario, verdict in spoken if verdict.outcome is Outcome.VIOLATION), spoken[0]
    )
    if len({outcome for _, outcome in outcomes}) == 1:
        return _shown(first, scenario)
    told = _shown(first, scenario)
    hangs = listed_references(_that_matter(outcomes))
    return rule.unknown(told.function_arn, told.subject, f"It hangs on {hangs}, which the file does not say.")


def _worst(verdicts: Iterable[Verdict]) -> Outcome | None:
    found = {verdict.outcome for verdict in verdicts}
    return next((one for one in (Outcome.VIOLATION, Outcome.UNKNOWN, Outcome.PASS) if one in found), None)


def _that_matter(outcomes: Sequence[tuple[Scenario, Outcome | None]]) -> list[str]:
    """Return the references that turn the outcome while all others stay as they are."""
    names = list(dict.fromkeys(name for scenario, _ in outcomes for name in scenario.assumed))
    varied = [name for name in names if len({scenario.assumed.get(name) for scenario, _ in outcomes}) > 1]
    turning = []
    for name in varied:
        groups: defaultdict[tuple[Any, ...], set[Outcome | None]] = defaultdict(set)
        for scenario, outcome in outcomes:
            groups[tuple(scenario.assumed.get(other) for other in names if other != name)].add(outcome)
        if any(len(group) > 1 for group in groups.values()):
            turning.append(name)
    return turning or varied


def listed_references(names: Sequence[str], most: int = 4) -> str:
    """Return references for a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shown(verdict: Verdict, scenario: Scenario) -> Verdict:
    """Return a verdict that names what is not known, in the place of what was put there."""
    if not scenario.shown:
        return verdict
    pairs = sorted(scenario.shown.items(), key=lambda pair: -len(pair[0]))

    def show(value: JSON) -> JSON:
        if isinstance(value, str):
            for put, name in pairs:
                value = value.replace(put, name)
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
        remedies=tuple(replace(remedy, text=show(remedy.text)) for remedy in verdict.remedies),
    )


# ── What may stand in a gap ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Usage:
    """A place where a reference stands: in which element or condition key, and whether it is or begins the value."""

    place: str
    whole: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """Makes up what may stand in gaps; `stranger` is an account that nobody trusts."""

    place: Place
    stranger: str
    organizations: tuple[str, ...] = ()

    def of(self, unresolved: Unresolved, usages: Sequence[Usage], principals: Collection[str], token: str) -> list[str]:
        """Return what a reference may be, the most telling first."""
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

    def hides(self, candidate: str) -> bool:
        """Tell whether a guess is to be shown as the reference it stands for: it occurs by nothing else."""
        return candidate.startswith(("unresolved", "o-unresolved", "arn:")) or candidate == self.stranger


def usages_in(place: str, value: JSON) -> Iterator[tuple[str, Usage]]:
    """Yield each reference that is not resolved in a value, with where it stands."""
    if isinstance(value, str):
        for name in unresolved_in(value):
            yield name, Usage(place, sole_unresolved(value) == name, begins_with(value) == name)
    elif isinstance(value, list):
        for item in value:
            yield from usages_in(place, item)


def ways(candidates: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yield every way to fill the gaps; none where there are too many."""
    count = 1
    for candidate in candidates.values():
        count *= len(candidate)
    if count > MAX_SCENARIOS:
        return
    for chosen in product(*candidates.values()):
        yield dict(zip(candidates, chosen, strict=True))
