"""`permission-guard config push`: nothing is sent that is not valid, and the exit code says if it is in place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.bootstrap import command_line
from permission_guard.cli.app import app
from permission_guard.config.rollout import Rollout, RolloutState
from permission_guard.errors import ConfigurationError, ConflictError, DeliveryError

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYING = Rollout(state=RolloutState.DEPLOYING, percent=0, minutes=5)
WATCHED = Rollout(state=RolloutState.WATCHED, percent=100, minutes=5)
COMPLETE = Rollout(state=RolloutState.COMPLETE, percent=100, minutes=5)
ROLLING_BACK = Rollout(state=RolloutState.ROLLING_BACK, percent=100, minutes=5)
ROLLED_BACK = Rollout(state=RolloutState.ROLLED_BACK, reason="Rollback initiated by arn:alarm")
LOST = DeliveryError("the deployment could not be read: AWS could not be called")


class Sender:
    """Stands for what deploys a document; `steps` are the states of the deployment, one for each read."""

    region = "eu-west-1"
    fix_mode = "plan"

    def __init__(self, *steps: Rollout | Exception, error: Exception | None = None) -> None:
        self.steps, self.error = list(steps), error
        self.sent: list[Any] = []
        self.stack: tuple[Any, ...] = ()

    def __call__(self, stack_name: str, *, profile: str | None, region: str | None) -> Sender:
        self.stack = (stack_name, profile, region)
        return self

    def start(self, document: str) -> int:
        if self.error:
            raise self.error
        self.sent.append(json.loads(document))
        return 3

    def rollout(self, number: int) -> Rollout:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step


class Push:
    """Runs the command on a document."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self._monkeypatch = folder / "guard.yaml", monkeypatch
        self.path.write_text("grace_period_seconds: 60\nalerts:\n  min_severity: low\n")
        monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def __call__(self, sender: Sender, *options: str, answer: str | None = None) -> tuple[int, str]:
        """Return the exit code and the output."""
        self._monkeypatch.setattr(command_line, "ConfigurationSender", sender)
        done = CliRunner().invoke(app, ["config", "push", str(self.path), *options], input=answer)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output


@pytest.fixture
def push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Push:
    """Return what runs the command."""
    return Push(tmp_path, monkeypatch)


def test_a_document_is_pushed_as_json_and_followed_until_it_is_in_place(push: Push) -> None:
    """Each step is printed once."""
    sender = Sender(DEPLOYING, WATCHED, WATCHED, COMPLETE)
    code, output = push(sender, "--yes", "--stack-name", "guard", "--profile", "jane", "--region", "eu-west-1")
    assert code == 0
    assert sender.sent == [{"version": 1, "grace_period_seconds": 60}]
    assert sender.stack == ("guard", "jane", "eu-west-1")
    assert output.splitlines() == [
        "Deployment 3: 0 %.",
        "Deployment 3: in place, and rolled back if an alarm goes off within 5 minutes.",
        f"{push.path} is in place. Every function reads it within a minute.",
    ]


@pytest.mark.parametrize(("answer", "sent", "expected"), [("y\n", 1, 0), ("n\n", 0, 1), ("", 0, 1)])
def test_a_person_is_asked_first(push: Push, answer: str, sent: int, expected: int) -> None:
    """Without an answer nothing is deployed."""
    sender = Sender(COMPLETE)
    code, output = push(sender, answer=answer)
    assert (code, len(sender.sent)) == (expected, sent)
    assert f"Deploy {push.path} to the stack permission-guard in eu-west-1?" in output


def test_a_document_with_mistakes_is_not_sent(push: Push) -> None:
    """It is reported as `config validate` does."""
    push.path.write_text("grace_period_seconds: 60\nrulez: {}\n")
    sender = Sender(COMPLETE)
    code, output = push(sender, "--yes")
    assert (code, sender.sent, sender.stack) == (2, [], ())
    assert f"{push.path}:2:1: rulez: there is no key" in output


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--stack-name", "a b", "--stack-name requires the name of a stack, such as permission-guard; got 'a b'\n"),
        ("--region", "mars-1", "--region requires a region such as us-east-1; got 'mars-1'\n"),
    ],
)
def test_an_invalid_option_is_invalid_usage(push: Push, option: str, value: str, message: str) -> None:
    """As for `findings`: AWS is not called."""
    sender = Sender(COMPLETE)
    assert push(sender, "--yes", option, value) == (2, message)
    assert (sender.sent, sender.stack) == ([], ())


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("there is no stack permission-guard in eu-west-1: name it with --stack-name"),
        ConfigurationError("tickets: no ticket system is deployed."),
        ConflictError("another deployment is in progress"),
        LOST,
    ],
)
def test_what_is_not_deployed_says_why(push: Push, error: Exception) -> None:
    """A missing stack, the validator's reason, another deployment, or AWS that cannot be called."""
    assert push(Sender(COMPLETE, error=error), "--yes") == (1, f"Not deployed: {error}\n")


def test_a_rollback_is_a_failure_and_names_the_alarm(push: Push) -> None:
    """The document before is in use again."""
    code, output = push(Sender(WATCHED, ROLLING_BACK, ROLLED_BACK), "--yes")
    assert code == 1
    assert output.splitlines()[1:] == [
        "Deployment 3: rolling back.",
        "Rolled back: the stack uses the document before this one again. Rollback initiated by arn:alarm.",
    ]


def test_single_reads_that_fail_do_not_end_the_command(push: Push) -> None:
    """The deployment goes on in AWS."""
    assert push(Sender(LOST, LOST, WATCHED, LOST, COMPLETE), "--yes")[0] == 0


def test_a_deployment_that_cannot_be_followed_is_not_called_a_success(push: Push) -> None:
    """Ten reads in a row have failed."""
    code, output = push(Sender(LOST), "--yes")
    assert (code, output) == (1, f"Deployment 3 goes on, but cannot be followed: {LOST}\n")


def test_a_mode_above_that_of_the_stack_is_a_warning(push: Push) -> None:
    """The document is deployed: another stack may allow more."""
    push.path.write_text("rules: {PG201: {fix: auto}}\n")
    sender = Sender(COMPLETE)
    code, output = push(sender, "--yes")
    assert (code, sender.sent[0]["rules"]["PG201"]["fix"]) == (0, "auto")
    assert "Warning: rules.PG201.fix is auto, but the stack's FixMode is plan, and applies." in output
