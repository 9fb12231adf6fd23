"""How precise the rules on resource-based policies are: `python -m benchmarks.precision [SEED]`.

Half of 500 functions have policies that careful people and tools write: nothing is to be found. The other half have one
to three defects each, of which it is known by which rules they are to be found. Unknown is a third answer: only PG112
may give it, where a condition hinges on what nobody can know of a service's call, such as its path in an organization.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.policies.functions import TRUST, Expected, Sample, defective_function, good_function
from permission_guard.checks.engine import evaluate
from permission_guard.model.targets import Direction
from permission_guard.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.verdicts import Verdict

SEED: Final = 2026
HALF: Final = 250
RULES: Final = [rule for rule in rules_for(Direction.INVOKE_POLICY, TRUST) if rule.id != "PG113"]
"""PG113 counts bytes: there is no defect to recognise."""


def may_be_unknown(verdict: Verdict) -> bool:
    """Return whether a verdict depends on keys that a service may not send: for EventBridge, AWS contradicts itself."""
    return verdict.rule_id == "PG112" or (verdict.rule_id == "PG105" and "EventBridge" in verdict.reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was to be found of one function, and what was."""

    sample: Sample
    expected: frozenset[Expected]
    found: frozenset[Expected]
    unknown: tuple[Verdict, ...]

    @property
    def hit(self) -> frozenset[Expected]:
        """What was to be found and was."""
        return self.expected & self.found

    @property
    def missed(self) -> frozenset[Expected]:
        """What was to be found and was not."""
        return self.expected - self.found

    @property
    def extra(self) -> frozenset[Expected]:
        """What was found and was not to be."""
        return self.found - self.expected

    @property
    def is_wrong(self) -> bool:
        """Whether the rules are not to be relied on here."""
        return bool(self.missed or self.extra or not all(map(may_be_unknown, self.unknown)))


@dataclass(frozen=True, slots=True)
class Figures:
    """The outcomes of both halves."""

    good: tuple[Outcome, ...]
    defective: tuple[Outcome, ...]

    @property
    def wrong(self) -> tuple[Outcome, ...]:
        """Those of which too much or too little was found, or was unknown to a rule that has all it needs."""
        return tuple(outcome for outcome in (*self.good, *self.defective) if outcome.is_wrong)


def measure(seed: int) -> Figures:
    """Put both halves before the rules."""
    return Figures(
        tuple(judge(good_function(f"{seed}-good-{number}")) for number in range(HALF)),
        tuple(judge(defective_function(f"{seed}-defective-{number}", number)) for number in range(HALF)),
    )


def judge(sample: Sample) -> Outcome:
    """Put one function before the rules."""
    report = evaluate(sample.snapshot, RULES)
    found = frozenset(Expected(item.rule_id, item.function_arn, str(item.subject)) for item in report.violations)
    return Outcome(sample, sample.expected, found, report.unknowns)


def table(figures: Figures) -> str:
    """Return the figures, rule by rule."""
    counted = {
        name: _by_rule(getattr(outcome, name) for outcome in figures.defective)
        for name in ("expected", "hit", "missed", "extra")
    }
    lines = [f"{'rule':<8}" + "".join(f"{name:>10}" for name in counted)]
    lines += [f"{rule.id:<8}" + "".join(f"{counts[rule.id]:>10}" for counts in counted.values()) for rule in RULES]
    lines.append(f"{'all':<8}" + "".join(f"{counts.total():>10}" for counts in counted.values()))
    return "\n".join([*lines, "", _half("defective half", figures.defective), _half("good half", figures.good)])


def _by_rule(groups: Iterable[frozenset[Expected]]) -> Counter[str]:
    return Counter(item.rule_id for group in groups for item in group)


def _half(name: str, outcomes: tuple[Outcome, ...]) -> str:
    statements = sum(len(outcome.sample.statements) for outcome in outcomes)
    findings = sum(len(outcome.found) for outcome in outcomes)
    unknown = sum(len(outcome.unknown) for outcome in outcomes)
    return f"{name}: {len(outcomes)} policies, {statements} statements, {findings} findings, {unknown} unknown"


def explain(outcome: Outcome) -> str:
    """Return what is wrong with an outcome, and the policy."""
    lines = [f"missed {item}" for item in sorted(outcome.missed)]
    lines += [f"extra {item}" for item in sorted(outcome.extra)]
    lines += [f"unknown {verdict.rule_id} {verdict.subject}: {verdict.reason}" for verdict in outcome.unknown]
    return "\n  ".join([*lines, *map(str, outcome.sample.statements)])


def main() -> int:
    """Print the figures, and what is wrong with them."""
    seed = int(sys.argv[1]) if sys.argv[1:] else SEED
    figures = measure(seed)
    print(f"seed {seed}\n\n{table(figures)}")
    for outcome in figures.wrong:
        print(f"\n{explain(outcome)}", file=sys.stderr)
    return int(bool(figures.wrong))


if __name__ == "__main__":
    sys.exit(main())
