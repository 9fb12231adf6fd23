"""`permission-guard notify`: show what is sent to people."""

from __future__ import annotations

import typer

app = typer.Typer(help="Show the messages that people get, and test where they go.", no_args_is_help=True)
