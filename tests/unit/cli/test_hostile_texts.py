"""Names in templates and policies are chosen by others: none of them can write to the terminal what it likes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app
from permission_guard.reports.terminal import literal

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
HOSTILE = {
    "clear the screen": "\x1b[2J\x1b[H0 findings",
    "title of the window": "\x1b]0;owned\x07",
    "link": "\x1b]8;;https://example.com\x1b\\click\x1b]8;;\x1b\\",
    "eight-bit control": "\x9b2J",
    "overwrite the line": "Broad\r\x1b[K0 findings",
    "backspaces": "Broad\b\b\b\b\bfine",
    "right to left": "\u202egnp.exe",
    "isolate": "\u2066abc\u2069",
    "invisible": "a\u200bb\u2060c\ufeff",
    "tag characters": "a\U000e0041",
    "null": "a\x00b",
}
MARKUP = "[red]Broad[/red] [link=https://example.com]x[/link] [/]"


def is_plain(text: str) -> bool:
    """Return whether a text has no control, format or private-use character but line breaks."""
    return all(char.isprintable() or char == "\n" for char in text)


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code of a command, and all that it prints."""
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "160"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def check(tmp_path: Path, *statements: Any) -> str:
    """Check a policy and return all output."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return run("check", str(file))[1]


def statement(**changed: Any) -> dict[str, Any]:
    """Return a statement that several rules flag."""
    return {
        "Sid": "Broad",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        **changed,
    }


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["sid", "condition key", "condition value", "principal", "action", "resource"])
def test_a_text_in_a_policy_is_shown_and_does_not_act(tmp_path: Path, text: str, place: str) -> None:
    """The finding is there, and the text is visible as escapes."""
    places: dict[str, dict[str, Any]] = {
        "sid": {"Sid": text},
        "condition key": {"Condition": {"StringLike": {text: "x"}}},
        "condition value": {"Condition": {"StringLike": {"aws:SourceArn": f"arn:aws:sns:*:*:{text}"}}},
        "principal": {"Principal": {"AWS": f"arn:aws:iam::111122223333:role/{text}"}},
        "action": {"Action": ["lambda:*", f"lambda:{text}"], "Principal": "*"},
        "resource": {"Resource": f"{ARN}{text}"},
    }
    shown = check(tmp_path, statement(), statement(**places[place]))
    assert "PG102" in shown
    assert is_plain(shown)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_logical_id_and_a_name_in_a_template_do_not_act(tmp_path: Path, text: str) -> None:
    """Templates come from pull requests."""
    function = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": text, "Role": f"arn:{text}"}}
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": text},
            "Action": "lambda:InvokeFunction",
            "Principal": "sns.amazonaws.com",
        },
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": {text: function, f"{text}2": permission}}))
    assert is_plain(run("check", str(file))[1])


def test_an_error_message_does_not_act(tmp_path: Path) -> None:
    """It quotes the file."""
    file = tmp_path / "template.yaml"
    file.write_bytes(b"Resources: \x1b[2J\n  - \x9b: [")
    code, shown = run("check", str(file))
    assert code == 2
    assert is_plain(shown)
    assert is_plain(run("check", "--rule", "\x1b[2J", str(file))[1])


def test_markup_is_shown_as_text(tmp_path: Path) -> None:
    """Square brackets are a part of the name, and are not dropped."""
    shown = check(tmp_path, statement(Sid=MARKUP))
    assert "[red]" in shown
    assert "[link=" in shown


def test_an_evaluated_name_does_not_act(tmp_path: Path) -> None:
    """`evaluate` shows the Sid of the statement that decides."""
    file = tmp_path / "role.json"
    allow = {"Sid": "\x1b[2J", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    role = "arn:aws:iam::123456789012:role/orders"
    resource = "arn:aws:sqs:us-east-1:123456789012:q"
    options = ("--action", "sqs:ReceiveMessage", "--resource", resource, "--policies", str(file))
    code, shown = run("evaluate", "--role", role, *options)
    assert code == 0
    assert is_plain(shown)


def test_what_is_escaped_stays_readable() -> None:
    """Letters of every script are shown as they are."""
    assert literal("Bestellungen ä 注文 🎉") == "Bestellungen ä 注文 🎉"
    assert literal("a\x1bb\u202ec") == "a\\u001bb\\u202ec"
