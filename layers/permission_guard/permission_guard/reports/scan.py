"""Print the results of a scan: grouped by function for people, as JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from permission_guard.delivery.text import one_line
from permission_guard.iam.arn import parse_arn
from permission_guard.model.findings import FixResult
from permission_guard.model.verdicts import REMEDY_NAMES, Severity
from permission_guard.records import record
from permission_guard.reports.findings import COLOURS, cell, counted, print_block, target_name
from permission_guard.reports.fixes import FixOfFinding, print_plan
from permission_guard.reports.terminal import plain
from permission_guard.sweep.bulk import GapKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from permission_guard.model.findings import Finding
    from permission_guard.reports.scan_results import NotEvaluated, ScanDocument, ScanGap, UnknownOutcome

COLUMNS: Final = (
    "outcome", "severity", "rule_id", "rule_name", "account", "region", "target_arn", "subject", "title", "reason",
    "impact", "id", "suppressed_until", "suppressed_by", "suppression_reason",
)  # fmt: skip
"""The columns of the CSV file. `outcome` is `open`, `suppressed`, `unknown` or `not evaluated`."""

_SEVERITY_WIDTH: Final = len("CRITICAL")
_RULE_WIDTH: Final = len("PG101")
_INDENT: Final = 2 + _SEVERITY_WIDTH + 2 + _RULE_WIDTH + 2
_LONGEST: Final = 2_000


@record(kw_only=True)
class TableOptions:
    """What the table has besides the findings: `details` are reasons and remedies, `errors` what was not scanned."""

    details: bool = False
    errors: bool = True


# ── For programs ────────────────────────────────────────────────────────────────────────────────────────────────────


def as_json(scan: ScanDocument) -> str:
    """Return the results as one JSON object."""
    return json.dumps(scan.to_document(), indent=2) + "\n"


def as_csv(scan: ScanDocument) -> str:
    """Return a row for each finding, unknown outcome and gap. No cell is a formula of a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in _rows(scan))
    return text.getvalue()


def _rows(scan: ScanDocument) -> Iterator[dict[str, str]]:
    for finding in scan.findings:
        same = ("rule_id", "rule_name", "account", "region", "target_arn", "subject", "title", "reason", "impact", "id")
        row = {"outcome": str(finding.status), "severity": str(finding.severity)}
        row |= {name: str(getattr(finding, name)) for name in same}
        if suppression := finding.suppression:
            row |= {"suppressed_until": suppression.until, "suppressed_by": suppression.owner}
            row["suppression_reason"] = suppression.reason
        yield row
    for one in scan.unknowns:
        names = ("rule_id", "rule_name", "account", "region", "target_arn", "subject", "reason")
        yield {"outcome": "unknown", **{name: str(getattr(one, name)) for name in names}}
    for gap in scan.gaps:
        outcome = "not evaluated" if gap.kind == GapKind.NOT_SELECTED else "unknown"
        place = {"account": gap.account, "region": gap.region}
        yield {"outcome": outcome, "rule_id": " ".join(gap.rules), **place, "title": gap.what, "reason": gap.reason}
    for excluded in scan.not_evaluated:
        rules = " ".join(excluded.rules)
        arn = parse_arn(excluded.function_arn)
        place = {"account": arn.account, "region": arn.region} if arn else {}
        target = {"target_arn": excluded.function_arn, "reason": excluded.reason}
        yield {"outcome": "not evaluated", "rule_id": rules, **place, **target}
    for error in scan.errors:
        place = {"account": error.account, "region": error.region}
        yield {"outcome": "unknown", **place, "title": "not scanned", "reason": error.message}


# ── For people ──────────────────────────────────────────────────────────────────────────────────────────────────────


def print_table(scan: ScanDocument, console: Console, options: TableOptions = TableOptions()) -> None:  # noqa: B008 - frozen
    """Print the findings of each function, the worst first; then what is not known; then a summary.

    Lines end between words, at the width of the terminal. An ARN is never broken, so that it can be copied.
    """
    for findings in _by_target(scan.open):
        _print_target(console, findings, options)
    _print_plans(console, scan.open)
    _print_unknowns(console, scan.unknowns)
    _print_gaps(console, "Unknown", [gap for gap in scan.gaps if gap.kind != GapKind.NOT_SELECTED])
    _print_suppressed(console, scan.suppressed)
    _print_gaps(console, "Not evaluated", [gap for gap in scan.gaps if gap.kind == GapKind.NOT_SELECTED])
    _print_excluded(console, scan.not_evaluated)
    if options.errors:
        _print_section(console, "Not scanned", [str(error) for error in scan.errors])
    console.print()
    for line in summary(scan):
        _print_wrapped(console, line)


def summary(scan: ScanDocument) -> Iterator[str]:
    """Yield the lines of the summary: the counts, and whether the scan is complete."""
    counts = scan.counts
    by_severity = {severity: sum(one.severity is severity for one in scan.open) for severity in list(Severity)[::-1]}
    severities = ", ".join(f"{number:,} {severity}" for severity, number in by_severity.items() if number)
    findings = counted(counts.findings, "finding") + (f" ({severities})" if severities else "")
    more = {
        "unknown": counts.unknowns,
        "passed": counts.passed,
        "suppressed": counts.suppressed,
        "in the baseline": counts.known,
        "below --severity": counts.below_severity,
    }
    kept = [f"{number:,} {name}" for name, number in more.items() if number or name in ("unknown", "passed")]
    accounts = len({place.account for place in scan.places})
    regions = len({place.region for place in scan.places})
    where = f"{counted(accounts, 'account')}, {counted(regions, 'region')}"
    excluded = f" {counted(counts.not_evaluated, 'function')} not evaluated." if counts.not_evaluated else ""
    yield f"{', '.join((findings, *kept))} in {counted(counts.functions, 'function')} ({where}).{excluded}"
    if not scan.is_complete:
        yield "INCOMPLETE: something was not read, so more findings are possible. See above."
    if scan.open:
        yield "How to fix: add --details, or run permission-guard rules show RULE."


