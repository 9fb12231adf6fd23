"""`make demo` shows the whole story, or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from sandbox.client import watcher
from sandbox.demo import __main__ as demo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    import typer


def program() -> typer.Typer:
    """The demo as a command."""
    import typer  # noqa: PLC0415 - only this needs it

    app = typer.Typer()
    app.command()(demo.main)
    return app


def test_the_demo_shows_every_step_and_ends_well(tmp_path: Path) -> None:
    """What was called, found, alerted, ticketed, fixed and rejected is on the screen, and the exit code is 0."""
    picture = tmp_path / "demo.svg"
    shown = CliRunner().invoke(program(), ["--picture", str(picture)])
    assert shown.exit_code == 0, shown.output
    expected = (
        "aws lambda add-permission --function-name thumbnails",
        "HIGH PG102 source-missing",
        "alert by SNS",
        "is Open: PG102",
        "is Resolved: PG102",
        "Checked: no findings",
        "HIGH PG201 event-source-read-missing",
        "1 s here, 2 minutes by default",
        "policy attached again, resolved",
        "AWSLambdaSQSQueueExecutionRole",
        "fix refused",
        "What happened",
    )
    assert [text for text in expected if text not in shown.output] == []
    assert picture.read_text().startswith("<svg")


def test_the_demo_fails_when_a_step_does_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    """When fixes are off, the demo names the missing step and exits with 1."""
    monkeypatch.setitem(demo._PARAMETERS, "FixMode", "off")
    wait_for = watcher.Watcher.finding

    def finding(watching: watcher.Watcher, *asked: Any, what: str = "") -> watcher.Finding:
        # Only what never happens is waited for briefly: a first invocation may take seconds on a busy machine.
        return wait_for(watching, *asked, what=what, deadline=3.0 if what == "fixed" else watcher.DEADLINE)

    monkeypatch.setattr(watcher.Watcher, "finding", finding)
    shown = CliRunner().invoke(program(), [])
    assert shown.exit_code == 1
    assert "This step failed" in shown.output
    assert "PG201" in shown.output
    assert "fixed" in shown.output
