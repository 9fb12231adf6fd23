"""The rules against made-up policies of which it is known what is to be found."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from benchmarks import precision
from benchmarks.policies.functions import defective_function, good_function
from permission_guard.checks.engine import evaluate
from permission_guard.model.verdicts import Outcome

if TYPE_CHECKING:
    from benchmarks.precision import Figures

SEEDS: Final = (precision.SEED, 1, 2)

measured = cache(precision.measure)


@pytest.fixture(params=SEEDS)
def figures(request: pytest.FixtureRequest) -> Figures:
    """Return the figures of a seed; they are measured once."""
    return measured(request.param)


def test_nothing_is_found_of_good_policies(figures: Figures) -> None:
    """Not one finding in 250 policies."""
    assert len(figures.good) == precision.HALF
    assert [precision.explain(outcome) for outcome in figures.good if outcome.found] == []


def test_each_defect_is_found_by_its_rule_and_nothing_else_is(figures: Figures) -> None:
    """The good statements beside it stay as unsuspected as they are alone."""
    assert len(figures.defective) == precision.HALF
    wrong = [outcome for outcome in figures.defective if outcome.missed or outcome.extra]
    assert [precision.explain(outcome) for outcome in wrong] == []


def test_only_triggers_are_ever_unknown(figures: Figures) -> None:
    """A statement's conditions are there to be read; what a service sends is not always known."""
    unknown = [verdict for outcome in (*figures.good, *figures.defective) for verdict in outcome.unknown]
    assert {verdict.rule_id for verdict in unknown} <= {"PG112"}
    assert all("it depends on" in verdict.reason for verdict in unknown)
    assert figures.wrong == ()


def test_there_is_a_defect_for_each_rule(figures: Figures) -> None:
    """A rule that nothing tests would look perfect; each has several."""
    found = [item.rule_id for outcome in figures.defective for item in outcome.hit]
    assert {rule.id for rule in precision.RULES} == set(found)
    assert min(found.count(rule.id) for rule in precision.RULES) >= 5


def test_every_good_statement_gets_a_verdict_of_a_rule(figures: Figures) -> None:
    """Nothing passes because nobody looked: each Allow statement is judged."""
    for outcome in figures.good:
        report = evaluate(outcome.sample.snapshot, precision.RULES)
        judged = [item for item in report.verdicts if item.rule_id == "PG101" and item.outcome is Outcome.PASS]
        assert len(judged) == sum(item["Effect"] == "Allow" for item in outcome.sample.statements)


def test_a_seed_always_makes_the_same_policies() -> None:
    """So that a figure can be looked into."""
    assert defective_function("x", 3).statements == defective_function("x", 3).statements
    assert good_function("x").statements != good_function("y").statements


def test_says_what_is_wrong_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without its rules, it misses everything."""
    monkeypatch.setattr(precision, "RULES", precision.RULES[:1])
    monkeypatch.setattr(precision, "HALF", 20)
    monkeypatch.setattr("sys.argv", ["precision", "7"])
    assert precision.main() == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("seed 7\n\nrule      expected       hit    missed     extra\nPG101")
    assert "missed Expected(rule_id=" in printed.err


def test_prints_a_table_and_both_halves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With everything found there is nothing to explain."""
    monkeypatch.setattr(precision, "HALF", 20)
    monkeypatch.setattr("sys.argv", ["precision"])
    assert precision.main() == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "good half: 20 policies, " in printed.out
    assert " statements, 0 findings, " in printed.out
