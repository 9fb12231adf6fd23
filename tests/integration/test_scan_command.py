"""`permission-guard scan` against an account in memory: from the credentials to the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from typer.testing import CliRunner

from permission_guard.cli.scan import scan
from permission_guard.model.targets import Direction
from permission_guard.offline.state_file import read_state
from tests.fakes import ACCOUNT, REGION, TARGET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Account

ONLY = typer.Typer(pretty_exceptions_enable=False)
ONLY.command()(scan)
RULES = ("--rule", "PG101", "--rule", "PG201", "--quiet")
"""Rules without inventories: moto does not have some of their calls."""


def run(*words: str) -> Any:
    """Run the command; raise its error if it has one."""
    done = CliRunner().invoke(ONLY, [*RULES, *words], env={"COLUMNS": "80"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_public_function_is_found_planned_and_kept(account: Account, tmp_path: Path) -> None:
    """With the plan of its fix, which changes nothing, and without environment variables in the state."""
    account.make_role()
    account.make_function()
    account.make_function("fine")
    account.lambda_.add_permission(
        FunctionName=TARGET.name, StatementId="everyone", Action="lambda:InvokeFunction", Principal="*"
    )
    before = account.lambda_.get_policy(FunctionName=TARGET.name)["Policy"]
    path, state = tmp_path / "found.json", tmp_path / "state.json"

    done = run("--plan", "--output", str(path), "--save", str(state))

    assert (done.exit_code, done.stderr) == (1, "")
    document = json.loads(path.read_text())
    assert [(one["rule_id"], one["function_arn"]) for one in document["findings"]] == [("PG101", TARGET.arn)]
    assert document["places"] == [{"account": ACCOUNT, "region": REGION, "functions": 2, "is_complete": True}]
    fix = document["findings"][0]["fix"]
    assert [call["operation"] for call in fix["calls"]] == ["lambda:RemovePermission"]
    assert fix["certificate"]["holds"]
    assert account.lambda_.get_policy(FunctionName=TARGET.name)["Policy"] == before
    assert "hunter2" not in state.read_text()
    assert [one.target.name for one in read_state(state).functions] == ["fine", TARGET.name]
    assert all(set(one.snapshots) == set(Direction) for one in read_state(state).functions)
    assert run("--baseline", str(path)).exit_code == 0


def test_an_account_without_findings(account: Account) -> None:
    """In another region too, which has no function."""
    account.make_role()
    account.make_function()
    done = run("--region", REGION, "--region", "eu-west-1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "0 findings, 0 unknown" in done.stdout
    assert "1 function (1 account, 2 regions)" in " ".join(done.stdout.split())
