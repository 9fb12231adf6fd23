"""What the demo shows: calls, findings, alerts, tickets and fixes, as they happen."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sandbox.client.watcher import Finding

WIDTH = 112
_ALERT_LINES = 5
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


class Screen:
    """Writes to the terminal; colour only where there is one. Keeps all of it, for a picture."""

    def __init__(self) -> None:
        self._console = Console(record=True, width=WIDTH, highlight=False)

    def title(self, text: str, below: str) -> None:
        """Say what this is."""
        self._console.print(Panel(below, title=f"[bold]{text}[/]", border_style="blue"))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show a spinner, and then how long the step took."""
        began = time.monotonic()
        with self._console.status(f"{what} ..."):
            yield
        self._console.print(f"[green]✓[/] {what} [dim]({time.monotonic() - began:.1f} s)[/]")

    def step(self, number: int, title: str, story: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.print(Rule(f"[bold]{number}. {title}[/]", align="left"))
        self._console.print(f"[italic]{story}[/]")

    def called(self, command: str) -> None:
        """Show a call as the AWS CLI spells it."""
        self._console.print(Text(f"$ {command}", style="cyan"))

    def found(self, finding: Finding, seconds: float) -> None:
        """Show a finding, its reason, and how long after the call it came."""
        severity = finding["severity"]
        title = f"[{_COLOURS[severity]}]{severity.upper()}[/] {finding['rule_id']} {finding['rule_name']}"
        body = Group(
            Text(finding["title"], style="bold"),
            Text(finding["reason"]),
            Text(finding["impact"], style="dim"),
        )
        footer = f"found [bold]{seconds:.2f} s[/] after the call"
        self._console.print(Panel(body, title=title, title_align="left", subtitle=footer, border_style="red"))

    def clean(self, what: str, seconds: float) -> None:
        """Show that a check found no problem."""
        self._console.print(f"[green]✓[/] {what} [dim]({seconds:.2f} s after the call)[/]")

    def alert(self, notification: dict[str, Any]) -> None:
        """Show the beginning of an alert, as SNS sent it."""
        lines = [line for line in notification["Message"].splitlines() if line.strip()][:_ALERT_LINES]
        title = f"alert by SNS: {escape(notification['Subject'])}"
        body = Text("\n".join([*lines, "…"]))
        self._console.print(Panel(body, title=title, title_align="left", border_style="yellow"))

    def ops_item(self, item: dict[str, Any]) -> None:
        """Show the ticket's status."""
        colour = "green" if item["Status"] == "Resolved" else "yellow"
        self._console.print(
            f"[{colour}]●[/] OpsItem {item['OpsItemId']} is [bold]{item['Status']}[/]: {escape(item['Title'])}"
        )

    def fix(self, finding: Finding, before: Sequence[str], after: Sequence[str], seconds: float) -> None:
        """Show a fix: the change, the role's policies before and after, and how to undo it."""
        fix = finding["fix"]
        table = Table(title_justify="left", show_lines=False, expand=True)
        table.add_column("policies before")
        table.add_column("policies after")
        table.add_row(*("\n".join(arn.rpartition("/")[2] for arn in policies) for policies in (before, after)))
        body = Group(
            Text(f"{fix['result']}: {fix['summary']}", style="bold"), table, Text(f"undo: {fix['undo']}", style="dim")
        )
        footer = f"[bold]{seconds:.2f} s[/] after the call"
        self._console.print(Panel(body, title="fix", title_align="left", subtitle=footer, border_style="green"))

    def refused(self, finding: Finding) -> None:
        """Show a fix that the bot would not make."""
        body = Text(finding["fix"]["summary"])
        self._console.print(Panel(body, title="fix refused", title_align="left", border_style="magenta"))

    def summary(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Show what happened in the end."""
        self._console.print()
        table = Table(title="What happened", title_justify="left", expand=True)
        for heading in ("change", "answer", "call to finding"):
            table.add_column(heading, justify="right" if heading == "call to finding" else "left")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text)

    def copyable(self, line: str) -> None:
        """Print a line to copy into a shell: neither wrapped nor read as markup."""
        self._console.print(Text(line), soft_wrap=True)

    def failed(self, what: str, details: str) -> None:
        """Show which step failed, and the bot's last errors."""
        body = Group(Text(what, style="bold"), Text(details, style="dim"))
        self._console.print(Panel(body, title="This step failed", border_style="red"))

    def save_picture(self, path: Path) -> None:
        """Write everything that was shown as an SVG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._console.save_svg(str(path), title="make demo", clear=False)
