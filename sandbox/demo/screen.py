"""Print the calls, findings, alerts, OpsItems and fixes of the demo, and record one part for the picture."""

from __future__ import annotations

import json
import re
import textwrap
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
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from sandbox.client.watcher import Finding

    Statement = Mapping[str, Any]

WIDTH = 100
PLAN_HASH = "Hash of the plan"
"""The title of the section that `permission-guard fixes show` has the hash in."""
_COMMAND_WIDTH = 88
_SHOWN_OF_ALERTS = ("Why it matters", "How to fix it (AWS CLI", "What is wrong")
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


class Screen:
    """Print to the terminal, in colour if it is one. What is inside `in_picture` also goes to the picture."""

    def __init__(self, picture: Path | None = None) -> None:
        self._console = Console(width=WIDTH, highlight=False)
        self._picture = picture

    @contextmanager
    def in_picture(self) -> Iterator[None]:
        """Write what is printed inside the `with` block to the picture, as an SVG."""
        self._console.record = self._picture is not None
        yield
        if self._picture:
            self._picture.parent.mkdir(parents=True, exist_ok=True)
            self._console.save_svg(str(self._picture), title="make demo, part 1 of 7")
        self._console.record = False

    def title(self, text: str, below: str) -> None:
        """Print the title of the demo."""
        self._print(Panel(below, title=f"[bold]{text}[/]", border_style="blue"))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show a spinner, and then the duration of the step."""
        start = time.monotonic()
        with self._console.status(f"{what} ..."):
            yield
        self._print(f"[green]✓[/] {what} [dim]({time.monotonic() - start:.1f} s)[/]")

    def step(self, number: int, title: str, story: str) -> None:
        """Print the heading of a part of the story."""
        self._print("", Rule(f"[bold]{number}. {title}[/]", align="left"), f"[italic]{story}[/]")

    def called(self, command: str) -> None:
        """Print a command as a person enters it."""
        self._print(Text("$ ", style="cyan") + _wrapped(command))

    def found(self, finding: Finding, seconds: float) -> None:
        """Print a finding, and the seconds between the call and the finding."""
        severity = f"[{_COLOURS[finding['severity']]}]● {finding['severity'].upper()}[/]"
        title = f"[bold]{escape(finding['title'])}[/]"
        self._print(f"{severity} {finding['rule_id']} {finding['rule_name']}: {title} [dim](after {seconds:.2f} s)[/]")

    def clean(self, what: str, seconds: float) -> None:
        """Print that a check found no problem."""
        self._print(f"[green]✓[/] {what} [dim](after {seconds:.2f} s)[/]")

    def alert(self, notification: dict[str, Any]) -> None:
        """Print what an alert that SNS sent says about the problem, the impact and the fix."""
        document = json.loads(notification["Message"])
        first = document["facts"][0]
        parts = [Text(document["happened"]), Text(f"{first['label']}: {first['text']}")]
        for section in (*document["sections"], *document["evidence"]):
            if section["title"].startswith(_SHOWN_OF_ALERTS):
                lines = section["text"].splitlines()
                parts += [Text(f"\n{section['title']}:", style="bold"), *map(_wrapped, lines)]
        title = f"alert by SNS: {escape(notification['Subject'])}"
        self._print(Panel(Group(*parts), title=title, title_align="left", subtitle="excerpt", border_style="yellow"))

    def ops_item(self, item: dict[str, Any]) -> None:
        """Print the status of an OpsItem."""
        colour = "green" if item["Status"] == "Resolved" else "yellow"
        self._print(f"[{colour}]●[/] OpsItem {item['OpsItemId']} is [bold]{item['Status']}[/]: {escape(item['Title'])}")

    def fix(self, finding: Finding, before: Sequence[str], after: Sequence[str], seconds: float) -> None:
        """Print a fix of a role: the change, the policies before and after, and the command that undoes it."""
        names = ("\n".join(arn.rpartition("/")[2] for arn in policies) for policies in (before, after))
        undo = Text("undo: ") + _wrapped(finding["fix"]["undo"])
        self._fix(finding, "policies", *names, undo, seconds=seconds)

    def refused(self, finding: Finding) -> None:
        """Print a fix that the bot refused."""
        body = Text(finding["fix"]["summary"])
        self._print(Panel(body, title="fix refused", title_align="left", border_style="magenta"))

    def proposed(self, finding: Finding) -> None:
        """Print a fix that waits for an approval, and the command that approves it."""
        fix = finding["fix"]
        body = Group(Text(fix["summary"]), Text("\napprove:", style="bold"), _wrapped(fix["approve"]))
        self._print(Panel(body, title="fix proposed", title_align="left", border_style="yellow"))

    def plan(self, output: str) -> None:
        """Print what `permission-guard fixes show` says of a plan that waits: what it does, and what is certain."""
        change = Text(section(output, "Fix narrow-statement"))
        parts = [
            part
            for title in ("What is certain about the plan", PLAN_HASH)
            for part in (Text(f"\n{title}", style="bold"), Text(section(output, title)))
        ]
        body = Group(change, *parts)
        self._print(Panel(body, title="fix proposed", title_align="left", subtitle="excerpt", border_style="yellow"))

    def policy(self, finding: Finding, before: Sequence[Statement], after: Sequence[Statement], seconds: float) -> None:
        """Print a fix of a policy: the change, and the statements before and after."""
        self._fix(finding, "policy", *("\n\n".join(map(_statement, one)) for one in (before, after)), seconds=seconds)

    def delivery(self, bucket: str, function: str, *, invoked: bool) -> None:
        """Print whether an object in a bucket invoked a function."""
        outcome = f"invokes {function}" if invoked else f"is not allowed to invoke {function}"
        self._print(f"[cyan]{'→' if invoked else '✗'}[/] The bucket {bucket} {outcome}")

    def summary(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Print a table of the changes and the bot's reactions."""
        table = Table(title="What happened", title_justify="left", expand=True)
        for heading in ("change", "reaction", "after"):
            table.add_column(heading, justify="right" if heading == "after" else "left")
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

    def _fix(
        self, finding: Finding, what: str, before: str, after: str, *below: RenderableType, seconds: float
    ) -> None:
        fix = finding["fix"]
        table = Table(show_lines=False, expand=True)
        table.add_column(f"{what} before", ratio=1)
        table.add_column(f"{what} after", ratio=1)
        table.add_row(escape(before), escape(after))
        change = Text(f"{fix['result']}: {fix['summary']}", style="bold")
        footer = f"after [bold]{seconds:.2f} s[/]"
        panel = Group(change, table, *below)
        self._print(Panel(panel, title="fix", title_align="left", subtitle=footer, border_style="green"))

    def _print(self, *lines: RenderableType) -> None:
        for line in lines:
            self._console.print(line)


