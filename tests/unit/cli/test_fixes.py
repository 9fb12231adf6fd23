"""`permission-guard fixes`: a decision is sent as it was typed, and the exit code says if it is recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.bootstrap import command_line
from permission_guard.cli.app import app
from permission_guard.errors import RequestRefusedError
from tests.fakes import FINDING_ID, FUNCTION_ARN

if TYPE_CHECKING:
    from permission_guard.fixes.decisions import DecisionRequest

DECIDE_FIX = "arn:aws:lambda:us-east-1:123456789012:function:decide-fix"
JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
OPTIONS = {"--function-arn": FUNCTION_ARN, "--revision": "2", "--plan": "0" * 64, "--decide-fix": DECIDE_FIX}


class Sender:
    """Stands for what sends a decision."""

    def __init__(self, error: Exception | None = None, by: str = JANE) -> None:
        self.error, self.by = error, by
        self.sent: list[tuple[DecisionRequest, str, str | None]] = []

    def __call__(self, request: DecisionRequest, decide_fix_arn: str, profile: str | None = None) -> Any:
        if self.error:
            raise self.error
        self.sent.append((request, decide_fix_arn, profile))
        return {"recorded": True, "decision": request.kind, "decided_by": self.by}


def run(monkeypatch: pytest.MonkeyPatch, sender: Sender, *words: str, **changed: str) -> Any:
    """Run a command with the options of an alert."""
    monkeypatch.setattr(command_line, "send_decision", sender)
    options = OPTIONS | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return CliRunner().invoke(app, ["fixes", *words, *(word for pair in options.items() for word in pair)])


@pytest.mark.parametrize(("command", "done"), [("approve", "Approved"), ("reject", "Rejected")])
def test_a_decision_is_sent_as_it_was_typed(monkeypatch: pytest.MonkeyPatch, command: str, done: str) -> None:
    """Each has a nonce of its own."""
    sender = Sender()
    for _ in range(2):
        result = run(monkeypatch, sender, command, FINDING_ID)
        assert (result.exit_code, result.output) == (0, f"{done} by {JANE}.\n")
    (first, decide_fix, profile), (second, *_) = sender.sent
    assert (first.kind, first.finding_id, first.function_arn) == (command, FINDING_ID, FUNCTION_ARN)
    assert (first.revision, first.plan_hash, decide_fix, profile) == (2, "0" * 64, DECIDE_FIX, None)
    assert first.nonce != second.nonce


def test_the_answer_can_be_read_by_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--format json`, and a profile."""
    sender = Sender()
    result = run(monkeypatch, sender, "approve", FINDING_ID, "--format", "json", profile="platform")
    assert json.loads(result.output) == {"recorded": True, "decision": "approve", "decided_by": JANE}
    assert sender.sent[0][2] == "platform"


def test_a_decision_that_is_refused_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is on standard error."""
    result = run(monkeypatch, Sender(RequestRefusedError("the finding is resolved")), "approve", FINDING_ID)
    assert result.exit_code == 1
    assert "Not recorded: the finding is resolved" in result.stderr


@pytest.mark.parametrize(
    ("finding_id", "changed", "message"),
    [
        ("7", {}, "no valid `finding_id`"),
        (FINDING_ID, {"function_arn": "orders"}, "no valid `function_arn`"),
        (FINDING_ID, {"function_arn": "arn:aws:s3:::bucket"}, "not a Lambda function"),
        (FINDING_ID, {"plan": "abc"}, "no valid `plan_hash`"),
        (FINDING_ID, {"revision": "0"}, "--revision"),
        (FINDING_ID, {"decide_fix": "decide-fix"}, "--decide-fix is not a Lambda function ARN"),
        (
            FINDING_ID,
            {"decide_fix": DECIDE_FIX.replace("123456789012", "999999999999")},
            "not a function of the account",
        ),
        (FINDING_ID, {"decide_fix": DECIDE_FIX.replace("us-east-1", "us-west-2")}, "not a function of the account"),
        (FINDING_ID, {"decide_fix": f"{DECIDE_FIX}:live"}, "not a function of the account"),
    ],
)
def test_a_command_that_was_not_copied_whole_is_invalid_usage(
    monkeypatch: pytest.MonkeyPatch, finding_id: str, changed: dict[str, str], message: str
) -> None:
    """Nothing is sent."""
    sender = Sender()
    result = run(monkeypatch, sender, "approve", finding_id, **changed)
    assert result.exit_code == 2
    assert message in result.stderr
    assert sender.sent == []


def test_a_hostile_answer_does_not_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters are escaped."""
    result = run(monkeypatch, Sender(by="\x1b]0;owned\x07"), "approve", FINDING_ID)
    assert "\x1b" not in result.output
