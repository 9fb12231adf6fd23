"""The command line `permission-guard`. It needs Typer and Rich, which are not in the Lambda layer."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from permission_guard.cli.app import app  # noqa: PLC0415 - a missing package is reported below
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The command line needs Typer and Rich: pip install 'permission-guard[cli]'")
    app()
