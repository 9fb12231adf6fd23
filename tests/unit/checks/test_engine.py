"""The engine: a report has what every rule said, whatever one of them does."""

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


class Content(Rule):
    """A rule that finds one thing wrong and one thing right."""

    id, name, severity, direction, reads = (
        "PG901",
        "content",
        Severity.LOW,
        Direction.EXECUTION_ROLE,
        frozenset({"iam:GetRole"}),
    )

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        yield self.passed(FUNCTION_ARN, "a", "All right.")
        yield self.violation(
            function_arn=FUNCTION_ARN, subject="b", title="t", reason="r", impact="i", evidence={}, remedies=()
        )


class Crashing(Content):
    """A rule that breaks after it said something."""

    id = "PG902"

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        yield self.passed(FUNCTION_ARN, "a", "All right.")
        raise KeyError("Statement")


class OfRefusals(Content):
    """A rule that asks about calls that were refused."""

    id, of_denied_calls = "PG904", True


class Blind(Content):
    """A rule whose subjects cannot be listed."""

    id = "PG903"

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        known(snapshot.mappings)
        yield self.passed(FUNCTION_ARN, "a", "Never said.")


SNAPSHOT = Snapshot(TARGET, a_function(), mappings=DENIED)


def test_a_report_sorts_the_verdicts_by_their_outcome() -> None:
    """Violations, passes and unknowns can be asked for each."""
    report = evaluate(SNAPSHOT, [Content(TRUST), Blind(TRUST)])
    assert [verdict.subject for verdict in report.violations] == ["b"]
    assert [verdict.subject for verdict in report.passes] == ["a"]
    assert [verdict.rule_id for verdict in report.unknowns] == ["PG903"]
    assert set(report.rules) == {"PG901", "PG903"}


def test_a_crashing_rule_is_unknown_and_the_others_still_speak() -> None:
    """What it had said before it broke is not used: half an answer looks like the whole."""
    report = evaluate(SNAPSHOT, [Crashing(TRUST), Content(TRUST)])
    (unknown,) = report.unknowns
    assert (unknown.rule_id, unknown.subject) == ("PG902", None)
    assert unknown.reason == "PG902 crashed: KeyError: 'Statement'"
    assert [verdict.rule_id for verdict in report.passes] == ["PG901"]


def test_a_rule_that_cannot_list_its_subjects_is_unknown_of_all_of_them() -> None:
    """The reason is what AWS said."""
    (unknown,) = evaluate(SNAPSHOT, [Blind(TRUST)]).verdicts
    assert unknown.outcome is Outcome.UNKNOWN
    assert unknown.subject is None
    assert unknown.reason == str(DENIED)


def test_a_function_that_could_not_be_read_is_unknown_to_every_rule() -> None:
    """No rule is asked about a function that nobody has seen."""
    report = evaluate(Snapshot(TARGET, DENIED), [Content(TRUST), Crashing(TRUST)])
    assert [(verdict.rule_id, verdict.outcome) for verdict in report.verdicts] == [
        ("PG901", Outcome.UNKNOWN),
        ("PG902", Outcome.UNKNOWN),
    ]
    assert not report.deleted


def test_of_a_function_that_does_not_exist_only_refused_calls_are_asked_about() -> None:
    """Whoever could not create it is told why; the others have nothing to say, and are in the report all the same."""
    report = evaluate(Snapshot(TARGET, None), [Content(TRUST), OfRefusals(TRUST), Crashing(TRUST)])
    assert report.deleted
    assert [(verdict.rule_id, verdict.subject) for verdict in report.verdicts] == [("PG904", "a"), ("PG904", "b")]
    assert set(report.rules) == {"PG901", "PG902", "PG904"}


def test_of_a_function_that_exists_refused_calls_are_asked_about_like_all_else() -> None:
    """The rule is one among the others."""
    report = evaluate(SNAPSHOT, [Content(TRUST), OfRefusals(TRUST)])
    assert not report.deleted
    assert [verdict.rule_id for verdict in report.violations] == ["PG901", "PG904"]


def test_a_function_that_is_gone_is_said_to_be_gone() -> None:
    """No rule is asked, and all of them are in the report: their findings can be resolved."""
    report = evaluate(Snapshot(TARGET, None), [Content(TRUST)])
    assert report.deleted
    assert report.verdicts == ()
    assert set(report.rules) == {"PG901"}
