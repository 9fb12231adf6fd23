"""A person who decides about fixes with the commands, and what the tests wait for meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from permission_guard.cli.app import app
from sandbox.client.process import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.watcher import Finding
    from tests.e2e.bot import Bot


class Person:
    """A person with a role of this name, which may read findings and decide. `arn` is what a decision records."""

    def __init__(self, bot: Bot, name: str) -> None:
        self._variables = bot.deciding_person(name)
        self.arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test"

    def run(self, *words: str) -> None:
        """Run a command of `permission-guard`."""
        done = CliRunner().invoke(app, words, env=self._variables)
        assert done.exit_code == 0, done.output

    def approve(self, proposed: Finding) -> None:
        """Run the command that a proposal names."""
        program, *words = proposed["fix"]["approve"].split()
        assert program == "permission-guard"
        self.run(*words)

    def undo(self, finding: Finding) -> None:
        """Request the undo of a finding's fix."""
        self.run("fixes", "undo", finding["id"], "--yes", "--reason", "Tried")


def has_fix(result: str) -> Callable[[Finding], bool]:
    """Return a condition: the finding's fix has this result."""
    return lambda finding: bool(finding["fix"] and finding["fix"]["result"] == result)
