"""Print the results of `permission-guard check`: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from permission_guard.delivery.text import listing
from permission_guard.model.verdicts import REMEDY_NAMES, Outcome, Severity
from permission_guard.offline.template_remedies import remedies_in
from permission_guard.reports.terminal import echo_error, literal, plain
from permission_guard.rules import RULES
from permission_guard.rules.execution_role.role_shared import RoleShared
from permission_guard.rules.execution_role.role_trust_too_broad import RoleTrustTooBroad

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.verdicts import Remedy, Verdict
    from permission_guard.offline.deployment import Deployment
    from permission_guard.offline.physical_names import Place
    from permission_guard.offline.scenarios import OfflineCheck
    from permission_guard.offline.skipped import Skipped
    from permission_guard.rules import Rule

_COLOURS: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
_MOST_FILES: Final = 3
_WORST_FIRST: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_ONE_FOR_EACH_ROLE: Final = frozenset({RoleTrustTooBroad.id, RoleShared.id})


@dataclass(frozen=True, slots=True)
class Failed:
    """A file or an option that is not valid, or a file of a folder that is skipped."""

    file: str
    message: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that was not read, or a part of it: `part` is empty for the whole file."""

    file: str
    part: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.part}: {self.reason}" if self.part else f"{self.file}: not read: {self.reason}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A verdict that is not a pass, with the file and the resource that it is on."""

    file: str
    function: str
    subject: str
    rule: type[Rule]
    verdict: Verdict
    remedies: tuple[Remedy, ...]
    in_template: bool

    @classmethod
    def of(cls, file: str, verdict: Verdict, offline_check: OfflineCheck, place: Place | None) -> Checked:
        """Return a verdict on a check of a file."""
        rule = next(one for one in RULES if one.id == verdict.rule_id)
        subject = verdict.subject or offline_check.source_id or "the whole policy"
        created = " (created by SAM)" if offline_check.by_sam else ""
        return cls(
            file,
            verdict.function_arn.partition(":function:")[2],
            subject.removeprefix("statement/") + created,
            rule,
            verdict,
            remedies_in(verdict, offline_check, place),
            offline_check.from_template,
        )

    @property
    def severity(self) -> Severity:
        """The severity of this verdict: its own, or else the severity of the rule."""
        return self.verdict.severity or self.rule.severity

    def document(self) -> dict[str, Any]:
        """Return the verdict and its file as JSON values."""
        verdict = self.verdict
        document: dict[str, Any] = {
            "file": self.file,
            "rule_id": self.rule.id,
            "rule_name": self.rule.name,
            "function_arn": verdict.function_arn,
            "subject": verdict.subject,
            "outcome": str(verdict.outcome),
            "reason": verdict.reason,
        }
        if verdict.outcome is Outcome.VIOLATION:
            document |= {
                "severity": str(self.severity),
                "title": verdict.title,
                "impact": verdict.impact,
                "evidence": dict(verdict.evidence),
                "remedies": [asdict(remedy) for remedy in self.remedies],
            }
        return document


@dataclass(slots=True)
class Results:
    """The results of one file, or of all.

    `skipped` has, by file, what was not evaluated, and `deployments` the place of each template. `left_out` has the
    resources, each with its file, that the parameters of a template exclude. `unread` has the files and parts that were
    not read, `skipped_files` the files of folders that are no templates, `nested` the nested stacks. `declared` has the
    parameters of all templates.
    """

    skipped: dict[str, list[Skipped]] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    findings: list[Checked] = field(default_factory=list)
    unknowns: list[Checked] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    skipped_files: list[Failed] = field(default_factory=list)
    nested: list[tuple[str, str]] = field(default_factory=list)
    declared: frozenset[str] = frozenset()
    passed: int = 0
    files: int = 0
    _known: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, checked: Checked) -> None:
        """Add a verdict that is not a pass, once: a role has one finding, whatever the number of its functions."""
        verdict = checked.verdict
        function = "" if checked.rule.id in _ONE_FOR_EACH_ROLE else verdict.function_arn
        key = (checked.file, checked.rule.id, function, checked.subject, str(verdict.outcome))
        if key not in self._known:
            self._known.add(key)
            (self.findings if verdict.outcome is Outcome.VIOLATION else self.unknowns).append(checked)

    def extend(self, other: Results) -> None:
        """Add the results of another file."""
        self.findings += other.findings
        self.unknowns += other.unknowns
        self.failed += other.failed
        self.left_out += other.left_out
        self.unread += other.unread
        self.skipped_files += other.skipped_files
        self.nested += other.nested
        self.skipped |= other.skipped
        self.deployments |= other.deployments
        self.declared |= other.declared
        self.passed += other.passed
        self.files += other.files


def print_json(results: Results) -> None:
    """Print all results as one JSON object."""
    typer.echo(
        json.dumps(
            {
                "findings": [one.document() for one in results.findings],
                "unknowns": [one.document() for one in results.unknowns],
                "errors": [{"file": one.file, "message": one.message} for one in results.failed],
                "unread": [{"file": one.file, "part": one.part, "reason": one.reason} for one in results.unread],
                "nested_stacks": [{"file": file, "resource": name} for file, name in results.nested],
                "skipped_files": [{"file": one.file, "reason": one.message} for one in results.skipped_files],
                "left_out": [{"file": file, "resource": name} for file, name in results.left_out],
                "counts": {
                    "files": results.files,
                    "findings": len(results.findings),
                    "unknowns": len(results.unknowns),
                    "passed": results.passed,
                    "unread": len(results.unread),
                    "errors": len(results.failed),
                    "skipped_files": len(results.skipped_files),
                },
                "deployments": [
                    {
                        "file": file,
                        "account": one.account.document(),
                        "region": one.region.document(),
                        "partition": one.partition,
                    }
                    for file, one in results.deployments.items()
                ],
                "skipped": [
                    {"file": file, "rule_id": one.rule.id, "rule_name": one.rule.name, "reason": one.reason}
                    for file, skipped in results.skipped.items()
                    for one in skipped
                ],
            },
            indent=2,
        )
    )


def print_table(results: Results) -> None:
    """Print the findings with their reasons and remedies, then the unknown outcomes and the summary."""
    console = Console(highlight=False, emoji=False)
    findings = sorted(results.findings, key=lambda one: (one.file, _WORST_FIRST.index(one.severity)))
    if findings:
        console.print(_findings_table(findings))
        for one in findings:
            _print_finding(console, one)
    if results.unknowns:
        console.print(_unknowns_table(results.unknowns))
    for failed in results.failed:
        echo_error(f"{failed.file}: {failed.message}")
    for unread in results.unread:
        echo_error(str(unread))
    _print_summary(console, results)


def _findings_table(findings: Sequence[Checked]) -> Table:
    table = Table()
    for heading in ("file", "function", "subject", "rule", "severity", "title"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        severity = f"[{_COLOURS[one.severity]}]{one.severity}[/]"
        cells = map(literal, (one.file, one.function, one.subject, one.rule.id))
        table.add_row(*cells, severity, literal(one.verdict.title))
    return table


def _print_finding(console: Console, one: Checked) -> None:
    where = f"{one.file}: {one.function}, {one.subject}"
    console.print(f"\n[bold]{one.rule.id} {one.rule.name}[/bold]  {literal(where)}", soft_wrap=True)
    console.print(literal(f"{one.verdict.reason} {one.verdict.impact}"))
    for remedy in one.remedies:
        if remedy.kind == one.remedies[0].kind:  # several are steps
            _print_remedy(console, remedy)


def _print_remedy(console: Console, remedy: Remedy) -> None:
    kind = ", ".join(filter(None, (REMEDY_NAMES.get(remedy.kind, remedy.kind), remedy.step)))
    after = ", after a decision" if remedy.needs_decision else ""
    console.print(f"Remedy ({literal(kind)}{after}):", soft_wrap=True)
    for line in listing(remedy.text).split("\n"):
        console.print(plain(f"  {line}"), soft_wrap=True)
    if remedy.changes:
        console.print(f"What else changes: {literal(remedy.changes)}", soft_wrap=True)


def _unknowns_table(unknowns: Sequence[Checked]) -> Table:
    """Return the unknown outcomes, with one row for all rules that have the same reason."""
    table = Table(title="Unknown", title_justify="left")
    for heading in ("file", "function", "subject", "rules", "reason"):
        table.add_column(heading, overflow="fold")
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for one in unknowns:
        grouped.setdefault((one.file, one.function, one.subject, one.verdict.reason), []).append(one.rule.id)
    for (file, function, subject, reason), rules in grouped.items():
        table.add_row(*map(literal, (file, function, subject, " ".join(rules), reason)))
    return table


def _print_summary(console: Console, results: Results) -> None:
    findings, files = _counted(len(results.findings), "finding"), _counted(results.files, "file")
    counts = (
        findings,
        f"{len(results.unknowns)} unknown",
        f"{results.passed} passed",
        f"{len(results.unread)} not read",
        _counted(len(results.failed), "error"),
        f"{_counted(len(results.skipped_files), 'file')} skipped",
    )
    console.print(f"\n{', '.join(counts)} in {files}.", soft_wrap=True)
    if results.skipped_files:
        names = ", ".join(skipped.file for skipped in results.skipped_files)
        console.print(literal(f"Skipped (neither a template nor a policy of a function): {names}."), soft_wrap=True)
    for file, name in results.nested:
        console.print(literal(f"{file}: {name} is a nested stack. Its template is another file and was not checked."))
    for file, name in results.left_out:
        console.print(literal(f"{file}: {name} is not created with these parameters and was not checked."))
    for deployment, of_place in _by_value(results.deployments).items():
        for message in deployment.messages():
            console.print(literal(f"{_few(of_place)}: {message}"), soft_wrap=True)
    for skipped, of_skipped in _by_value({file: tuple(one) for file, one in results.skipped.items() if one}).items():
        console.print(literal(f"{_few(of_skipped)}:"), soft_wrap=True)
        for why in dict.fromkeys(one.why for one in skipped):
            names = ", ".join(str(one) for one in skipped if one.why == why)
            console.print(literal(f"Skipped ({why}): {names}."), soft_wrap=True)


T = TypeVar("T")


def _by_value(by_file: Mapping[str, T]) -> dict[T, list[str]]:
    """Return the files that have each value."""
    found: dict[T, list[str]] = {}
    for file, value in by_file.items():
        found.setdefault(value, []).append(file)
    return found


def _few(files: Sequence[str]) -> str:
    more = len(files) - _MOST_FILES
    return ", ".join(files[:_MOST_FILES]) + (f" and {_counted(more, 'more file')}" if more > 0 else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
