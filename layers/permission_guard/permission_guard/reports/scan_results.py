"""The results of `permission-guard scan`: collected as functions are evaluated, and as the document of its JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

from permission_guard import __version__
from permission_guard.errors import UNREADABLE, InputError
from permission_guard.findings.exceptions import Exceptions
from permission_guard.findings.lifecycle import reconcile
from permission_guard.model.documents import as_document
from permission_guard.model.findings import Finding, Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import record
from permission_guard.rules import RULES
from permission_guard.sweep.bulk import GapKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from permission_guard.config.document import GuardConfig
    from permission_guard.model.targets import JSON
    from permission_guard.sweep.bulk import Evaluation, Gap

VERSION: Final = 1


@record(kw_only=True, order=True)
class ScanPlace:
    """An account and region that was scanned. `is_complete` is false if something was not read."""

    account: str
    region: str
    functions: int
    is_complete: bool


@record(kw_only=True)
class UnknownOutcome:
    """A rule whose outcome is unknown for a function or role. `subject` is empty if it is all of them."""

    rule_id: str
    rule_name: str
    account: str
    region: str
    target_arn: str
    subject: str
    reason: str


@record(kw_only=True)
class ScanGap:
    """What was not read, or not evaluated, for all functions of an account and region.

    `kind` is `unknown`, `stopped` or `not evaluated`. `action` is the IAM action that failed, empty if none did.
    """

    account: str
    region: str
    kind: str
    what: str
    reason: str
    remedy: str
    action: str
    is_denied: bool
    rules: tuple[str, ...]


@record(kw_only=True, order=True)
class NotEvaluated:
    """A function that the configuration excludes, for some rules or all."""

    function_arn: str
    reason: str
    rules: tuple[str, ...]


@record(kw_only=True, order=True)
class ScanError:
    """An account or region that was not scanned to its end. `region` is empty if it is the whole account."""

    account: str
    region: str
    message: str

    def __str__(self) -> str:
        """Return the place with the message."""
        place = " ".join(filter(None, (self.account, self.region)))
        return f"{place}: {self.message}" if place else self.message


@record(kw_only=True)
class ScanCounts:
    """How many there are of each. `findings` are open, shown and not in the baseline; `known` are in the baseline.

    `below_severity` counts the findings that `--severity` leaves out.
    """

    functions: int
    findings: int
    suppressed: int
    unknowns: int
    passed: int
    not_evaluated: int
    known: int
    below_severity: int


@record(kw_only=True)
class ScanDocument:
    """The JSON output of a scan, version 1.

    `findings` are open or suppressed, the worst first; those with `--plan` have a `fix`. `known` are the ids of the
    open findings that the baseline has. Times are ISO-8601 in UTC. `is_complete` is false if the scan was stopped, or
    something could not be read: `errors` and `gaps` say what. `rules` are the ids of the evaluated rules.
    """

    started_at: str
    ended_at: str
    permission_guard: str
    is_complete: bool
    rules: tuple[str, ...]
    places: tuple[ScanPlace, ...]
    findings: tuple[Finding, ...]
    unknowns: tuple[UnknownOutcome, ...]
    gaps: tuple[ScanGap, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    errors: tuple[ScanError, ...]
    known: tuple[str, ...]
    counts: ScanCounts
    version: int = VERSION

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that count: neither suppressed nor in the baseline."""
        return tuple(one for one in self.findings if one.status is Status.OPEN)

    @property
    def suppressed(self) -> tuple[Finding, ...]:
        """The findings that an exception or a tag suppresses."""
        return tuple(one for one in self.findings if one.status is Status.SUPPRESSED)

    def fails_on(self, severity: Severity | None) -> bool:
        """Return whether a finding is at least as severe; none is as severe as None."""
        return severity is not None and any(not one.severity.is_below(severity) for one in self.open)

    def to_document(self) -> dict[str, JSON]:
        """Return the results as JSON values, as `docs/schemas/scan.v1.json` describes."""
        document: dict[str, JSON] = as_document(replace(self, findings=()))
        return {**document, "findings": [one.to_document() for one in self.findings]}


