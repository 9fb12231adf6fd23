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
from permission_guard.offline.intrinsics import begins_with, holes, whole_hole
from permission_guard.rules.invoke_policy.source_never_matches import SourceNeverMatches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON, Scope
    from permission_guard.offline.intrinsics import Hole, Place
    from permission_guard.rules import Rule
    from permission_guard.rules.report import Report

MOST_WORLDS: Final = 256

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
class Untold(Unread):
    """A piece of state that is not in the file; it says so in its own words."""

    def __str__(self) -> str:
        return self.message


def untold(message: str) -> Untold:
    """Return what stands for a piece of state that is not in the file."""
    return Untold("", "", message, denied=True)


@dataclass(frozen=True, slots=True)
class World:
    """One way in which everything may be: what is seen then, and what was assumed for it.

    `assumed` has a value for each reference. `shown` says with which words to show the texts that stand in its place.
    """

    snapshot: Snapshot
    assumed: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """Something to judge, in every way that it may be.

    `subject` is what alone is judged of what is seen, None where that is everything. `from_template` tells that the
    cure is to be one for a template; `source_id` is the resource that it is about, and `by_sam` tells that SAM makes
    that one. `written` has the expressions with which the resource writes its values, by what they resolve to.
    """

    worlds: tuple[World, ...]
    scopes: frozenset[Scope]
    subject: str | None = None
    from_template: bool = False
    source_id: str = ""
    by_sam: bool = False
    written: Mapping[str, str] = field(default_factory=dict)


def judge(question: Question, rules: Sequence[Rule]) -> Iterator[Verdict]:
    """Yield what the rules say, certain or unknown."""
    asked = [rule for rule in rules if rule.scope in question.scopes]
    if len(question.worlds) == 1:
        (world,) = question.worlds
        yield from (_shown(one, world) for one in _about(question.subject, evaluate(world.snapshot, asked)))
        return
    # Whether a statement can serve is asked in any case, even if nobody wants to hear of it.
    silent = [SourceNeverMatches(rule.trust) for rule in asked[:1] if SourceNeverMatches not in map(type, asked)]
    seen = [(world, _about(question.subject, evaluate(world.snapshot, [*asked, *silent]))) for world in question.worlds]
    # What is not known is taken to be set so that the statement can serve, where it can be.
    serving = [(world, verdicts) for world, verdicts in seen if not _is_dead(verdicts)] or seen
    for rule in asked:
        answers = [(world, [one for one in verdicts if one.rule_id == rule.id]) for world, verdicts in serving]
        answer = _together(rule, answers)
        if answer is not None:
            yield answer


def _about(subject: str | None, report: Report) -> list[Verdict]:
    return [one for one in report.verdicts if subject is None or one.subject in {None, subject}]


def _is_dead(verdicts: Iterable[Verdict]) -> bool:
    return any(one.rule_id == SourceNeverMatches.id and one.outcome is Outcome.VIOLATION for one in verdicts)


def _together(rule: Rule, answers: Sequence[tuple[World, list[Verdict]]]) -> Verdict | None:
    outcomes = [(world, _worst(verdicts)) for world, verdicts in answers]
    spoken = [(world, verdict) for world, verdicts in answers for verdict in verdicts]
    if not spoken:
        return None
    world, first = next(
        ((world, verdict) for world, verdict in spoken if verdict.outcome is Outcome.VIOLATION), spoken[0]
    )
    if len({outcome for _, outcome in outcomes}) == 1:
        return _shown(first, world)
    told = _shown(first, world)
    hangs = listed_references(_that_matter(outcomes))
    return rule.unknown(told.function_arn, told.subject, f"It hangs on {hangs}, which the file does not say.")


def _worst(verdicts: Iterable[Verdict]) -> Outcome | None:
    found = {verdict.outcome for verdict in verdicts}
    return next((one for one in (Outcome.VIOLATION, Outcome.UNKNOWN, Outcome.PASS) if one in found), None)


