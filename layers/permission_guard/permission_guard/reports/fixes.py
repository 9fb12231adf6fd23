"""Print the recorded fixes: as a table, in full for people, and as JSON for programs."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from permission_guard.delivery.plans import approved_until, plan_parts, undo_parts, undo_preview
from permission_guard.delivery.text import one_line
from permission_guard.model.findings import FixResult, Status, Transition
from permission_guard.records import record
from permission_guard.reports.findings import (
    SHORT_ID,
    age,
    counted,
    new_console,
    print_block,
    print_history,
    target_name,
    warn_of,
)
from permission_guard.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console

    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.reports.findings import Unreadable

_FIX_TRANSITIONS = frozenset(one for one in Transition if one.name.startswith("FIX_"))


class FixStage(StrEnum):
    """How far a fix is."""

    WAITING = "waiting"
    """Its plan waits for an approval."""
    PROPOSED = "proposed"
    """Its plan takes no approval: it was made in the mode `plan`."""
    APPROVED = "approved"
    APPLYING = "applying"
    UNDO_REQUESTED = "undo requested"
    UNDOING = "undoing"
    REJECTED = "rejected"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"
    UNDONE = "undone"
    ENDED = "ended"
    """It was proposed, and then the finding changed: nothing of it counts any more."""

    @property
    def is_open(self) -> bool:
        """Whether something is still to happen."""
        return self in _OPEN


_OPEN = frozenset(
    {
        FixStage.WAITING,
        FixStage.PROPOSED,
        FixStage.APPROVED,
        FixStage.APPLYING,
        FixStage.UNDO_REQUESTED,
        FixStage.UNDOING,
    }
)


@record
class FixOfFinding:
    """A fix of a finding: the last one, or one that was applied before the last one. Then the finding is as it was."""

    finding: Finding
    fix: FixRecord
    is_last: bool = True

    @property
    def stage(self) -> FixStage:
        """How far the fix is."""
        if self.fix.result is FixResult.APPLIED and self.fix.is_undo_requested:
            return FixStage.UNDO_REQUESTED
        if self.fix.result is not FixResult.PROPOSED:
            return FixStage(self.fix.result)
        if self.finding.status is Status.OPEN and self.finding.transition is Transition.FIX_PROPOSED:
            return FixStage.WAITING if self.fix.approve else FixStage.PROPOSED
        return FixStage.APPROVED if self.finding.transition is Transition.FIX_APPROVED else FixStage.ENDED

    def to_document(self) -> dict[str, Any]:
        """Return the fix as JSON values, with the names of its finding."""
        finding = self.finding.to_document()
        names = ("rule_id", "rule_name", "severity", "target_arn", "subject", "title", "status", "revision")
        return {
            "finding_id": self.finding.id,
            **{name: finding.get(name, self.finding.target_arn) for name in names},
            "stage": str(self.stage),
            "is_last": self.is_last,
            "plan_hash": self.fix.plan_hash,
            "approved_until": approved_until(self.fix),
            "fix": finding["fix"],
            "history": [one for one in finding["history"] if one["transition"] in _FIX_TRANSITIONS],
        }


def earlier_fixes(past: Sequence[Finding], findings: Sequence[Finding]) -> list[FixOfFinding]:
    """Return the applied fixes that `findings` have no longer, the newest first.

    `past` are the findings as the transitions left them that applied or undid a fix. The number of the attempt tells
    the fixes of a finding apart.
    """
    last = {
        (one.id, one.fix.attempts)
        for one in findings
        if one.fix and one.fix.result in (FixResult.APPLIED, FixResult.UNDOING, FixResult.UNDONE)
    }
    found: dict[tuple[str, int], FixOfFinding] = {}
    for one in sorted(past, key=lambda one: one.revision):
        if one.fix is not None and (key := (one.id, one.fix.attempts)) not in last:
            found[key] = FixOfFinding(one, one.fix, is_last=False)
    return sorted(found.values(), key=lambda one: one.fix.at, reverse=True)


def fixes_of(findings: Sequence[Finding], past: Sequence[Finding] = ()) -> list[FixOfFinding]:
    """Return the fixes of findings: those with something to happen first, then the newest first."""
    found = [FixOfFinding(one, one.fix) for one in findings if one.fix is not None]
    found += earlier_fixes(past, findings)
    newest = sorted(found, key=lambda one: (one.fix.last_at, one.finding.id), reverse=True)
    return sorted(newest, key=lambda one: list(FixStage).index(one.stage) if one.stage.is_open else len(FixStage))


def print_fixes_json(shown: Sequence[FixOfFinding], found: int, unreadable: Unreadable) -> None:
    """Print fixes as one JSON object. `found` is how many there are without the limit."""
    document = {
        "fixes": [one.to_document() for one in shown],
        "unreadable": list(unreadable.keys),
        "counts": {"found": found, "shown": len(shown), "unreadable": len(unreadable.keys)},
    }
    typer.echo(json.dumps(document, indent=2))


def print_fixes_table(shown: Sequence[FixOfFinding], found: int, unreadable: Unreadable, *, now: datetime) -> None:
    """Print fixes as a table with a summary."""
    console = new_console()
    if not shown:
        console.print(plain("There are no fixes that match."), soft_wrap=True)
        warn_of(unreadable)
        return
    table = Table()
    for heading in ("stage", "rule"):
        table.add_column(heading, no_wrap=True)
    for heading in ("function or role", "fix"):
        table.add_column(heading, overflow="fold")
    for heading in ("since", "id"):
        table.add_column(heading, no_wrap=True)
    for one in shown:
        cells = (str(one.stage), one.finding.rule_id, target_name(one.finding), _in_short(one.fix))
        table.add_row(*map(plain, (*cells, age(one.fix.at, now), one.finding.id[:SHORT_ID])))
    console.print(table)
    left_out = f" The first {len(shown)} are shown: see --limit." if found > len(shown) else ""
    count = "1 fix" if found == 1 else f"{found:,} fixes"
    console.print(plain(f"{count}.{left_out} Details: permission-guard fixes show ID"), soft_wrap=True)
    warn_of(unreadable)


def _in_short(fix: FixRecord) -> str:
    """Return what a fix does or did, with how many other findings it resolves."""
    text = one_line(fix.progress or fix.summary, 300)
    if not fix.resolves:
        return text
    return f"{text.rstrip('.')}. It resolves {counted(len(fix.resolves), 'other finding')} too."


def print_fix_json(one: FixOfFinding, earlier: Sequence[FixOfFinding] = ()) -> None:
    """Print a fix as JSON, with those that were applied before it."""
    typer.echo(json.dumps({**one.to_document(), "earlier": [past.to_document() for past in earlier]}, indent=2))


def print_fix(one: FixOfFinding, earlier: Sequence[FixOfFinding] = ()) -> None:
    """Print all of a fix: its plan, the decision, the result, and what happened to it. Then those applied before it."""
    console = new_console()
    print_plan(one, console)
    if one.fix.decided_by:
        what = "Rejected by" if one.fix.result is FixResult.REJECTED else "Approved by"
        print_block(console, what, one.fix.decided_by)
    if one.fix.attempts:
        print_block(console, "Attempts", counted(one.fix.attempts, "attempt"))
    for title, text in undo_parts(one.fix):
        print_block(console, title, text)
    can_undo = one.stage is FixStage.APPLIED and one.fix.calls
    commands = {
        "Approve it with": one.fix.approve,
        "Undo it with": f"permission-guard fixes undo {one.finding.id[:SHORT_ID]}" if can_undo else "",
        "Undo it by hand with": "" if one.stage is FixStage.UNDONE else one.fix.undo,
    }
    for heading, command in commands.items():
        print_block(console, heading, command)
    print_history(console, [past for past in one.finding.history if past.transition in _FIX_TRANSITIONS])
    for past in earlier:
        print_plan(past, console)
        for title, text in undo_parts(past.fix):
            print_block(console, title, text)
        print_block(console, "Undo it by hand with", "" if past.stage is FixStage.UNDONE else past.fix.undo)


def print_undo(one: FixOfFinding, console: Console) -> None:
    """Print an applied fix, and what its undo changes."""
    print_plan(one, console)
    print_block(console, "What the undo changes", undo_preview(one.fix))
    print_block(console, "What others changed since", "It stays. The bot undoes only what is still as the fix left it.")


def print_plan(one: FixOfFinding, console: Console) -> None:
    """Print what a fix is about, and its plan."""
    finding, fix = one.finding, one.fix
    console.print(
        plain(one_line(f"{finding.rule_id} {target_name(finding)}: {finding.title}", 500), "bold"), soft_wrap=True
    )
    print_block(console, f"Fix {fix.name}", f"{one.stage} since {fix.at}: {one_line(fix.summary, 4_000)}")
    print_block(console, "So far", one_line(fix.progress, 4_000))
    for title, text in plan_parts(fix):
        print_block(console, title, text)