class ScanResults:
    """Collects what a scan finds. Several threads may add to it.

    `config` has the exceptions, `severity` the least of the shown findings, and `known` the ids of the baseline.
    """

    def __init__(
        self,
        config: GuardConfig,
        *,
        rules: Iterable[str],
        severity: Severity = Severity.LOW,
        known: frozenset[str] = frozenset(),
        started_at: datetime | None = None,
    ) -> None:
        self._config = config
        self._rules = tuple(sorted(rules))
        self._severity = severity
        self._known = known
        self._now = (started_at or datetime.now(UTC)).isoformat(timespec="seconds")
        self._lock = Lock()
        self._findings: dict[str, Finding] = {}
        self._unknowns: dict[tuple[str, str, str], UnknownOutcome] = {}
        self._not_evaluated: list[NotEvaluated] = []
        self._gaps: list[ScanGap] = []
        self._errors: list[ScanError] = []
        self._places: list[ScanPlace] = []
        self._seen_again: set[str] = set()
        self._passed = 0
        self._below = 0

    def add(self, one: Evaluation) -> tuple[Finding, ...]:
        """Add what was found of a function or role; return its findings that are open and new."""
        report = one.report
        tags = None if one.role_arn else one.tags
        changes = reconcile(
            (),
            report,
            now=self._now,
            suppression_of=Exceptions(self._config, tags, self._now).suppression_of,
            functions=one.functions if one.role_arn else None,
        )
        with self._lock:
            self._passed += len(report.passes)
            for verdict in report.unknowns:
                target = verdict.role_arn or verdict.function_arn
                self._unknowns[verdict.rule_id, target, verdict.subject or ""] = UnknownOutcome(
                    rule_id=verdict.rule_id,
                    rule_name=report.rules[verdict.rule_id].name,
                    account=report.target.account,
                    region=report.target.region,
                    target_arn=target,
                    subject=verdict.subject or "",
                    reason=verdict.reason,
                )
            if not one.role_arn:
                self._not_evaluated += _excluded(report.target.arn, report.not_evaluated)
            return tuple(
                change.finding
                for change in changes
                if self._keep(change.finding) and change.finding.status is Status.OPEN
            )

    def replace(self, finding: Finding) -> None:
        """Replace a finding by itself with a plan."""
        with self._lock:
            self._findings[finding.id] = finding

    def add_gaps(self, account: str, region: str, gaps: Iterable[Gap]) -> None:
        """Add what was not read or not evaluated in an account and region."""
        with self._lock:
            self._gaps += [
                ScanGap(
                    account=account,
                    region=region,
                    kind=str(gap.kind),
                    what=gap.what,
                    reason=gap.reason,
                    remedy=gap.remedy,
                    action=gap.action,
                    is_denied=gap.is_denied,
                    rules=gap.rules,
                )
                for gap in gaps
            ]

    def add_place(self, account: str, region: str, functions: int, *, is_complete: bool) -> None:
        """Add an account and region that was scanned."""
        with self._lock:
            place = ScanPlace(account=account, region=region, functions=functions, is_complete=is_complete)
            self._places.append(place)

    def add_error(self, account: str, region: str, message: str) -> None:
        """Add an account or region that was not scanned to its end."""
        with self._lock:
            self._errors.append(ScanError(account=account, region=region, message=message))

    def document(self, ended_at: datetime | None = None) -> ScanDocument:
        """Return everything that was found, the worst first."""
        with self._lock:
            findings = worst_first(self._findings.values())
            unread = any(gap.kind != GapKind.NOT_SELECTED for gap in self._gaps)
            return ScanDocument(
                started_at=self._now,
                ended_at=(ended_at or datetime.now(UTC)).isoformat(timespec="seconds"),
                permission_guard=__version__,
                is_complete=not self._errors and not unread,
                rules=self._rules,
                places=tuple(sorted(self._places)),
                findings=findings,
                unknowns=tuple(sorted(self._unknowns.values(), key=lambda one: (one.target_arn, one.rule_id))),
                gaps=tuple(sorted(self._gaps, key=lambda one: (one.account, one.region, one.kind, one.what))),
                not_evaluated=tuple(sorted(self._not_evaluated)),
                errors=tuple(sorted(self._errors)),
                known=tuple(sorted(self._seen_again)),
                counts=ScanCounts(
                    functions=sum(place.functions for place in self._places),
                    findings=sum(one.status is Status.OPEN for one in findings),
                    suppressed=sum(one.status is Status.SUPPRESSED for one in findings),
                    unknowns=len(self._unknowns),
                    passed=self._passed,
                    not_evaluated=len({one.function_arn for one in self._not_evaluated}),
                    known=len(self._seen_again),
                    below_severity=self._below,
                ),
            )

    def _keep(self, finding: Finding) -> bool:
        """Keep a finding, once: a role's is the same in every region. Return whether it is shown."""
        if finding.severity.is_below(self._severity):
            self._below += 1
            return False
        if finding.id in self._known and finding.status is Status.OPEN:
            self._seen_again.add(finding.id)
            return False
        is_new = finding.id not in self._findings
        self._findings.setdefault(finding.id, finding)
        return is_new


@record
class BaselineFile:
    """The open findings of an earlier scan, by their ids."""

    ids: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the JSON output of a scan. InputError if it is none."""
        try:
            document = json.loads(path.read_bytes())
            if document["version"] != VERSION or "findings" not in document or "counts" not in document:
                raise ValueError("another document")
            findings = [one["id"] for one in document["findings"] if one["status"] == Status.OPEN]
            return cls(frozenset(map(str, (*findings, *document["known"]))))
        except OSError as error:
            raise InputError(f"{path}: the file cannot be read: {error.strerror or error}") from None
        except UNREADABLE:
            raise InputError(
                f"{path}: not the JSON output of a scan. Write one with: permission-guard scan --output {path}"
            ) from None


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by severity, the worst first, and by what they are about."""
    severities = list(Severity)[::-1]
    return tuple(
        sorted(findings, key=lambda one: (severities.index(one.severity), one.target_arn, one.rule_id, one.subject))
    )


def selected_rules(rules: frozenset[str] | None) -> Sequence[str]:
    """Return the ids of the rules that a scan evaluates; None selects all."""
    return [rule.id for rule in RULES if rules is None or rule.id in rules]


def _excluded(function_arn: str, reasons: Mapping[str, str]) -> list[NotEvaluated]:
    """Return why a function is not evaluated, once for each reason."""
    rules: dict[str, list[str]] = {}
    for rule_id, reason in reasons.items():
        rules.setdefault(reason, []).append(rule_id)
    return [
        NotEvaluated(function_arn=function_arn, reason=reason, rules=tuple(sorted(found)))
        for reason, found in rules.items()
    ]
