"""The program starts, or names the missing packages."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def test_the_program_runs_its_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The installed script calls the same function."""
    monkeypatch.setattr(sys, "argv", ["permission-guard", "--version"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("permission-guard ")


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    """The results of all files would be lost by one character."""
    statement = {
        "Sid": "b\u00e4r",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:orders",
    }
    (tmp_path / "sn\u2603w.json").write_text(json.dumps(statement))
    (tmp_path / "\u00e9.yaml").write_text("a: [" + "[" * 200 + "# AWS::")
    done = subprocess.run(
        [sys.executable, "-c", "from permission_guard.cli import main; main()", "check", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert ".yaml: not read: nested too deeply" in done.stderr
    assert "PG102" in done.stdout
    assert "b\\xe4r" in done.stdout


def test_without_typer_the_message_names_the_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lambda layer has neither Typer nor Rich."""
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("permission_guard.cli.app"):
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit, match=r"pip install permission-guard$"):
        main()


def test_another_missing_module_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is not reported as a layer without Typer."""
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("permission_guard.cli.app"):
            raise ModuleNotFoundError("No module named 'boto3'", name="boto3")
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="boto3"):
        main()
