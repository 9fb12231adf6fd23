"""Print recorded findings: as a table and in full for people, as JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.table import Table

from permission_guard.delivery.plans import plan_parts
from permission_guard.delivery.text import listing, one_line
from permission_guard.iam.arn import parse_arn
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import record
from permission_guard.reports.terminal import echo_error, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.findings import Finding, PastTransition

SHORT_ID: Final = 8

COLOURS: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
COLUMNS: Final = (
    "id", "status", "severity", "rule_id", "rule_name", "account", "region", "target_arn", "subject", "title", "reason",
    "first_seen", "last_seen", "opened_at", "changed_at", "changed_by", "suppressed_until", "suppressed_by",
    "suppression_reason",
)  # fmt: skip
"""The columns of the CSV file."""

_WIDE: Final = 200
"""The width of a table in a file or a pipe: most findings are one line there, for grep."""
_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take these signs too
_CELL: Final = 5_000
_UNREADABLE_SHOWN: Final = 3


@record
class Unreadable:
    """The items that cannot be read as findings, each by its key."""

    keys: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(one_line(key, 200) for key in self.keys[:_UNREADABLE_SHOWN])
        more = len(self.keys) - _UNREADABLE_SHOWN
        return (
            f"{counted(len(self.keys), 'item')} of the table could not be read as a finding: {shown}"
            + (f" and {more} more" if more > 0 else "")
            + '. See docs/operations.md, "A finding is hidden".'
        )


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings by severity, the worst first, and those that are new before the old ones."""
    by_age = sorted(findings, key=lambda one: (since(one), one.id), reverse=True)
    severities = list(Severity)
    return sorted(by_age, key=lambda one: severities.index(one.severity), reverse=True)


def since(finding: Finding) -> str:
    """Return since when a finding has its status."""
    return finding.opened_at if finding.status is Status.OPEN else finding.changed_at


def target_name(finding: Finding) -> str:
    """Return the function with its qualifier, or the role, as people name it."""
    arn = parse_arn(finding.target_arn)
    if arn is None:
        return finding.target_arn
    return f"role {arn.resource.rpartition('/')[2]}" if finding.role_arn else arn.resource.removeprefix("function:")


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def print_json(shown: Sequence[Finding], found: int, unreadable: Unreadable) -> None:
    """Print findings as one JSON object. `found` is how many there are without the limit."""
    document = {
        "findings": [one.to_document() for one in shown],
        "unreadable": list(unreadable.keys),
        "counts": {"found": found, "shown": len(shown), "unreadable": len(unreadable.keys)},
    }
    typer.echo(json.dumps(document, indent=2))


