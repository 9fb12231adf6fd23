"""`permission-guard notify preview` prints what would be sent, without an account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app
from permission_guard.delivery.previews import PREVIEWS
from permission_guard.offline.sample_findings import sample_finding

if TYPE_CHECKING:
    from pathlib import Path

GUARD = """
channels:
  payments:
    type: slack
    secret: "arn:aws:secretsmanager:us-east-1:123456789012:secret:slack-AbCdEf"
    channel: C0123ABCD
tickets:
  systems:
    shop: {type: jira, secret: "arn:aws:secretsmanager:us-east-1:123456789012:secret:jira-AbCdEf"}
routes:
  - {id: queues, rules: [PG201], channels: [payments], tickets: [shop]}
"""


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    """Run the command and return its exit code and what it prints."""
    done = CliRunner().invoke(app, ["notify", "preview", *arguments], input=stdin, env={"COLUMNS": "160"})
    return done.exit_code, done.output


@pytest.fixture
def guard(tmp_path: Path) -> str:
    """Return the path of a configuration with a route."""
    path = tmp_path / "guard.yaml"
    path.write_text(GUARD)
    return str(path)


def test_a_rule_is_previewed_as_the_mail_by_default() -> None:
    """By its id or its name; what no person reads is in the JSON alone."""
    code, output = run("PG201")
    assert code == 0
    assert output.startswith("Subject: [HIGH] Opened: orders cannot read its SQS queue\n")
    assert "How to fix it (AWS CLI):\naws iam attach-role-policy" in output
    assert "Document: see --format json" in output
    assert run("event-source-read-missing") == (code, output)


@pytest.mark.parametrize("channel", PREVIEWS)
def test_every_type_has_a_preview_in_both_formats(channel: str) -> None:
    """The JSON is all that is sent."""
    code, output = run("PG101", "--channel", channel)
    assert (code, "orders allows anyone to invoke it" in output) == (0, True)
    code, output = run("PG101", "--channel", channel, "--format", "json")
    document = json.loads(output)
    assert (code, document["channel"], document["type"]) == (0, channel, channel)
    assert document["content"]


def test_a_finding_in_a_file_is_previewed(tmp_path: Path) -> None:
    """As `findings show --format json` prints it; a dash is standard input."""
    text = json.dumps(sample_finding("PG207").to_document())
    file = tmp_path / "finding.json"
    file.write_text(text)
    code, output = run(str(file))
    assert (code, "Subject: [HIGH] Opened: The execution role of orders does not exist" in output) == (0, True)
    assert run("-", stdin=text) == (code, output)


def test_the_end_of_a_problem_has_no_severity() -> None:
    """Nobody has to act."""
    code, output = run("PG201", "--resolved")
    assert code == 0
    assert output.startswith("Subject: Resolved: orders cannot read its SQS queue\n")


def test_a_configuration_gives_names_and_says_where_the_finding_goes(guard: str) -> None:
    """A named channel has the type that the configuration gives it."""
    code, output = run("PG201", "--config", guard, "--channel", "payments")
    assert code == 0
    assert "Channels of this finding: the stack's own, payments\n" in output
    assert "Ticket systems of this finding: the stack's own, shop\n" in output
    assert '"type": "header"' in output
    _, other = run("PG101", "--config", guard, "--channel", "shop", "--format", "json")
    assert (json.loads(other)["type"], json.loads(other)["channels"]) == ("jira", ["the stack's own"])


def test_a_route_that_names_only_an_own_system_leaves_the_others_out(tmp_path: Path) -> None:
    """A stack refuses a route that names one that it does not have."""
    path = tmp_path / "guard.yaml"
    path.write_text("routes: [{id: low, rules: [PG201], tickets: [securityhub], channels: [slack], only: true}]")
    code, output = run("PG201", "--config", str(path))
    assert code == 0
    assert "Channels of this finding: slack\nTicket systems of this finding: securityhub\n" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("PG201", "--channel", "payments"), "There is no channel 'payments'. Types: sns, slack"),
        (("PG999",), "There is no rule and no file 'PG999'"),
        (("PG201", "--config", "missing.yaml"), "missing.yaml"),
    ],
)
def test_what_does_not_exist_is_named(arguments: tuple[str, ...], message: str) -> None:
    """With exit code 2."""
    code, output = run(*arguments)
    assert (code, message in output) == (2, True)


@pytest.mark.parametrize("content", ["[]", "{}", '{"id": 1}', "no: finding"])
def test_a_file_that_is_no_finding_is_refused(tmp_path: Path, content: str) -> None:
    """It says what it should be."""
    file = tmp_path / "other.json"
    file.write_text(content)
    code, output = run(str(file))
    assert (code, "is not a finding, as" in output) == (2, True)


def test_names_of_others_do_not_control_the_terminal(tmp_path: Path) -> None:
    """A title with an escape sequence is shown as text."""
    document = sample_finding("PG201").to_document() | {"title": "orders \x1b[2J", "reason": "a\u202eb"}
    file = tmp_path / "finding.json"
    file.write_text(json.dumps(document))
    for channel in PREVIEWS:
        _, output = run(str(file), "--channel", channel)
        assert "\x1b" not in output
        assert "\u202e" not in output
