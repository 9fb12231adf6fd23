"""`permission-guard explain`, on what a scan saved: text, JSON, exit codes and errors."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from permission_guard.cli.app import app
from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, FUNCTION_ARN, OTHER, a_function, statement
from tests.paths import REPOSITORY
from tests.unit.cli.test_hostile_texts import HOSTILE, MARKUP, is_plain
from tests.unit.explain.accounts import INVOKE, ROLE, a_caller, a_state, granting, policy_on
from tests.unit.explain.shop import TOPIC, save, shop

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.explain.state import FunctionState

PAGE = REPOSITORY / "docs" / "explain.md"
SCHEMAS = REPOSITORY / "docs" / "schemas"
EXAMPLES = re.findall(r"```console\n\$ permission-guard (explain [^\n]+)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code of the command, and all that it prints."""
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def explain(tmp_path: Path, state: FunctionState, *arguments: str) -> tuple[int, str]:
    """Explain the function `orders` of a state."""
    return run("explain", "orders", "--state", str(save(tmp_path / "state.json", state)), *arguments)


def as_json(tmp_path: Path, state: FunctionState, *arguments: str) -> Any:
    """Return what the command prints as JSON."""
    return json.loads(explain(tmp_path, state, "--format", "json", *arguments)[1])


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_the_examples_of_the_page_are_what_the_command_prints(tmp_path: Path, command: str, output: str) -> None:
    """For the account of `tests/unit/explain/shop.py`."""
    assert run(*shlex.split(command), "--state", str(save(tmp_path / "state.json", shop())))[1] == output


def test_the_page_has_examples() -> None:
    """So that the test above tests something."""
    assert len(EXAMPLES) > 3


def test_text_has_80_columns_and_no_broken_arn(tmp_path: Path) -> None:
    """A longer line has one word, such as an ARN, and at most a short one before it."""
    _, output = explain(tmp_path, shop())
    for line in output.splitlines():
        assert len(line) <= 80 or "arn:" in line, line
    names = f"role/{'x' * 60}", f"path/{'y' * 60}/reader"
    arn = f"arn:aws:iam::{ACCOUNT}:role/{names[1]}"
    _, output = explain(tmp_path, a_state(callers=(a_caller(statement(INVOKE), arn=arn),)))
    assert f"        {arn}\n" in output


@pytest.mark.parametrize(("option", "number"), [((), 5), (("--all",), 8)])
def test_the_first_of_a_group_are_shown_or_all(tmp_path: Path, option: tuple[str, ...], number: int) -> None:
    """With the number of the others."""
    _, output = explain(tmp_path, shop(), *option)
    assert len(re.findall(r"role/admin-\d\d", output)) == number
    assert ("and 3 more: show them with --all" in output) == (number == 5)
    assert "8 roles allowed" in output


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        ((), "explanation.v1.json"),
        (("--principal", "sns.amazonaws.com", "--source", TOPIC), "principal-answer.v1.json"),
    ],
)
def test_json_is_as_its_schema_says(tmp_path: Path, arguments: tuple[str, ...], schema: str) -> None:
    """The schema is generated from the records."""
    document = as_json(tmp_path, shop(), *arguments)
    Draft202012Validator(json.loads((SCHEMAS / schema).read_text())).validate(document)


def test_json_names_the_statement_that_decides(tmp_path: Path) -> None:
    """Of a caller, of a need and of an answer."""
    document = as_json(tmp_path, shop())
    callers = {one["arn"].rpartition("/")[2]: one for one in document["ways"][0]["callers"]}
    assert callers["admin-01"]["statement"]["sid"] == "Everything"
    assert (callers["paused"]["answer"], callers["paused"]["statement"]["sid"]) == ("denied", "Pause")
    assert callers["deploy"]["statement"] is None
    assert "reports" not in callers
    needs = {need["action"]: need for need in document["requirements"][0]["needs"]}
    assert (needs["sqs:ReceiveMessage"]["answer"], needs["sqs:DeleteMessage"]["answer"]) == ("allowed", "denied")
    assert needs["sqs:ReceiveMessage"]["statement"]["effect"] == "Allow"
    answer = as_json(tmp_path, shop(), "--principal", "sns.amazonaws.com", "--source", TOPIC)
    assert answer["ways"][0]["statement"]["sid"] == "news"


@pytest.mark.parametrize(
    ("principal", "code"),
    [("sns.amazonaws.com", 3), ("s3.amazonaws.com", 0), ("events.amazonaws.com", 1), ("nobody", 2)],
)
def test_the_answer_decides_the_exit_code(tmp_path: Path, principal: str, code: int) -> None:
    """Allowed, denied, unknown, and a principal that is none."""
    assert explain(tmp_path, shop(), "--principal", principal)[0] == code


