"""All rules on roles, for working setups of users and tools: `tests/cases/setups/<name>.json`.

A setup has the format of a case, which `tests/rule_cases.py` describes. It stands for an account: of `sources` and
`source_policies` only what the bot would read is visible. `AWS` stands for the document of an AWS managed policy.
`reported` lists every verdict that is not a pass: rule, outcome, and the severity of a violation.
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
from tests.rule_cases import snapshot_of

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.model.state import Snapshot

SETUPS = sorted((CASES / "setups").glob("*.json"))
RULES = rules_for(Direction.EXECUTION_ROLE, TrustSet(frozenset()))
MANAGED: dict[str, Any] = json.loads(aws_managed_policies_data)

EACH = pytest.mark.parametrize("path", SETUPS, ids=lambda path: path.stem)


def account(path: Path) -> dict[str, Any]:
    """Read a setup, with the documents of the AWS managed policies."""
    setup: dict[str, Any] = json.loads(path.read_text())
    for role in setup["roles"]:
        for arn, document in role.get("AttachedPolicies", {}).items():
            if document == "AWS":
                role["AttachedPolicies"][arn] = MANAGED[arn.rpartition("/")[2]]["Document"]
    return setup


def as_read(whole: Snapshot) -> Snapshot:
    """Return what the bot reads of a setup: in rounds, only what can change a verdict."""
    snapshot = replace(whole, sources={}, source_policies={})
    while arns := states_to_read(snapshot):
        snapshot = replace(snapshot, sources={**snapshot.sources, **{arn: whole.sources[arn] for arn in arns}})
    policies = {arn: whole.source_policies[arn] for arn in policies_to_read(snapshot)}
    return replace(snapshot, source_policies=policies)


@EACH
def test_a_working_setup_has_only_the_verdicts_that_it_lists_besides_passes(path: Path) -> None:
    """Neither a violation nor an unknown, unless the setup lists it."""
    setup = account(path)
    verdicts = evaluate(as_read(snapshot_of(setup)), RULES).verdicts
    severities = {rule.id: rule.severity for rule in RULES}
    reported = {
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
    assert sorted(reported) == setup.get("reported", []), reported


@EACH
def test_each_setup_has_a_description_and_a_pass(path: Path) -> None:
    """Without a pass, the setup would test nothing."""
    setup = account(path)
    assert setup["about"].endswith(".")
    assert any(verdict.outcome is Outcome.PASS for verdict in evaluate(as_read(snapshot_of(setup)), RULES).verdicts)
