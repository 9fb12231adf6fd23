"""A statement that is too broad is narrowed to its true source: the source still invokes, and no other one does."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.verdicts import Remedy
from tests.e2e.triggers import Bucket, Rule, Topic, Trigger, recording
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from tests.e2e.bot import Bot

BROAD = "broad"


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


def shell(bot: Bot, text: str) -> None:
    """Paste a text into bash."""
    path = os.pathsep.join([str(REPOSITORY / ".venv" / "bin"), os.environ["PATH"]])
    environment = {**bot.aws.env(), "PATH": path}
    done = subprocess.run(
        ["bash", "-c", text], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def is_open(finding: dict[str, Any]) -> bool:
    """Return whether a finding about the broad statement is open."""
    return (finding["status"], finding["subject"]) == ("open", f"statement/{BROAD}")


@pytest.mark.parametrize("kind", [Bucket, Topic, Rule])
def test_the_commands_narrow_a_statement_to_its_source(bot: Bot, unique: str, kind: type[Trigger]) -> None:
    """Before, another source invokes the function too. After the printed commands only the true one does."""
    target, true, other = (
        recording(bot.engineer, unique),
        kind(bot.aws, f"{unique}-true"),
        kind(bot.aws, f"{unique}-other"),
    )
    true.connect(target.arn)
    bot.wait_for_checks()
    bot.aws.end_environments()  # they have listed the sources before this one was connected
    target.permit(BROAD, {"Principal": kind.service})
    finding = bot.watcher.finding(target.arn, "PG102", is_open)
    other.connect(target.arn)
    assert [target.is_invoked_by(true), target.is_invoked_by(other)] == [True, True]

    (remedy,) = (Remedy(**one) for one in finding["remedies"] if one["kind"] == "aws-cli")
    assert not remedy.needs_decision, remedy.text
    shell(bot, remedy.text)
    assert [target.is_invoked_by(true), target.is_invoked_by(other)] == [True, False]
    bot.watcher.finding(target.arn, "PG102", lambda one: one["id"] == finding["id"] and one["status"] == "resolved")
