"""The findings, the stored state and the queue of an account in memory, with a clock, for the tests of maintenance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from permission_guard.config.document import Alerts, ExceptionEntry, GuardConfig, Period
from permission_guard.errors import ConflictError
from permission_guard.findings.checkpoint import StoredFindings
from permission_guard.maintenance.maintainer import Maintainer, Maintenance
from permission_guard.maintenance.state import MaintenanceState
from permission_guard.model.arns import finding_target
from tests.fake_metrics import InMemoryMetrics
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from permission_guard.findings.baseline import Baseline
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.digests import Digest
    from permission_guard.model.findings import Finding, Status
    from permission_guard.model.targets import FindingTarget, FunctionTarget

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
COMMAND = "permission-guard findings list --stack-name permission-guard --region us-east-1"


def at(**later: float) -> str:
    """Return a time after the start."""
    return (START + timedelta(**later)).isoformat(timespec="milliseconds")


def an_exception(**more: Any) -> ExceptionEntry:
    """Return an exception of all functions, for half a year."""
    values: dict[str, Any] = {
        "id": "uploads",
        "rules": ("PG201",),
        "reason": "Migration",
        "owner": "team-orders",
        "expires": START + timedelta(days=180),
    }
    return ExceptionEntry(**{**values, **more})


@dataclass
class Account:
    """What maintenance reads and writes. `before_write` runs before a finding is written.

    Without `summaries` there are no periodic digests.
    """

    config: GuardConfig = field(default_factory=GuardConfig)
    findings: dict[str, Finding] = field(default_factory=dict)
    unreadable: dict[str, set[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    held: MaintenanceState = field(default_factory=MaintenanceState)
    first: Baseline | None = None
    listed: list[FunctionTarget] | None = None
    not_checked: set[str] = field(default_factory=set)
    digests: dict[str, Digest] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    summaries: bool = False
    sent_to: list[str] = field(default_factory=list)
    not_evaluated: list[str] = field(default_factory=list)
    dead: dict[str, int] = field(default_factory=dict)
    now: datetime = START
    remaining: Callable[[], int] = lambda: 900_000
    before_write: Callable[[], None] = lambda: None
    reads: list[str] = field(default_factory=list)
    metrics: InMemoryMetrics = field(default_factory=InMemoryMetrics)
    tickets: Any = None

    def run(self, **later: float) -> Maintenance:
        """Run maintenance in a new environment, some time after the last run."""
        self.now += timedelta(**later)
        maintainer = Maintainer(
            self,
            self,
            self,
            self,
            self.metrics,
            waiting=self,
            dead_letters=self,
            config=lambda: self.config if self.summaries else replace(self.config, alerts=Alerts(digest=Period.OFF)),
            clock=lambda: self.now.isoformat(timespec="milliseconds"),
            account=ACCOUNT,
            region=REGION,
            command=COMMAND,
            tickets=self.tickets,
        )
        return maintainer.run(self.remaining)

    def add(self, *findings: Finding) -> None:
        """Record findings."""
        self.findings |= {finding.id: finding for finding in findings}

    # ── What waits for the alert channels ──

    def channels(self) -> Sequence[str]:
        if "broken" in self.waiting:
            raise ConnectionError("no answer")
        return self.waiting

    def counts(self) -> Sequence[tuple[str, int]]:
        if "broken" in self.dead:
            raise ConnectionError("no answer")
        return list(self.dead.items())

    def unknowns(self, functions: Sequence[FunctionTarget]) -> Sequence[str]:
        assert functions == (self.listed or ())
        return self.not_evaluated

    def send_waiting(self, channel: str) -> None:
        self.sent_to.append(channel)

    # ── Findings ──

    def keys_of(self, status: Status) -> Iterable[tuple[FindingTarget, str]]:
        found = [one for one in self.findings.values() if one.status is status]
        return [(finding_target(one.target_arn), one.id) for one in found]

    def applied_since(self, since: str) -> Iterable[tuple[FindingTarget, str]]:
        found = [one for one in self.findings.values() if one.fix and one.fix.at >= since]
        return [(finding_target(one.target_arn), one.id) for one in found]

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        self.reads.append(target.arn)
        if target.arn in self.broken:
            raise ConnectionError("no answer")
        own = [one for one in self.findings.values() if finding_target(one.target_arn) == target]
        return StoredFindings(tuple(own), frozenset(self.unreadable.get(target.arn, ())))

    def put_finding(self, change: Change) -> None:
        self.before_write()
        if self.findings[change.finding.id].revision != change.expected_revision:
            raise ConflictError(change.finding.id)
        self.findings[change.finding.id] = change.finding

    # ── The stored state ──

    def state(self) -> MaintenanceState:
        return self.held

    def put_state(self, state: MaintenanceState) -> MaintenanceState:
        if state.revision != self.held.revision:
            raise ConflictError("the state")
        self.held = MaintenanceState.from_document(replace(state, revision=state.revision + 1).to_document())
        return self.held

    def baseline(self) -> Baseline | None:
        return self.first

    def put_baseline(self, baseline: Baseline) -> Baseline:
        self.first = replace(baseline, revision=baseline.revision + 1)
        return self.first

    def put_digest(self, digest: Digest) -> None:
        self.digests.setdefault(digest.id, digest)

    def functions(self) -> Sequence[FunctionTarget] | None:
        return None if self.listed is None else sorted(self.listed, key=lambda one: one.arn)

    def unchecked(self, functions: Sequence[FunctionTarget]) -> Sequence[FunctionTarget]:
        assert 0 < len(functions) <= 50
        return [one for one in functions if one.name in self.not_checked]

    def send_digest(self, digest_id: str) -> None:
        assert digest_id in self.digests
        self.sent.append(digest_id)
