"""The progress of a long command is shown on a terminal, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from permission_guard.cli.progress import counting

if TYPE_CHECKING:
    import pytest


def test_a_pipe_gets_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """It would be in the file."""
    with counting("findings read") as progress:
        progress(1_000)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_how_much_is_done(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, so that the output stays what was asked for."""
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setenv("TERM", "xterm-256color")
    with counting("findings read") as progress:
        progress(1_000)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "findings read" in captured.err
