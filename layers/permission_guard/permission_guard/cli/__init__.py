"""The command line `permission-guard`. It needs Typer and Rich, which are not in the Lambda layer."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line."""
    try:
        from permission_guard.cli.app import app  # noqa: PLC0415 - a missing package is reported below
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The command line needs Typer and Rich: pip install permission-guard")
    for stream in (sys.stdout, sys.stderr):  # names of files and resources can have characters that a terminal has not
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