def test_a_violation_or_a_denied_need_is_code_1_and_an_unread_part_code_3(tmp_path: Path) -> None:
    """And neither is code 0."""
    quiet = a_state(policy_on(granting({"AWS": ROLE})), callers=(a_caller(),), runs=replace(shop().runs, mappings=()))  # type: ignore[type-var] # the shop has it
    assert explain(tmp_path, quiet)[0] == 0
    assert explain(tmp_path, shop())[0] == 1
    assert explain(tmp_path, replace(quiet, runs=None))[0] == 3
    unread = Unread("lambda:ListFunctionUrlConfigs", "AccessDenied", "not authorized", denied=True)
    code, output = explain(tmp_path, replace(quiet, invokes=replace(quiet.invokes, function_urls=unread)))
    assert (code, "The function's URLs were not read." in output) == (3, True)


def test_roles_that_were_not_saved_are_unknown_and_never_nobody(tmp_path: Path) -> None:
    """Older files have no roles and users."""
    file = save(tmp_path / "state.json", shop(), with_identities=False)
    code, output = run("explain", "orders", "--state", str(file), "--principal", ROLE)
    assert (code, "the file has no roles and users" in " ".join(output.split())) == (3, True)
    _, output = run("explain", "orders", "--state", str(file))
    assert "The account's roles and users: unknown." in output
    assert "No role or user" not in output


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_names_write_nothing_of_their_own_to_the_terminal(tmp_path: Path, hostile: str) -> None:
    """Statements, roles and policies are named by others."""
    state = a_state(
        policy_on(granting({"AWS": f"arn:aws:iam::{ACCOUNT}:role/{hostile}"}, Sid=f"{hostile}{MARKUP}")),
        callers=(a_caller(statement(INVOKE, Sid=hostile), arn=f"arn:aws:iam::{ACCOUNT}:role/{hostile}"),),
        runs=shop().runs,
    )
    _, output = explain(tmp_path, state)
    assert is_plain(output)
    _, output = explain(tmp_path, state, "--principal", f"arn:aws:iam::{ACCOUNT}:role/{hostile}")
    assert is_plain(output)


def test_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    """Brackets in a Sid have no effect."""
    _, output = explain(tmp_path, a_state(policy_on(granting({"AWS": ROLE}, Sid="[red]x[/red]"))))
    assert "statement [red]x[/red]" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("orders:live", "--qualifier", "blue"), "is not the qualifier of orders:live"),
        (("orders", "--qualifier", "a/b"), "--qualifier requires an alias"),
        (("or ders",), "FUNCTION requires the name"),
        (("orders", "--region", "us-eats-1"), "--region requires a region"),
        ((FUNCTION_ARN, "--region", "eu-west-1"), "is in region us-east-1, not in --region eu-west-1"),
        (("orders", "--source", TOPIC), "--source requires --principal"),
        (("absent",), "the file has no function absent"),
        ((FUNCTION_ARN.replace(ACCOUNT, "999999999999"),), "the file has no function"),
        (("orders", "--config", "absent.yaml"), "absent.yaml"),
    ],
)
def test_invalid_usage_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """With exit code 2, and without a call to AWS."""
    code, output = run("explain", *arguments, "--state", str(save(tmp_path / "state.json", shop())))
    assert (code, message in output, output.count("\n")) == (2, True, 1), output


def test_a_file_that_is_no_state_file_is_an_error(tmp_path: Path) -> None:
    """With the file's name."""
    file = tmp_path / "template.json"
    file.write_text("{}")
    code, output = run("explain", "orders", "--state", str(file))
    assert (code, "not a state file" in output) == (2, True)


def test_a_name_in_two_regions_must_be_an_arn(tmp_path: Path) -> None:
    """The message has the ARNs."""
    target = replace(OTHER, region="eu-west-1", name="orders")
    other = a_state()
    other = replace(other, target=target, invokes=replace(other.invokes, target=target, function=a_function(target)))
    file = str(save(tmp_path / "state.json", shop(), other))
    code, output = run("explain", "orders", "--state", file)
    assert (code, target.arn in output, FUNCTION_ARN in output) == (2, True, True)
    assert run("explain", target.arn, "--state", file)[1].startswith(target.arn)
    assert run("explain", "orders", "--region", "eu-west-1", "--state", file)[1].startswith(target.arn)


def test_trust_is_that_of_the_configuration_document(tmp_path: Path) -> None:
    """A trusted account is no finding."""
    file = tmp_path / "guard.yaml"
    file.write_text("version: 1\ntrust:\n  accounts: ['111122223333']\n")
    assert "PG106" in explain(tmp_path, shop())[1]
    assert "PG106" not in explain(tmp_path, shop(), "--config", str(file))[1]
