"""Run `permission-guard check` on files that a test writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Result:
    """The exit code and the JSON output of the command."""

    code: int
    document: dict[str, Any]

    @property
    def findings(self) -> list[tuple[str, str]]:
        """The rule and the subject of each finding."""
        return [(one["rule_id"], one["subject"].removeprefix("statement/")) for one in self.document["findings"]]

    @property
    def unknowns(self) -> list[tuple[str, str]]:
        """The rule and the reason of each unknown outcome."""
        return [(one["rule_id"], one["reason"]) for one in self.document["unknowns"]]


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    """Run the command and return its exit code and its output."""
    done = CliRunner().invoke(app, ["check", *arguments], input=stdin, env={"COLUMNS": "160"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Result]:
    """Check one file with the given content, an object or text."""

    def run_check(content: Any, *options: str) -> Result:
        file = tmp_path / "input"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        code, output = run(str(file), "--format", "json", *options)
        return Result(code, json.loads(output))

    return run_check
