"""`permission-guard config` writes, validates and shows the configuration document."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from permission_guard.cli.app import app
from permission_guard.cli.starting_file import starting_file
from permission_guard.config.document import GuardConfig
from permission_guard.config.keys import GUARD
from permission_guard.config.read import config_of, read_config
from permission_guard.fixes import fix_for
from permission_guard.offline.configuration_file import compose_yaml
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
DOCUMENT = f"""\
rules:
  PG107: {{severity: critical}}
  role-shared: {{enabled: false}}
exceptions:
  - id: public-shop
    rules: [PG107]
    functions: [shop]
    tags: {{team: shop}}
    reason: The shop is [red]public[/red].
    owner: team-shop
    expires: {TOMORROW}
exclusions:
  - functions: [tmp-*]
    reason: They are deleted every night.
"""


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Run the command and return its exit code, its output and its errors."""
    done = CliRunner().invoke(app, ["config", *arguments], input=stdin, env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder of its own: the default file is guard.yaml there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_help_says_what_the_commands_do() -> None:
    """And where the account and the region come from that no option names."""
    overview = run("--help")[1]
    assert "Write, validate, show and deploy the configuration document" in overview
    assert run("push", "--help")[1].count("[default: (environment)]") == 2
    assert "2 mistakes or a file that cannot be read" in run("show", "--help")[1]


def test_a_starting_file_is_written_and_is_valid(tmp_path: Path) -> None:
    """It is the default configuration."""
    assert run("init") == (0, "Wrote guard.yaml. Check it with: permission-guard config validate guard.yaml\n", "")
    assert run("validate") == (0, "guard.yaml is valid: 0 exceptions, 0 exclusions, 0 changed rules.\n", "")
    text = (tmp_path / "guard.yaml").read_text()
    assert config_of(compose_yaml(text), now=datetime.now(UTC), rejects_expired=True) == GuardConfig()
    assert all(f"\n{key.name}:" in text for key in GUARD.keys)


def test_a_starting_file_is_printed_for_a_dash(tmp_path: Path) -> None:
    """As `validate` reads standard input for one."""
    code, output, errors = run("init", "-")
    assert (code, errors, list(tmp_path.iterdir())) == (0, "", [])
    assert run("validate", "-", stdin=output) == (0, "- is valid: 0 exceptions, 0 exclusions, 0 changed rules.\n", "")


@pytest.mark.parametrize(
    "now", [datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
)
def test_the_examples_of_the_starting_file_are_valid(now: datetime) -> None:
    """Without the comment sign, and without the empty value above them."""
    keys = "rules|exceptions|exclusions|channels|owners|routes"
    text = re.sub(rf"^({keys}): .*\n", "", starting_file(now), flags=re.MULTILINE)
    text = re.sub(rf"^# ((?:{keys}):$|  .*$)", r"\1", text, flags=re.MULTILINE)
    config = config_of(compose_yaml(text), now=now, rejects_expired=True)
    assert (len(config.rules), len(config.exceptions), len(config.exclusions)) == (3, 1, 1)
    assert (len(config.channels), len(config.owners), len(config.routes)) == (1, 1, 1)


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    """Unless it is to be replaced."""
    (tmp_path / "guard.yaml").write_text("version: 1\n")
    code, _, errors = run("init")
    assert (code, errors) == (2, "guard.yaml exists. Choose another name, or replace it with --force.\n")
    assert (tmp_path / "guard.yaml").read_text() == "version: 1\n"
    assert run("init", "--force")[0] == 0
    assert (tmp_path / "guard.yaml").read_text() != "version: 1\n"
    assert run("init", "absent/guard.yaml")[::2] == (
        2,
        "absent/guard.yaml cannot be written: No such file or directory\n",
    )


def test_every_mistake_is_a_line_as_compilers_print_it(tmp_path: Path) -> None:
    """Editors find the place; control characters of the file are escaped."""
    (tmp_path / "my.yaml").write_text('versin: 1\nbaseline: "\\e[2J"\n')
    code, output, errors = run("validate", "my.yaml")
    assert (code, output) == (2, "")
    assert errors.splitlines() == [
        'my.yaml:1:1: versin: there is no key "versin" here. Did you mean version?',
        'my.yaml:2:11: baseline: the text "\\u001b[2J" is not one of digest, alert-each. Write one of them.',
    ]


def test_a_file_that_cannot_be_read_is_a_mistake_without_a_place() -> None:
    """By either command that reads one."""
    for command in ("validate", "show"):
        assert run(command, "absent.yaml")[::2] == (
            2,
            "absent.yaml: the file cannot be read: No such file or directory.\n",
        )


def test_mistakes_are_json_for_programs() -> None:
    """With line and column as numbers. - is standard input."""
    code, output, _ = run("validate", "-", "--format", "json", stdin="versin: 1\n")
    assert code == 2
    assert json.loads(output) == {
        "valid": False,
        "problems": [
            {
                "file": "-",
                "path": "versin",
                "message": 'there is no key "versin" here. Did you mean version?',
                "line": 1,
                "column": 1,
            }
        ],
        "warnings": [],
    }
    valid = {"valid": True, "problems": [], "warnings": []}
    assert json.loads(run("validate", "-", "--format", "json", stdin="{}")[1]) == valid


def test_the_effective_configuration_has_every_default_and_every_rule() -> None:
    """A severity that the document does not set is the rule's."""
    code, output, _ = run("show", "-", "--format", "json", stdin=DOCUMENT)
    document = json.loads(output)
    assert code == 0
    assert document["grace_period_seconds"] == 120
    assert document["rules"].keys() == {rule.id for rule in RULES}
    assert document["rules"]["PG107"] == {
        "name": "public-function-url",
        "enabled": True,
        "severity": "critical",
        "severity_set": True,
        "fix_mode": "approve",
    }
    assert document["rules"]["PG209"] == {
        "name": "role-shared",
        "enabled": False,
        "severity": "low",
        "severity_set": False,
        "fix_mode": None,
    }
    assert document["rules"]["PG201"]["fix_mode"] == "auto"
    assert document["exceptions"][0]["expires"] == f"{TOMORROW}T00:00:00Z"
    assert yaml.safe_load(run("show", "-", "--format", "yaml", stdin=DOCUMENT)[1]) == document
    assert read_config(json.dumps({**document, "rules": {}}), now=datetime.now(UTC)).exclusions


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_the_effective_configuration_is_for_reading_as_its_help_says(format_: str) -> None:
    """It is no document: it has what only the rules have."""
    shown = run("show", "-", "--format", format_, stdin=DOCUMENT)[1]
    code, _, errors = run("validate", "-", stdin=shown)
    assert (code, 'there is no key "severity_set"' in errors) == (2, True)
    assert "`config push` refuse it" in run("show", "--help")[1]


MODES = "rules:\n  PG201:\n    fix: auto\n  PG106:\n    fix: off\n"
WARNINGS = [
    "rules.PG106.fix has no effect: the bot has no fix for PG106.",
    "rules.PG201.fix is auto, but the stack's FixMode is plan, and applies. A deployment can change it.",
]


def test_a_mode_of_fixes_without_an_effect_is_a_warning() -> None:
    """The document is valid. The ceiling is known only if it is given."""
    code, _, errors = run("validate", "-", "--fix-mode", "plan", stdin=MODES)
    assert (code, errors.splitlines()) == (0, [f"Warning: {warning}" for warning in WARNINGS])
    assert run("validate", "-", stdin=MODES)[2].splitlines() == [f"Warning: {WARNINGS[0]}"]
    _, output, _ = run("validate", "-", "--fix-mode", "plan", "--format", "json", stdin=MODES)
    assert json.loads(output) == {"valid": True, "problems": [], "warnings": WARNINGS}


@pytest.mark.parametrize(
    ("ceiling", "document", "mode"),
    [
        ("plan", MODES, "plan"),
        ("auto", MODES, "auto"),
        ("approve", "{}", "approve"),
        ("auto", "fixes: {mode: plan}", "plan"),
        ("auto", "fixes: {mode: plan}\nrules: {event-source-read-missing: {fix: approve}}", "approve"),
    ],
)
def test_the_effective_modes_are_shown_under_a_ceiling(ceiling: str, document: str, mode: str) -> None:
    """In every format."""
    shown = json.loads(run("show", "-", "--fix-mode", ceiling, "--format", "json", stdin=document)[1])
    assert shown["rules"]["PG201"]["fix_mode"] == mode
    table = run("show", "-", "--fix-mode", ceiling, stdin=document)[1]
    (row,) = [line for line in table.splitlines() if line.startswith("│ PG201")]
    assert row.split("│")[5].strip() == mode


@pytest.mark.parametrize(
    ("ceiling", "document", "mode"),
    [
        ("auto", "{}", "approve"),
        ("auto", "fixes: {mode: auto}", "approve"),
        ("auto", "rules: {RULE: {fix: auto}}", "auto"),
        ("approve", "rules: {RULE: {fix: auto}}", "approve"),
        ("plan", "{}", "plan"),
        ("auto", "rules: {RULE: {fix: off}}", "off"),
    ],
)
def test_a_fix_that_is_not_safe_is_automatic_only_for_a_rule_that_is_set_to_auto(
    ceiling: str, document: str, mode: str
) -> None:
    """Otherwise somebody has to approve it, in the mode `auto` too: so says `config show`, for each of these rules."""
    unsafe = [rule.id for rule in RULES if (fix := fix_for(rule.id)) and not fix.is_safe]
    assert unsafe == ["PG101", "PG107", "PG109", "PG110", "PG111", "PG112", "PG113"]
    for rule_id in unsafe:
        given = document.replace("RULE", rule_id)
        shown = json.loads(run("show", "-", "--fix-mode", ceiling, "--format", "json", stdin=given)[1])
        assert shown["rules"][rule_id]["fix_mode"] == mode


def test_a_mode_of_fixes_is_one_of_four() -> None:
    """In YAML, `off` is a text here."""
    code, _, errors = run("validate", "-", stdin="rules: {PG201: {fix: aprove}}\nfixes: {mode: never}\n")
    assert code == 2
    assert '"aprove" is not one of off, plan, approve, auto. Did you mean approve?' in errors
    assert 'fixes.mode: the text "never" is not one of off, plan, approve, auto.' in errors
    assert run("validate", "-", stdin="rules: {PG201: {fix: off}}")[0] == 0


def test_the_tables_show_what_is_set() -> None:
    """Text of the document is printed as it is written."""
    code, output, _ = run("show", "-", stdin=DOCUMENT)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]
    assert code == 0
    assert ["grace_period_seconds", "120"] in rows
    assert ["PG107", "public-function-url", "yes", "critical (set here)", "approve"] in rows
    assert ["PG209", "role-shared", "no", "low", "-"] in rows
    assert ["PG201", "event-source-read-missing", "yes", "high", "as FixMode"] in rows
    assert [
        "public-shop",
        "PG107",
        "functions: shop; tags: team=shop",
        f"{TOMORROW} 00:00 UTC",
        "team-shop",
        "The shop is [red]public[/red].",
    ] in rows
    assert ["functions: tmp-*", "They are deleted every night."] in rows


def test_the_tables_of_the_default_configuration_are_the_settings_and_the_rules() -> None:
    """Without exceptions there is no table of them."""
    code, output, _ = run("show", "-", stdin="{}")
    assert code == 0
    assert "all rules" in output
    assert "exception" not in output
    assert "excluded" not in output


def test_without_pyyaml_the_message_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other commands run without it."""
    monkeypatch.setitem(sys.modules, "permission_guard.offline.configuration_file", None)
    assert run("validate", "-", stdin="{}")[::2] == (
        2,
        "-: reading it needs PyYAML. Install it: pip install 'permission-guard[cli]'\n",
    )


def test_an_expired_exception_is_shown_as_such_and_is_not_valid() -> None:
    """It suppresses nothing any more."""
    expired = DOCUMENT.replace(TOMORROW, "2026-01-01")
    code, output, _ = run("show", "-", stdin=expired)
    assert code == 0
    assert "2026-01-01 00:00 UTC (expired)" in output
    code, _, errors = run("validate", "-", stdin=expired)
    assert code == 2
    assert '"2026-01-01" is in the past' in errors


@pytest.mark.parametrize(
    "document",
    [
        "grace_period_seconds: 7",
        "alerts: {min_severity: high}",
        "alerts: {limit: {messages: 7}}",
        "alerts: {limit: {minutes: 7}}",
        "alerts: {digest: daily}",
        "alerts: {digest_hour: 9}",
        "tickets: {min_severity: high}",
        "tickets: {limit: {tickets: 7}}",
        "tickets: {limit: {hours: 7}}",
        "fixes: {mode: plan}",
        "fixes: {policies: own}",
        "fixes: {simulate: true}",
        "fixes: {enable_mappings: true}",
        "fixes: {no_external_sources: [orders]}",
        "fixes: {watch_hours: 7}",
        "baseline: alert-each",
    ],
)
def test_show_has_every_setting(tmp_path: Path, document: str) -> None:
    """Whoever changes one sees the change."""
    (tmp_path / "guard.yaml").write_text("version: 1\n")
    before = run("show")
    (tmp_path / "guard.yaml").write_text(document)
    after = run("show")
    assert (before[0], after[0]) == (0, 0)
    assert before[1] != after[1]


def test_the_starting_file_explains_the_keys_of_limits() -> None:
    """Each on a line of its own."""
    text = starting_file(datetime(2026, 11, 29, 12, tzinfo=UTC))
    assert "    # In how many minutes.\n    minutes: 10\n" in text
    assert "    hours: 24\n" in text