def _by_target(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return findings by the function or role that they are about, in their order: the worst first."""
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(one.role_arn or _unqualified(one.function_arn), []).append(one)
    return list(groups.values())


def _unqualified(function_arn: str) -> str:
    return ":".join(function_arn.split(":")[:7])


def _print_target(console: Console, findings: Sequence[Finding], options: TableOptions) -> None:
    first = findings[0]
    arn = first.role_arn or _unqualified(first.function_arn)
    name = f"role {arn.rpartition('/')[2]}" if first.role_arn else arn.rpartition(":")[2]
    console.print()
    console.print(plain(one_line(name, 200), "bold"), soft_wrap=True)
    console.print(plain(arn, "dim"), soft_wrap=True)
    for one in findings:
        _print_finding(console, one, options)


def _print_finding(console: Console, one: Finding, options: TableOptions) -> None:
    severity = plain(f"  {one.severity.upper():<{_SEVERITY_WIDTH}}", COLOURS[one.severity])
    first, *rest = _wrapped(one.title, console.width, _INDENT) or [""]
    console.print(severity + plain(f"  {one.rule_id:<{_RULE_WIDTH}}  {first}"), soft_wrap=True)
    qualifier = one.function_arn.removeprefix(_unqualified(one.function_arn)).removeprefix(":")
    where = ", ".join(filter(None, (f"qualifier {qualifier}" if qualifier else "", one.subject)))
    for line in [*rest, *_wrapped(where, console.width, _INDENT)]:
        console.print(plain(" " * _INDENT + line), soft_wrap=True)
    if not options.details:
        return
    _print_indented(console, f"{one.reason} {one.impact}")
    for remedy in one.remedies:
        if remedy.kind != one.remedies[0].kind:  # several of one kind are steps
            continue
        kind = ", ".join(filter(None, (REMEDY_NAMES.get(remedy.kind, remedy.kind), remedy.step)))
        after = ", after a decision" if remedy.needs_decision else ""
        print_block(console, f"Remedy ({kind}{after})", remedy.text)
        if remedy.changes:
            _print_indented(console, f"What else changes: {remedy.changes}", indent=2)
    console.print()


def _print_plans(console: Console, findings: Iterable[Finding]) -> None:
    """Print the plans of the fixes, and why there is none."""
    for one in findings:
        if one.fix is None:
            continue
        console.print()
        if one.fix.result is FixResult.PROPOSED:
            print_plan(FixOfFinding(one, one.fix), console)
        else:
            console.print(plain(one_line(f"{one.rule_id} {target_name(one)}: no plan", 500), "bold"), soft_wrap=True)
            _print_indented(console, one.fix.summary, indent=2)


def _print_unknowns(console: Console, unknowns: Sequence[UnknownOutcome]) -> None:
    """Print the unknown outcomes of each function: the rules that have the same reason together."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for one in unknowns:
        reasons.setdefault((one.target_arn, one.reason), {})[one.rule_id] = None
    lines = [f"{arn}: {' '.join(rules)}: {reason}" for (arn, reason), rules in reasons.items()]
    _print_section(console, f"Unknown outcomes ({len(unknowns):,})", lines)


def _print_gaps(console: Console, title: str, gaps: Sequence[ScanGap]) -> None:
    """Print what was not read or evaluated: what several accounts and regions have in common, once."""
    places: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for gap in gaps:
        places.setdefault((gap.what, gap.reason, gap.remedy, gap.rules), []).append(f"{gap.account} {gap.region}")
    lines = []
    for (what, reason, remedy, rules), found in places.items():
        concerned = f" ({' '.join(rules)})" if rules else ""
        lines.append(f"{what}{concerned}: {' '.join(filter(None, (reason, remedy)))} In {', '.join(found)}.")
    _print_section(console, title, lines)


def _print_suppressed(console: Console, findings: Sequence[Finding]) -> None:
    lines = [
        f"{one.rule_id} {one.target_arn} {one.subject}: until {one.suppression.until[:10]}, "
        f"by {one.suppression.owner}: {one.suppression.reason}"
        for one in findings
        if one.suppression
    ]
    _print_section(console, f"Suppressed ({len(findings):,})", lines)


def _print_excluded(console: Console, excluded: Sequence[NotEvaluated]) -> None:
    lines = [f"{one.function_arn} ({counted(len(one.rules), 'rule')}): {one.reason}" for one in excluded]
    _print_section(console, "Excluded by the configuration", lines)


def _print_section(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print()
    console.print(plain(title, "bold"), soft_wrap=True)
    for line in lines:
        first, *rest = _wrapped(line, console.width, 4)
        console.print(plain(f"  - {first}"), soft_wrap=True)
        for more in rest:
            console.print(plain(f"    {more}"), soft_wrap=True)


def _print_indented(console: Console, text: str, indent: int = _INDENT) -> None:
    for line in _wrapped(text, console.width, indent):
        console.print(plain(" " * indent + line), soft_wrap=True)


def _print_wrapped(console: Console, text: str) -> None:
    for line in _wrapped(text, console.width, 0):
        console.print(Text(line), soft_wrap=True)


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    """Return the lines of a text that fit beside an indentation. A word that is longer, such as an ARN, stays whole."""
    return textwrap.wrap(
        one_line(text, _LONGEST), max(width - indent, 20), break_long_words=False, break_on_hyphens=False
    )
