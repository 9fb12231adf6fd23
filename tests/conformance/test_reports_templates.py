"""The public reports about the evaluation of templates: each file of `reports/` has its right outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app
from tests.conformance.material import MATERIAL


def check(name: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Check a file of the material, and return the exit code and the results."""
    done = CliRunner().invoke(app, ["check", str(MATERIAL / "reports" / name), "--format", "json", *options])
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "findings", "unknowns", "code"),
    [
        ("admin_no_esm.yaml", {("PG208", "critical"), ("PG210", "high")}, set(), 1),
        ("vpc_plain.json", {("PG205", "high")}, set(), 1),
        ("t11_selects.yaml", set(), {"PG201"}, 3),
        ("most.yaml", {("PG210", "medium")}, set(), 1),
        ("t18.yaml", set(), set(), 0),
        ("t14_other_account.yaml", set(), set(), 0),
        ("t13_excl.yaml", set(), set(), 0),
        ("furl_half.yaml", {("PG107", "medium"), ("PG112", "high")}, set(), 1),
        ("furl_oac.yaml", {("PG112", "high")}, {"PG204", "PG207", "PG208", "PG210"}, 1),
    ],
)
def test_each_report_has_its_right_outcome(
    name: str, findings: set[tuple[str, str]], unknowns: set[str], code: int
) -> None:
    """Findings with their severity, unknown outcomes and the exit code."""
    exit_code, results = check(name)
    assert {(one["rule_id"], one["severity"]) for one in results["findings"]} == findings
    assert {one["rule_id"] for one in results["unknowns"]} == unknowns
    assert exit_code == code
    assert all(one["file"].endswith(name) and one["reason"] for one in results["skipped"])


@pytest.mark.parametrize("rule", ["PG204", "PG205", "PG206", "PG207", "PG210"])
def test_a_function_without_a_mapping_is_evaluated(rule: str) -> None:
    """Each rule has a verdict on the function or its role; the role may write logs."""
    _, results = check("vpc_plain.json", "--rule", rule)
    assert results["counts"]["findings"] + results["counts"]["passed"] == 1


def test_what_is_certain_is_shown() -> None:
    """The managed policy that only reads does not make an administrator."""
    _, results = check("most.yaml")
    (finding,) = results["findings"]
    assert finding["title"] == "Function has full access to sns"
    assert "AmazonSSMReadOnlyAccess" not in json.dumps(finding["evidence"])


def test_the_account_of_a_function_is_inferred() -> None:
    """The default of the parameter names it."""
    _, results = check("t14_other_account.yaml")
    assert results["deployments"][0]["account"] == {
        "value": "111111111111",
        "from": "arn:aws:lambda:us-east-1:111111111111:function:f",
    }
