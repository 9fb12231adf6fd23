"""All commands of `permission-guard`.

Exit codes, the first that applies: 1 findings or a denied action, 2 invalid usage or a named file that is not valid,
3 something is unknown or was not read, 0 no problem.
"""

from __future__ import annotations

from typing import Annotated

import typer

from permission_guard import __version__
from permission_guard.cli import config, findings, fixes, notify, rules
from permission_guard.cli.check import check
from permission_guard.cli.config_push import push
from permission_guard.cli.evaluate import evaluate
from permission_guard.cli.explain import explain
from permission_guard.cli.fix_list import list_fixes, show_fix
from permission_guard.cli.fix_stop import resume_fixing, show_status, stop_fixing
from permission_guard.cli.fix_undo import undo_fix
from permission_guard.cli.notify_preview import preview_message
from permission_guard.cli.scan import scan

app = typer.Typer(
    name="permission-guard",
    help="Check who may invoke your Lambda functions, and what their execution roles allow.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # a local variable can contain a secret
)
app.command()(scan)
app.command()(check)
app.command()(evaluate)
app.command()(explain)
app.add_typer(rules.app, name="rules")
app.add_typer(findings.app, name="findings")
fixes.app.command("list")(list_fixes)
fixes.app.command("show")(show_fix)
fixes.app.command("undo")(undo_fix)
fixes.app.command("stop")(stop_fixing)
fixes.app.command("resume")(resume_fixing)
fixes.app.command("status")(show_status)
app.add_typer(fixes.app, name="fixes")
config.app.command()(push)
app.add_typer(config.app, name="config")
notify.app.command("preview")(preview_message)
app.add_typer(notify.app, name="notify")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"permission-guard {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Check who may invoke your Lambda functions, and what their execution roles allow."""
