"""`permission-guard rules` prints the pages of `docs/rules` in the terminal."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app
from permission_guard.offline.managed_policies import managed_policies
from permission_guard.rules import RULES
from tests.paths import REPOSITORY

PAGES = REPOSITORY / "docs" / "rules"


def run(*arguments: str) -> tuple[int, str]:
    """Run the command and return its exit code and what it prints."""
    done = CliRunner().invoke(app, ["rules", *arguments], env={"COLUMNS": "160"})
    return done.exit_code, done.output


def test_every_rule_is_listed() -> None:
    """The list has the name of each rule."""
    code, output = run("list")
    assert code == 0
    for rule in RULES:
        assert rule.id in output
        assert rule.name in output


def test_the_list_ends_with_the_managed_policies_that_are_known() -> None:
    """Their number and date say what a check without AWS knows."""
    known = managed_policies()
    _, output = run("list")
    assert f"check knows {len(known.policies):,} AWS managed policies, as of {known.date}" in output


def test_the_list_can_be_json() -> None:
    """It has one object for each rule."""
    code, output = run("list", "--format", "json")
    listed = json.loads(output)
    assert code == 0
    assert [one["id"] for one in listed] == [rule.id for rule in RULES]
    by_id = {one["id"]: one for one in listed}
    assert by_id["PG102"]["summary"] == "Allow a service to invoke a function only for a named source."
    assert by_id["PG201"]["fix"] == "attach-managed-policy"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_page_is_the_same_as_in_the_documentation(rule: type) -> None:
    """The Markdown output is equal to the file."""
    rule_id = rule.id  # type: ignore[attr-defined]
    assert run("show", rule_id, "--format", "markdown") == (0, (PAGES / f"{rule_id}.md").read_text())


def test_a_page_is_found_by_id_or_name() -> None:
    """The id can be in lower case."""
    assert run("show", "pg102") == run("show", "source-missing")
    code, output = run("show", "PG102")
    assert code == 0
    assert "What it flags" in output
    assert "##" not in output


def test_a_page_can_be_json() -> None:
    """The attributes are fields, the page is Markdown."""
    code, output = run("show", "PG201", "--format", "json")
    shown = json.loads(output)
    assert code == 0
    assert (shown["id"], shown["severity"], shown["scope"]) == ("PG201", "high", "execution_role")
    assert "## Fix safety" in shown["page"]


def test_a_rule_that_does_not_exist_is_invalid_usage() -> None:
    """The message lists the rules."""
    code, output = run("show", "PG999")
    assert code == 2
    assert "PG102" in output
