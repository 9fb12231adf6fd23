"""The shell completes commands, options and the values that can be known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from permission_guard.cli.app import app
from permission_guard.config.rule_names import RULE_NAMES
from permission_guard.delivery.previews import PREVIEWS
from permission_guard.model.arns import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Complete = Callable[[str], list[str]]

HELP = "\t"
CONFIG = """\
[default]
region = eu-west-1
[profile jane]
role_arn = arn:aws:iam::123456789012:role/platform
[profile "on call"]
  [ not a heading
[sso-session acme]
[services local]
"""
CREDENTIALS = "[default]\naws_secret_access_key = not-a-real-secret\n[ci]\n#[old]\n[broken\n"


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """Return what fish gets for a command line up to the cursor: values, each with its help after a tab."""
    monkeypatch.setenv("_PERMISSION_GUARD_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")

    def completed(line: str) -> list[str]:
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"permission-guard {line}")
        with pytest.raises(SystemExit) as end:
            app(prog_name="permission-guard")
        assert end.value.code == 0
        return [line for line in capsys.readouterr().out.splitlines() if line]

    return completed


def values(lines: list[str]) -> list[str]:
    """Return the values without their help."""
    return [line.split(HELP)[0] for line in lines]


def test_every_command_is_completed_with_its_help(complete: Complete) -> None:
    """At each level."""
    found = dict(line.split(HELP) for line in complete(""))
    assert set(found) >= {"check", "evaluate", "rules", "findings", "fixes", "config", "notify"}
    assert found["rules"].startswith("List the rules")
    assert values(complete("rules ")) == ["list", "show"]
    assert values(complete("not")) == ["notify"]


def test_options_and_choices_are_completed(complete: Complete) -> None:
    """A choice is completed without a function of ours."""
    assert values(complete("findings list --s")) == ["--status", "--severity", "--stack-name"]
    assert values(complete("findings list --severity ")) == ["low", "medium", "high", "critical"]
    assert values(complete("check --format ")) == ["table", "json"]
    assert values(complete("config validate --format j")) == ["json"]


@pytest.mark.parametrize(
    "line", ["check --rule ", "findings list --rule ", "fixes list --rule ", "rules show ", "notify preview "]
)
def test_rules_are_completed_by_their_ids_and_names(complete: Complete, line: str) -> None:
    """The ids at first, each with its name; a name where one was begun."""
    assert complete(line) == [f"{id_}{HELP}{name}" for id_, name in RULE_NAMES.items()]
    assert complete(f"{line}PG10") == [f"PG10{number}{HELP}{RULE_NAMES[f'PG10{number}']}" for number in range(1, 10)]
    assert complete(f"{line}source-m") == [f"source-missing{HELP}PG102"]
    assert complete(f"{line}PG9") == []


def test_channels_and_partitions_are_completed(complete: Complete) -> None:
    """As `notify preview` and `check` accept them."""
    assert complete("notify preview PG101 --channel ") == list(PREVIEWS)
    assert complete("check template.yaml --partition ") == list(PARTITIONS)


def test_regions_are_completed(complete: Complete) -> None:
    """Of every partition, without what is no region."""
    assert set(complete("findings list --region us-")) >= {"us-east-1", "us-gov-west-1"}
    assert complete("check --region eu-west-") == ["eu-west-1", "eu-west-2", "eu-west-3"]
    assert complete("evaluate --region aws-") == []


def test_profiles_are_completed_by_their_names(
    complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both files of the AWS CLI, wherever they are. Sections of other kinds are no profiles."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "elsewhere"))
    assert complete("findings list --profile ") == []
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    (tmp_path / "elsewhere").write_text(CREDENTIALS)
    assert complete("findings list --profile ") == ["ci", "default", "jane", "on call"]
    assert complete("evaluate --profile j") == ["jane"]
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert complete("evaluate --profile ") == ["ci", "default"]


def test_the_id_of_a_finding_is_not_completed(complete: Complete) -> None:
    """It would take calls to AWS at each key."""
    assert complete("findings show ") == []


def parameters(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every option and argument of the program with the command that has it."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, (*path, name))
    for parameter in command.params:
        yield " ".join(path), parameter


COMPLETED = {
    "--rule": ("source-m", "source-missing"),
    "--exclude-rule": ("source-m", "source-missing"),
    "--region": ("eu-central-1", "eu-central-1"),
    "--profile": ("ja", "jane"),
    "--partition": ("aws-c", "aws-cn"),
}
"""The options whose values are known without AWS: the beginning of a value, and the value."""


def test_an_option_is_completed_in_every_command(
    complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new command has the same options as the others."""
    config = tmp_path / "config"
    config.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    checked = set()
    for command, parameter in parameters(typer.main.get_command(app)):
        for option in COMPLETED.keys() & set(parameter.opts):
            start, value = COMPLETED[option]
            checked.add(option)
            assert values(complete(f"{command} {option} {start}")) == [value], (command, option)
    assert checked >= {"--rule", "--region", "--profile", "--partition"}