def _that_matter(outcomes: Sequence[tuple[World, Outcome | None]]) -> list[str]:
    """Return the references that turn the outcome while all others stay as they are."""
    names = list(dict.fromkeys(name for world, _ in outcomes for name in world.assumed))
    varied = [name for name in names if len({world.assumed.get(name) for world, _ in outcomes}) > 1]
    turning = []
    for name in varied:
        groups: defaultdict[tuple[Any, ...], set[Outcome | None]] = defaultdict(set)
        for world, outcome in outcomes:
            groups[tuple(world.assumed.get(other) for other in names if other != name)].add(outcome)
        if any(len(group) > 1 for group in groups.values()):
            turning.append(name)
    return turning or varied


def listed_references(names: Sequence[str], most: int = 4) -> str:
    """Return references for a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shown(verdict: Verdict, world: World) -> Verdict:
    """Return a verdict that names what is not known, in the place of what was put there."""
    if not world.shown:
        return verdict
    pairs = sorted(world.shown.items(), key=lambda pair: -len(pair[0]))

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
class Gap:
    """A place where a reference stands: in which element or condition key, and whether it is or begins the value."""

    place: str
    whole: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Guesses:
    """Makes up what may stand in gaps; `stranger` is an account that nobody trusts."""

    place: Place
    stranger: str
    organizations: tuple[str, ...] = ()

    def of(self, hole: Hole, gaps: Sequence[Gap], principals: Collection[str], token: str) -> list[str]:
        """Return what a reference may be, the most telling first."""
        if hole.allowed:
            return list(hole.allowed)
        accounts = [self.place.account] if hole.own else [self.place.account, self.stranger]
        found = [guess for gap in gaps for guess in self._at(gap, hole, accounts, principals, token)]
        return list(dict.fromkeys(found))

    def _at(self, gap: Gap, hole: Hole, accounts: list[str], principals: Collection[str], token: str) -> list[str]:
        if gap.place == "principal":
            return self._principals(gap, hole, accounts, token)
        if gap.place not in _ARNS:
            known = {
                **_EXACT,
                **dict.fromkeys(_ACCOUNTS, accounts),
                **{key: [f"o-{token}", *self.organizations[:1]] for key in _ORGANIZATIONS},
            }
            return list(known.get(gap.place, [token]))
        arns = self._arns(accounts, principals, token) if gap.first else []
        if gap.whole:
            return arns
        return [token, *arns, *([] if hole.own else [*accounts, self.place.partition, self.place.region])]

    def _principals(self, gap: Gap, hole: Hole, accounts: list[str], token: str) -> list[str]:
        if not gap.whole:
            return [token, *accounts, self.place.region]
        roles = [f"arn:{self.place.partition}:iam::{account}:role/{token}" for account in accounts]
        return roles if hole.own else [*accounts, *roles, "*", f"{token}.amazonaws.com"]

    def _arns(self, accounts: list[str], principals: Collection[str], token: str) -> list[str]:
        forms = [invoker_of(name).source_arn or _SOME_SOURCE for name in principals] or [_SOME_SOURCE]
        return [
            re.sub(
                r"[A-Z][A-Z-]*", token, form.format(partition=self.place.partition, region="\0", account=account)
            ).replace("\0", self.place.region)
            for account in accounts
            for form in forms
        ]

    def hides(self, guess: str) -> bool:
        """Tell whether a guess is to be shown as the reference it stands for: it occurs by nothing else."""
        return guess.startswith(("unresolved", "o-unresolved", "arn:")) or guess == self.stranger


def gaps_in(place: str, value: JSON) -> Iterator[tuple[str, Gap]]:
    """Yield each reference that is not resolved in a value, with where it stands."""
    if isinstance(value, str):
        for name in holes(value):
            yield name, Gap(place, whole_hole(value) == name, begins_with(value) == name)
    elif isinstance(value, list):
        for item in value:
            yield from gaps_in(place, item)


def ways(guesses: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yield every way to fill the gaps; none where there are too many."""
    count = 1
    for guess in guesses.values():
        count *= len(guess)
    if count > MOST_WORLDS:
        return
    for chosen in product(*guesses.values()):
        yield dict(zip(guesses, chosen, strict=True))
