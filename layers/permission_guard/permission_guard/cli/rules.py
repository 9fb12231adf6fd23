"""`permission-guard rules`: list the rules and print their pages."""

from __future__ import annotations

import json
import textwrap
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from permission_guard.cli.completion import complete_rule
from permission_guard.cli.rule_options import known_rules, rule_named
from permission_guard.cli.rule_pages import page
from permission_guard.fixes import fix_for
from permission_guard.offline.managed_policies import managed_policies
from permission_guard.reports.terminal import echo_error
from permission_guard.rules import RULES, Rule

INVALID_USAGE = 2

app = typer.Typer(help="List the rules, and print what each one flags and why.", no_args_is_help=True)


class ListFormat(StrEnum):
    """The output format of the list of rules."""

    TABLE = "table"
    JSON = "json"


class PageFormat(StrEnum):
    """The output format of a rule's page."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command("list")
def list_rules(
    format_: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = ListFormat.TABLE,
) -> None:
    """List every rule with its severity and its fix, and the AWS managed policies that `check` knows."""
    if format_ is ListFormat.JSON:
        typer.echo(json.dumps([_document(rule) for rule in RULES], indent=2))
        return
    table = Table()
    for heading in ("id", "name", "severity", "fix", "summary"):
        table.add_column(heading, overflow="fold")
    for rule in RULES:
        document = _document(rule)
        table.add_row(rule.id, rule.name, str(rule.severity), document["fix"] or "-", document["summary"])
    console = Console(highlight=False)
    console.print(table)
    known = managed_policies()
    console.print(f"check knows {len(known.policies):,} AWS managed policies, as of {known.date} ({known.source}).")


@app.command("show")
def show(
    rule: Annotated[
        str,
        typer.Argument(help="The id or name of a rule, such as PG102 or source-missing.", autocompletion=complete_rule),
    ],
    format_: Annotated[PageFormat, typer.Option("--format", help="The output format.")] = PageFormat.TEXT,
) -> None:
    """Print a rule's page: what it flags, why it matters, how to fix it, and its limits."""
    found = rule_named(rule)
    if found is None:
        echo_error(f"The rule {rule!r} does not exist. The rules are: {known_rules()}")
        raise typer.Exit(INVALID_USAGE)
    if format_ is PageFormat.JSON:
        typer.echo(json.dumps({**_document(found), "page": page(found)}, indent=2))
    elif format_ is PageFormat.MARKDOWN:
        typer.echo(page(found), nl=False)
    else:
        Console().print(Markdown(page(found)))


def _document(rule: type[Rule]) -> dict[str, Any]:
    fix = fix_for(rule.id)
    return {
        "id": rule.id,
        "name": rule.name,
        "severity": str(rule.severity),
        "scope": str(rule.direction),
        "summary": textwrap.dedent(rule.__doc__ or "").strip().split("\n", 1)[0],
        "reads": sorted(rule.reads),
        "fix": fix.name if fix else None,
    }