def print_csv(shown: Sequence[Finding], unreadable: Unreadable) -> None:
    """Print findings as CSV. No cell is a formula of a spreadsheet: the texts come from others."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in _row(one)] for one in shown)
    typer.echo(text.getvalue(), nl=False)
    warn_of(unreadable)


def print_table(shown: Sequence[Finding], found: int, unreadable: Unreadable, *, now: datetime, what: str) -> None:
    """Print findings as a table with a summary. `what` names the findings that were asked for."""
    console = new_console()
    if not shown:
        console.print(plain(f"There are no {what}."), soft_wrap=True)
        warn_of(unreadable)
        return
    table = Table()
    for heading in ("severity", "rule"):
        table.add_column(heading, no_wrap=True)
    for heading in ("function or role", "title"):
        table.add_column(heading, overflow="fold")
    for heading in ("status", "since", "id"):
        table.add_column(heading, no_wrap=True)
    for one in shown:
        cells = (one.rule_id, target_name(one), one.title, str(one.status), age(since(one), now), one.id[:SHORT_ID])
        table.add_row(plain(one.severity, COLOURS[one.severity]), *map(plain, cells))
    console.print(table)
    left_out = f" The worst {len(shown)} are shown: see --limit." if found > len(shown) else ""
    details = "Details: permission-guard findings show ID"
    console.print(plain(f"{counted_of(found, what)}.{left_out} {details}"), soft_wrap=True)
    warn_of(unreadable)


def age(time: str, now: datetime) -> str:
    """Return how long ago a time is, in its largest unit; a time without a zone is one in UTC."""
    at = datetime.fromisoformat(time)
    passed = max(now - (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)), timedelta())
    minutes = int(passed.total_seconds()) // 60
    for unit, length in (("d", 24 * 60), ("h", 60)):
        if minutes >= length:
            return f"{minutes // length} {unit}"
    return f"{minutes} min"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 item`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counted_of(number: int, what: str) -> str:
    """Return a number with a plural that is made singular for one, such as `1 open finding`."""
    return f"{number:,} {what.replace('findings', 'finding', 1) if number == 1 else what}"


def warn_of(unreadable: Unreadable) -> None:
    """Name the items that could not be read, on standard error."""
    if unreadable.keys:
        echo_error(str(unreadable))


def _row(finding: Finding) -> Iterator[str]:
    suppression = finding.suppression if finding.status is Status.SUPPRESSED else None
    texts = {
        "suppressed_until": suppression.until if suppression else "",
        "suppressed_by": suppression.owner if suppression else "",
        "suppression_reason": suppression.reason if suppression else "",
    }
    return (texts.get(name) or str(getattr(finding, name, "")) for name in COLUMNS)


def cell(text: str) -> str:
    """Return a text as a cell of CSV: on one line, and no formula of a spreadsheet."""
    shown = one_line(text, _CELL)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


# ── One finding ─────────────────────────────────────────────────────────────────────────────────────────────────────


def print_finding_json(finding: Finding) -> None:
    """Print a finding as JSON."""
    typer.echo(json.dumps(finding.to_document(), indent=2))


def print_finding(finding: Finding, *, now: datetime) -> None:
    """Print all of a finding: what, why, since when, who changed it, its suppression, its history, remedies and fix."""
    console = new_console()
    severity = plain(f"{finding.severity.upper()} ", COLOURS[finding.severity])
    console.print(severity + plain(one_line(finding.title, 500), "bold"), soft_wrap=True)
    facts = [(label, one_line(value, 2_000)) for label, value in _facts(finding, now) if value]
    width = max(len(label) for label, _ in facts) + 2
    for label, value in facts:
        console.print(plain(f"{f'{label}:':<{width}}{value}"), soft_wrap=True)
    for heading, text in (("What is wrong", finding.reason), ("Why it matters", finding.impact)):
        print_block(console, heading, text)
    _print_suppression(console, finding, now)
    _print_remedies(console, finding)
    _print_fix(console, finding)
    if finding.evidence:
        print_block(console, "Evidence", json.dumps(dict(finding.evidence), indent=2))
    print_history(console, finding.history)


def _facts(finding: Finding, now: datetime) -> list[tuple[str, str]]:
    kind = "Role" if finding.role_arn else "Function"
    functions = ", ".join(_name(arn) for arn in finding.functions[:5])
    more = f" and {finding.function_count - 5} more" if finding.function_count > 5 else ""  # noqa: PLR2004 - as shown
    return [
        ("Id", finding.id),
        ("Rule", f"{finding.rule_id} {finding.rule_name}: permission-guard rules show {finding.rule_id}"),
        (kind, finding.target_arn),
        ("Used by", f"{functions}{more}"),
        ("Subject", finding.subject),
        ("Status", f"{finding.status}, for {age(since(finding), now)} (since {since(finding)})"),
        ("Resolution", finding.resolution),
        ("First seen", finding.first_seen),
        ("Last seen", finding.last_seen),
        ("Changed", f"{finding.transition} at {finding.changed_at}"),
        ("Changed by", finding.changed_by or "not known: no event names it"),
        ("From address", finding.changed_from),
        ("With tool", finding.changed_with),
        ("CloudTrail", ", ".join(finding.event_ids)),
        (
            "Managed by",
            " ".join(filter(None, (finding.managed_by.tool, finding.managed_by.stack))) if finding.managed_by else "",
        ),
    ]


def _name(arn: str) -> str:
    return arn.partition(":function:")[2] or arn


def _print_suppression(console: Console, finding: Finding, now: datetime) -> None:
    suppression = finding.suppression
    if suppression is None:
        return
    source = f"the exception {suppression.exception}" if suppression.exception else f"a {suppression.by}"
    ended = "" if datetime.fromisoformat(suppression.until) > now else " (ended)"
    text = f"By {source}, owner {suppression.owner}, until {suppression.until}{ended}:\n{suppression.reason}"
    print_block(console, "Suppression", text)


def _print_remedies(console: Console, finding: Finding) -> None:
    for remedy in finding.remedies:
        kind = ", ".join(filter(None, (remedy.kind, remedy.step)))
        after = ", after a decision" if remedy.needs_decision else ""
        print_block(console, f"Remedy ({kind}{after})", remedy.text)
        if remedy.changes:
            console.print(plain(f"  What else changes: {remedy.changes}"), soft_wrap=True)


def _print_fix(console: Console, finding: Finding) -> None:
    fix = finding.fix
    if fix is None:
        return
    decided = f"\nDecided by {fix.decided_by}" if fix.decided_by else ""
    print_block(console, f"Fix {fix.name}", f"{fix.result} at {fix.at}: {fix.summary}{decided}")
    for title, text in plan_parts(fix):
        print_block(console, title, text)
    for heading, command in (("Approve it with", fix.approve), ("Undo it with", fix.undo)):
        if command:
            print_block(console, heading, command)


def print_history(console: Console, history: Sequence[PastTransition]) -> None:
    """Print transitions as a table, the newest first; nothing if there are none."""
    if not history:
        return
    table = Table(title="History", title_justify="left")
    for heading in ("at", "transition", "by", "from", "with", "event"):
        table.add_column(heading, overflow="fold")
    for past in reversed(history):
        cells = (past.at, str(past.transition), past.by, past.address, past.tool, past.event_id)
        table.add_row(*(plain(one_line(cell, 300)) for cell in cells))
    console.print()
    console.print(table)


def print_block(console: Console, heading: str, text: str) -> None:
    """Print an indented text under a heading; nothing if it is empty."""
    if not text:
        return
    console.print(plain(f"\n{heading}", "bold"), soft_wrap=True)
    for line in listing(text).split("\n"):
        console.print(plain(f"  {line}"), soft_wrap=True)


def new_console() -> Console:
    """Return what prints to standard output: in a pipe with long lines, for grep."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
