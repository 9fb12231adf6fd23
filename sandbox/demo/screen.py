"""Print the calls, findings, alerts, OpsItems and fixes of the demo, and record an excerpt for the picture."""

from __future__ import annotations

import time
from contextlib import contextmanager
from io import StringIO
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

    from rich.console import RenderableType

    from sandbox.client.watcher import Finding

WIDTH = 112
PICTURE_WIDTH = 100
_ALERT_LINES = 5
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


class Screen:
    """Print to the terminal, in colour if it is one. Inside `in_picture`, also record a short form for the picture."""

    def __init__(self) -> None:
        self._console = Console(width=WIDTH, highlight=False)
        self._picture = Console(record=True, file=StringIO(), width=PICTURE_WIDTH, highlight=False)
        self._is_recording = False

    @contextmanager
    def in_picture(self) -> Iterator[None]:
        """Record for the picture what is printed inside the `with` block."""
        self._is_recording = True
        try:
            yield
        finally:
            self._is_recording = False

    def _print(self, *lines: RenderableType, short: RenderableType | None = None) -> None:
        for line in lines:
            self._console.print(line)
        if self._is_recording:
            for line in lines if short is None else (short,):
                self._picture.print(line)

    def title(self, text: str, below: str) -> None:
        """Print the title of the demo."""
        self._console.print(Panel(below, title=f"[bold]{text}[/]", border_style="blue"))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show a spinner, and then the duration of the step."""
        start = time.monotonic()
        with self._console.status(f"{what} ..."):
            yield
        self._print(f"[green]✓[/] {what} [dim]({time.monotonic() - start:.1f} s)[/]")

    def step(self, number: int, title: str, story: str) -> None:
        """Print the heading of a part of the story."""
        numbered, short = (Rule(f"[bold]{text}[/]", align="left") for text in (f"{number}. {title}", title))
        self._print("")
        self._print(numbered, short=short)
        self._print(f"[italic]{story}[/]")

    def called(self, command: str) -> None:
        """Print a call as an AWS CLI command."""
        self._print(Text(f"$ {command}", style="cyan"))

    def found(self, finding: Finding, seconds: float) -> None:
        """Print a finding, its reason, and the seconds between the call and the finding."""
        severity = finding["severity"]
        title = f"[{_COLOURS[severity]}]{severity.upper()}[/] {finding['rule_id']} {finding['rule_name']}"
        lines = [Text(finding["title"], style="bold"), Text(finding["reason"])]
        impact = Text(finding["impact"], style="dim")
        footer = f"found [bold]{seconds:.2f} s[/] after the call"

        def panel(*parts: Text) -> Panel:
            return Panel(Group(*parts), title=title, title_align="left", subtitle=footer, border_style="red")

        self._print(panel(*lines, impact), short=panel(*lines))

    def clean(self, what: str, seconds: float) -> None:
        """Print that a check found no problem."""
        self._print(f"[green]✓[/] {what} [dim]({seconds:.2f} s after the call)[/]")

    def alert(self, notification: dict[str, Any]) -> None:
        """Print the beginning of an alert that SNS sent."""
        lines = [line for line in notification["Message"].splitlines() if line.strip()][:_ALERT_LINES]
        title = f"alert by SNS: {escape(notification['Subject'])}"
        body = Text("\n".join([*lines, "…"]))
        self._print(Panel(body, title=title, title_align="left", border_style="yellow"), short=f"[yellow]●[/] {title}")

    def ops_item(self, item: dict[str, Any]) -> None:
        """Print the status of an OpsItem."""
        colour = "green" if item["Status"] == "Resolved" else "yellow"
        self._print(f"[{colour}]●[/] OpsItem {item['OpsItemId']} is [bold]{item['Status']}[/]: {escape(item['Title'])}")

    def fix(self, finding: Finding, before: Sequence[str], after: Sequence[str], seconds: float) -> None:
        """Print a fix: the change, the role's policies before and after, and the command that undoes it."""
        fix = finding["fix"]
        table = Table(title_justify="left", show_lines=False, expand=True)
        table.add_column("policies before")
        table.add_column("policies after")
        table.add_row(*("\n".join(arn.rpartition("/")[2] for arn in policies) for policies in (before, after)))
        change, undo = (
            Text(f"{fix['result']}: {fix['summary']}", style="bold"),
            Text(f"undo: {fix['undo']}", style="dim"),
        )
        footer = f"[bold]{seconds:.2f} s[/] after the call"

        def panel(*parts: RenderableType) -> Panel:
            return Panel(Group(*parts), title="fix", title_align="left", subtitle=footer, border_style="green")

        self._print(panel(change, table, undo), short=panel(change, undo))

    def refused(self, finding: Finding) -> None:
        """Print a fix that the bot refused."""
        body = Text(finding["fix"]["summary"])
        self._print(Panel(body, title="fix refused", title_align="left", border_style="magenta"))

    def summary(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Print a table of the changes and the bot's reactions."""
        table = Table(title="What happened", title_justify="left", expand=True)
        for heading in ("change", "reaction", "call to reaction"):
            table.add_column(heading, justify="right" if heading == "call to reaction" else "left")
        for row in rows:
            table.add_row(*row)
        self._print("", table)

    def say(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    def copyable(self, line: str) -> None:
        """Print a line to copy into a shell, without wrapping and markup."""
        self._console.print(Text(line), soft_wrap=True)

    def failed(self, what: str, details: str) -> None:
        """Print the step that failed, and the bot's last errors."""
        body = Group(Text(what, style="bold"), Text(details, style="dim"))
        self._print(Panel(body, title="This step failed", border_style="red"))

    def save_picture(self, path: Path) -> None:
        """Write the recorded excerpt as an SVG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._picture.save_svg(str(path), title="make demo (excerpt)", clear=False)
