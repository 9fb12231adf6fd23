"""`permission-guard rules`: what is checked, and why."""

from __future__ import annotations

import json
import textwrap
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from permission_guard.cli.rule_pages import page
from permission_guard.fixes import fix_for
from permission_guard.rules import RULES, Rule

WRONG_USAGE = 2

app = typer.Typer(help="What is checked, and why.", no_args_is_help=True)


class ListFormat(StrEnum):
    """How the list of rules is printed."""

    TABLE = "table"
    JSON = "json"


class PageFormat(StrEnum):
    """How a rule's page is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command("list")
def list_rules(
    format_: Annotated[ListFormat, typer.Option("--format", help="How to print the list.")] = ListFormat.TABLE,
) -> None:
    """List every rule with its severity and its fix."""
    if format_ is ListFormat.JSON:
        typer.echo(json.dumps([_document(rule) for rule in RULES], indent=2))
        return
    table = Table()
    for heading in ("id", "name", "severity", "fix", "what it asks for"):
        table.add_column(heading, overflow="fold")
    for rule in RULES:
        about = _document(rule)
        table.add_row(rule.id, rule.name, str(rule.severity), about["fix"] or "-", about["summary"])
    Console(highlight=False).print(table)


@app.command("show")
def show(
    rule: Annotated[str, typer.Argument(help="A rule's id or name, such as PG102 or source-missing.")],
    format_: Annotated[PageFormat, typer.Option("--format", help="How to print the page.")] = PageFormat.TEXT,
) -> None:
    """Print a rule's page: what it flags, why it matters, how to fix it, and where it ends."""
    found = next((one for one in RULES if rule.lower() in (one.id.lower(), one.name)), None)
    if found is None:
        known = ", ".join(one.id for one in RULES)
        typer.echo(f"There is no rule {rule!r}; there are {known}.", err=True)
        raise typer.Exit(WRONG_USAGE)
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
