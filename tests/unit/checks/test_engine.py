"""The engine: a report has the verdicts of every rule, even if one of them crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import Snapshot
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Severity
from permission_guard.rules.base import Rule, known
from tests.fakes import DENIED, FUNCTION_ARN, TARGET, a_function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.verdicts import Verdict

TRUST = TrustSet(frozenset())


class TwoVerdicts(Rule):
    """A rule with one violation and one pass."""

    id, name, severity, direction, reads = (
        "PG901",
        "content",
        Severity.LOW,
        Direction.EXECUTION_ROLE,
        frozenset({"iam:GetRole"}),
    )

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        yield self.passed(FUNCTION_ARN, "a", "Passed.")
        yield self.violation(
            function_arn=FUNCTION_ARN, subject="b", title="t", reason="r", impact="i", evidence={}, remedies=()
        )


class Crashing(TwoVerdicts):
    """A rule that raises an error after its first verdict."""

    id = "PG902"

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        yield self.passed(FUNCTION_ARN, "a", "Passed.")
        raise KeyError("Statement")


class OfDeniedCalls(TwoVerdicts):
    """A rule on denied calls."""

    id, of_denied_calls = "PG904", True


class CannotList(TwoVerdicts):
    """A rule whose subjects cannot be listed."""

    id = "PG903"

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        known(snapshot.mappings)
        yield self.passed(FUNCTION_ARN, "a", "Never reached.")


SNAPSHOT = Snapshot(TARGET, a_function(), mappings=DENIED)


def test_a_report_sorts_the_verdicts_by_their_outcome() -> None:
    """It has separate lists of violations, passes and unknowns."""
    report = evaluate(SNAPSHOT, [TwoVerdicts(TRUST), CannotList(TRUST)])
    assert [verdict.subject for verdict in report.violations] == ["b"]
    assert [verdict.subject for verdict in report.passes] == ["a"]
    assert [verdict.rule_id for verdict in report.unknowns] == ["PG903"]
    assert set(report.rules) == {"PG901", "PG903"}


def test_a_crashing_rule_is_unknown_and_the_other_rules_are_evaluated() -> None:
    """Verdicts before the crash are dropped, because an incomplete list must not count as complete."""
    report = evaluate(SNAPSHOT, [Crashing(TRUST), TwoVerdicts(TRUST)])
    (unknown,) = report.unknowns
    assert (unknown.rule_id, unknown.subject) == ("PG902", None)
    assert unknown.reason == "PG902 crashed: KeyError: 'Statement'"
    assert [verdict.rule_id for verdict in report.passes] == ["PG901"]


def test_a_rule_that_cannot_list_its_subjects_is_unknown_for_all_of_them() -> None:
    """The reason is AWS's error."""
    (unknown,) = evaluate(SNAPSHOT, [CannotList(TRUST)]).verdicts
    assert unknown.outcome is Outcome.UNKNOWN
    assert unknown.subject is None
    assert unknown.reason == str(DENIED)


def test_a_function_that_cannot_be_read_is_unknown_for_every_rule() -> None:
    """No rule is evaluated."""
    report = evaluate(Snapshot(TARGET, DENIED), [TwoVerdicts(TRUST), Crashing(TRUST)])
    assert [(verdict.rule_id, verdict.outcome) for verdict in report.verdicts] == [
        ("PG901", Outcome.UNKNOWN),
        ("PG902", Outcome.UNKNOWN),
    ]
    assert not report.deleted


def test_only_rules_on_denied_calls_are_evaluated_for_a_function_that_does_not_exist() -> None:
    """They report why it could not be created. The report lists the other rules too."""
    report = evaluate(Snapshot(TARGET, None), [TwoVerdicts(TRUST), OfDeniedCalls(TRUST), Crashing(TRUST)])
    assert report.deleted
    assert [(verdict.rule_id, verdict.subject) for verdict in report.verdicts] == [("PG904", "a"), ("PG904", "b")]
    assert set(report.rules) == {"PG901", "PG902", "PG904"}


def test_rules_on_denied_calls_are_evaluated_for_existing_functions_too() -> None:
    """Together with all other rules."""
    report = evaluate(SNAPSHOT, [TwoVerdicts(TRUST), OfDeniedCalls(TRUST)])
    assert not report.deleted
    assert [verdict.rule_id for verdict in report.violations] == ["PG901", "PG904"]


def test_the_report_of_a_deleted_function_has_all_rules_and_no_verdicts() -> None:
    """All findings of these rules can be resolved."""
    report = evaluate(Snapshot(TARGET, None), [TwoVerdicts(TRUST)])
    assert report.deleted
    assert report.verdicts == ()
    assert set(report.rules) == {"PG901"}


class ManyViolations(Rule):
    """A rule with five violations, which may not be asked for the last."""

    id, name, severity, direction, reads = (
        "PG903",
        "many",
        Severity.LOW,
        Direction.EXECUTION_ROLE,
        frozenset({"iam:GetRole"}),
    )

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        for subject in "abcde":
            yield self.violation(
                function_arn=FUNCTION_ARN, subject=subject, title="t", reason="r", impact="i", evidence={}, remedies=()
            )


def test_a_rule_with_too_many_violations_is_evaluated_in_part() -> None:
    """What is not evaluated is unknown: findings of it are neither opened nor resolved. Other rules are evaluated."""
    snapshot = Snapshot(TARGET, a_function())
    report = evaluate(snapshot, (ManyViolations(TRUST), TwoVerdicts(TRUST)), limit=3)
    assert [verdict.subject for verdict in report.violations] == ["a", "b", "c", "b"]
    (unknown,) = report.unknowns
    assert (unknown.rule_id, unknown.subject) == ("PG903", None)
    assert "The rest is not evaluated" in unknown.reason
    assert len(evaluate(snapshot, (ManyViolations(TRUST),)).violations) == 5
