"""Print what became of a test at each alert channel and ticket system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from permission_guard.reports.findings import counted, new_console
from permission_guard.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.destinations import Destination, DestinationResult

_NO_ROUTE: Final = "none: no route names it"


def print_results(results: Sequence[DestinationResult]) -> None:
    """Print results as a table with a summary. What vendors answered is shown literally."""
    console = new_console()
    table = Table()
    for heading in ("destination", "type", "routes", "result"):
        table.add_column(heading, overflow="fold")
    for one in results:
        where = one.destination
        style = "" if one.is_done else "bold red"
        cells = (where.name, f"{where.kind}, {where.type}", routes_of(where))
        table.add_row(*map(plain, cells), plain(result_of(one), style))
    console.print(table)
    failed = sum(not one.is_done for one in results)
    of = f"of {counted(len(results), 'destination')}"
    summary = f"{failed} {of} failed." if failed else "All destinations accepted the test."
    console.print(plain(summary), soft_wrap=True)


def routes_of(destination: Destination) -> str:
    """Return which routes lead to a destination."""
    if destination.type in ("function", "configuration"):
        return ""
    return ", ".join((*(("default",) if destination.is_default else ()), *destination.routes)) or _NO_ROUTE


def result_of(result: DestinationResult) -> str:
    """Return what became of a test: the outcome, the reference, and why it failed."""
    reference = f" ({result.reference})" if result.reference else ""
    return f"{result.outcome}{reference}: {result.reason}" if result.reason else f"{result.outcome}{reference}"
