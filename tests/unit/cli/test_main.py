"""The program starts, or names the missing packages."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from permission_guard.cli import main


def test_the_program_runs_its_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The installed script calls the same function."""
    monkeypatch.setattr(sys, "argv", ["permission-guard", "--version"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("permission-guard ")


def test_without_typer_the_message_names_the_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lambda layer has neither Typer nor Rich, and neither has the package without its extra."""
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("permission_guard.cli.app"):
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit, match=r"pip install 'permission-guard\[cli\]'"):
        main()


def test_another_missing_module_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is not reported as a missing extra."""
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("permission_guard.cli.app"):
            raise ModuleNotFoundError("No module named 'boto3'", name="boto3")
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="boto3"):
        main()
