"""Every rule against its cases (`tests/rule_cases.py`)."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules import RULES
from tests.rule_cases import INVOKE_CASES, RULE_CASES, kind_of, snapshot_of, trust_of
from tests.unit.rules.peers import PEERS

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.rules.base import Rule

FLAGGED = [path for path in INVOKE_CASES if "flagged_by" in json.loads(path.read_text())]
ONLY_THE_POLICY = {rule.id for rule in RULES if rule.id.startswith("PG1") and rule.offline} - {"PG112"}
DEFAULT_REMEDIES = ("aws-cli", "terraform")
KINDS = {"fail": Outcome.VIOLATION, "pass": Outcome.PASS, "unknown": Outcome.UNKNOWN}


@pytest.mark.parametrize("path", RULE_CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_case_has_the_expected_verdicts(path: Path) -> None:
    """The verdicts of a rule on a state are exactly those listed, with their titles, reasons and evidence."""
    case = json.loads(path.read_text())
    rule = next(rule for rule in RULES if rule.id == path.parent.name)
    report = evaluate(snapshot_of(case), [rule(trust_of(case))])
    assert [short(verdict) for verdict in report.verdicts] == [wanted(entry) for entry in case["expected"]]
    for verdict, entry in zip(report.verdicts, case["expected"], strict=True):
        for part in entry["reason"]:
            assert part in verdict.reason
        if verdict.outcome is Outcome.VIOLATION:
            assert verdict.title == entry["title"]
            assert (verdict.severity or rule.severity) == entry.get("severity", rule.severity)
            assert entry["evidence"].items() <= verdict.evidence.items()
            assert [need["action"] for need in verdict.evidence.get("missing", ())] == entry.get("missing", [])
            assert verdict.impact
            assert {remedy.kind for remedy in verdict.remedies} >= set(entry.get("remedies", DEFAULT_REMEDIES))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_whose_outcome_depends_on_inventories_says_so(rule: type[Rule]) -> None:
    """Otherwise an inventory that an execution environment cached would resolve its findings."""
    cases = [json.loads(path.read_text()) for path in RULE_CASES if path.parent.name == rule.id]
    changed = [case for case in cases if outcomes_of(rule, case) != outcomes_of(rule, case | {"inventories": {}})]
    assert bool(changed) is rule.of_inventories


def outcomes_of(rule: type[Rule], case: dict[str, Any]) -> list[tuple[str | None, Outcome]]:
    """Return the outcomes of a rule on the state of a case."""
    verdicts = evaluate(snapshot_of(case), [rule(trust_of(case))]).verdicts
    return [(verdict.subject, verdict.outcome) for verdict in verdicts]


def test_each_case_has_the_outcome_of_its_file_name() -> None:
    """A failing case has a violation, an unknown case has an unknown and no violation, a passing case only passes."""
    allowed: dict[str, list[set[str]]] = {
        "fail": [{"violation"}, {"violation", "pass"}, {"violation", "unknown"}],
        "pass": [set(), {"pass"}],
        "unknown": [{"unknown"}, {"unknown", "pass"}],
    }
    outcomes = {path: {entry["outcome"] for entry in json.loads(path.read_text())["expected"]} for path in RULE_CASES}
    assert [path.name for path, found in outcomes.items() if found not in allowed[kind_of(path)]] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_has_cases_that_fail_that_pass_and_that_are_unknown(rule: Any) -> None:
    """A rule needs cases of all three outcomes."""
    assert {kind_of(path) for path in RULE_CASES if path.parent.name == rule.id} == set(KINDS)


def test_every_case_belongs_to_a_rule_and_has_a_description_of_its_own() -> None:
    """A case in the folder of no rule would never run; two equal descriptions suggest a duplicate."""
    assert {path.parent.name for path in RULE_CASES} == {rule.id for rule in RULES}
    abouts = [json.loads(path.read_text())["about"] for path in RULE_CASES]
    assert all(about.endswith(".") for about in abouts)
    assert len(set(abouts)) == len(abouts)


def test_the_rules_on_who_may_invoke_have_a_dozen_cases_each() -> None:
    """On average, with at least eight for each rule."""
    counts = Counter(path.parent.name for path in INVOKE_CASES)
    rules = {rule.id for rule in RULES if rule.id.startswith("PG1")}
    assert counts.keys() == rules
    assert min(counts.values()) >= 8
    assert counts.total() >= 12 * len(rules)


def test_a_third_of_their_cases_are_false_positives_of_another_tool() -> None:
    """The rules must not repeat them."""
    assert 3 * len(FLAGGED) >= len(INVOKE_CASES)


@pytest.mark.parametrize("path", FLAGGED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_other_tool_flags_what_every_rule_passes(path: Path) -> None:
    """Its predicate flags one of the statements, and no rule that reads only the policy reports a violation."""
    case = json.loads(path.read_text())
    statements = [statement for reply in case["policies"] for statement in reply["Policy"]["Statement"]]
    assert kind_of(path) == "pass"
    assert any(PEERS[case["flagged_by"]](statement) for statement in statements)
    # PG112 reads triggers and URLs, and several of these cases have one half of what a URL requires.
    rules = [rule(trust_of(case)) for rule in RULES if rule.id in ONLY_THE_POLICY]
    verdicts = evaluate(snapshot_of(case), rules).verdicts
    assert [(verdict.rule_id, verdict.title) for verdict in verdicts if verdict.outcome is Outcome.VIOLATION] == []


def short(verdict: Verdict) -> tuple[str, str | None, str]:
    """Return outcome, subject and function of a verdict."""
    return str(verdict.outcome), verdict.subject, verdict.function_arn.split(":function:")[1]


def wanted(entry: dict[str, Any]) -> tuple[str, str | None, str]:
    """Return outcome, subject and function of an expected verdict."""
    return entry["outcome"], entry["subject"], entry.get("function", "orders")