def section(output: str, title: str) -> str:
    """Return the text of a section of what a command prints, without its indentation. ValueError if there is none."""
    found = next((part for part in output.split("\n\n") if part.startswith(f"{title}\n")), None)
    if found is None:
        raise ValueError(f"the output has no section {title!r}: {output}")
    return textwrap.dedent(found.partition("\n")[2])


def _statement(statement: Statement) -> str:
    """Return the Sid of a statement, whom it allows, and its conditions."""
    conditions = [f"  {key} {value}" for keys in statement.get("Condition", {}).values() for key, value in keys.items()]
    allowed = f"  {statement['Effect']} {statement['Principal']['Service']}"
    return "\n".join([str(statement["Sid"]), allowed, *(conditions or ["  without a condition"])])


def _wrapped(line: str) -> Text:
    """Wrap a command before its options, so that it can still be pasted. Other lines stay as they are.

    A command that waits for a decision is a comment, and each of its lines stays one.
    """
    mark = "# " if line.startswith("# ") else ""
    command = line.removeprefix(mark)
    if not command.startswith(("aws ", "permission-guard ")):
        return Text(line)
    glued = re.sub(r"(--\S+) ", "\\1\N{NO-BREAK SPACE}", command)
    chunks = textwrap.wrap(
        glued, _COMMAND_WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    # A value that is too long for a line with its option has a line of its own.
    lines = [one if len(one) <= _COMMAND_WIDTH else one.replace("\N{NO-BREAK SPACE}", f" \\\n{mark}") for one in chunks]
    wrapped = f" \\\n{mark}".join(lines).replace("\N{NO-BREAK SPACE}", " ")
    return Text(f"{mark}{wrapped}", style="cyan")
