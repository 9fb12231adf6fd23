"""What all rules on roles say of setups that people and tools make, and that work: `tests/cases/setups/<name>.json`.

A setup is written like a case, of which the docstring of `test_cases` tells. It stands for an account: only what the
bot would ask for is read of `sources` and `source_policies`. In place of a policy of AWS's stands `AWS`. `logged` lists
what is said besides that all is well: rule, outcome, and the severity of a violation.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.of_snapshot import policies_to_read, states_to_read
from permission_guard.rules import rules_for
from tests.paths import CASES
from tests.unit.rules.test_cases import snapshot_of

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.model.state import Snapshot

SETUPS = sorted((CASES / "setups").glob("*.json"))
RULES = rules_for(Direction.EXECUTION_ROLE, TrustSet(frozenset()))
MANAGED: dict[str, Any] = json.loads(aws_managed_policies_data)

EACH = pytest.mark.parametrize("path", SETUPS, ids=lambda path: path.stem)


def account(path: Path) -> dict[str, Any]:
    """Read a setup, with the documents of AWS's managed policies."""
    setup: dict[str, Any] = json.loads(path.read_text())
    for role in setup["roles"]:
        for arn, document in role.get("AttachedPolicies", {}).items():
            if document == "AWS":
                role["AttachedPolicies"][arn] = MANAGED[arn.rpartition("/")[2]]["Document"]
    return setup


def look(whole: Snapshot) -> Snapshot:
    """Return what the bot sees of a setup: it asks for what can turn the answer, in rounds, and for nothing else."""
    snapshot = replace(whole, sources={}, source_policies={})
    while asked := states_to_read(snapshot):
        snapshot = replace(snapshot, sources={**snapshot.sources, **{arn: whole.sources[arn] for arn in asked}})
    policies = {arn: whole.source_policies[arn] for arn in policies_to_read(snapshot)}
    return replace(snapshot, source_policies=policies)


@EACH
def test_nothing_is_said_of_what_works_but_that_it_does(path: Path) -> None:
    """Neither a violation nor that nobody can tell, unless the setup says so."""
    setup = account(path)
    verdicts = evaluate(look(snapshot_of(setup)), RULES).verdicts
    severities = {rule.id: rule.severity for rule in RULES}
    said = {
        " ".join(
            [
                verdict.rule_id,
                verdict.outcome,
                *([verdict.severity or severities[verdict.rule_id]] if verdict.outcome is Outcome.VIOLATION else []),
            ]
        ): verdict.reason
        for verdict in verdicts
        if verdict.outcome is not Outcome.PASS
    }
    assert sorted(said) == setup.get("told", []), said


@EACH
def test_each_setup_says_what_it_is_and_has_something_to_judge(path: Path) -> None:
    """Where no rule passes anything, nothing would be shown."""
    setup = account(path)
    assert setup["about"].endswith(".")
    assert any(verdict.outcome is Outcome.PASS for verdict in evaluate(look(snapshot_of(setup)), RULES).verdicts)
