"""The rules on generated policies with known defects."""

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
    """Return the figures of a seed; each seed is measured once."""
    return measured(request.param)


def test_good_policies_have_no_findings(figures: Figures) -> None:
    """Not one in 250 policies."""
    assert len(figures.good) == precision.HALF
    assert [precision.explain(outcome) for outcome in figures.good if outcome.found] == []


def test_each_defect_has_a_finding_of_its_rule_and_there_are_no_others(figures: Figures) -> None:
    """The good statements of the same policy have no findings either."""
    assert len(figures.defective) == precision.HALF
    wrong = [outcome for outcome in figures.defective if outcome.missed or outcome.extra]
    assert [precision.explain(outcome) for outcome in wrong] == []


def test_only_what_depends_on_the_keys_that_a_service_sends_is_unknown(figures: Figures) -> None:
    """The conditions of a statement can always be read; the keys that a service sends are not always known."""
    unknown = [verdict for outcome in (*figures.good, *figures.defective) for verdict in outcome.unknown]
    assert {verdict.rule_id for verdict in unknown} <= {"PG105", "PG112"}
    assert all("it depends on" in verdict.reason for verdict in unknown if verdict.rule_id == "PG112")
    assert all("EventBridge" in verdict.reason for verdict in unknown if verdict.rule_id == "PG105")
    assert figures.wrong == ()


def test_each_rule_has_at_least_five_defects(figures: Figures) -> None:
    """A rule without defects would seem to have perfect precision."""
    found = [item.rule_id for outcome in figures.defective for item in outcome.hit]
    assert {rule.id for rule in precision.RULES} == set(found)
    assert min(found.count(rule.id) for rule in precision.RULES) >= 5


def test_every_good_statement_has_a_verdict(figures: Figures) -> None:
    """A statement must not count as good because no rule has evaluated it."""
    for outcome in figures.good:
        report = evaluate(outcome.sample.snapshot, precision.RULES)
        judged = [item for item in report.verdicts if item.rule_id == "PG101" and item.outcome is Outcome.PASS]
        assert len(judged) == sum(item["Effect"] == "Allow" for item in outcome.sample.statements)


def test_a_seed_always_makes_the_same_policies() -> None:
    """The figures can be reproduced."""
    assert defective_function("x", 3).statements == defective_function("x", 3).statements
    assert good_function("x").statements != good_function("y").statements


def test_main_prints_missed_defects_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most rules are removed, so that their defects are missed."""
    monkeypatch.setattr(precision, "RULES", precision.RULES[:1])
    monkeypatch.setattr(precision, "HALF", 20)
    monkeypatch.setattr("sys.argv", ["precision", "7"])
    assert precision.main() == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("seed 7\n\nrule      expected       hit    missed     extra\nPG101")
    assert "missed Expected(rule_id=" in printed.err


def test_main_prints_a_table_and_the_figures_of_both_halves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no error output if there are no mistakes."""
    monkeypatch.setattr(precision, "HALF", 20)
    monkeypatch.setattr("sys.argv", ["precision"])
    assert precision.main() == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "good half: 20 policies, " in printed.out
    assert " statements, 0 findings, " in printed.out
