"""The maintenance run: end suppressions, suppress what the configuration excepts, watch fixes, send digests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from permission_guard.errors import ConflictError
from permission_guard.findings.baseline import BaselineStatus
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.watch import is_watched
from permission_guard.maintenance.baseline import BaselineTally
from permission_guard.maintenance.exceptions import exceptions_digest, review
from permission_guard.maintenance.summaries import Sources, summarize
from permission_guard.maintenance.summary import period_of
from permission_guard.maintenance.suppressions import configuration_digest, of_open, of_suppressed
from permission_guard.maintenance.tickets import request_reviews
from permission_guard.maintenance.watches import watch
from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.config.document import GuardConfig
    from permission_guard.findings.baseline import Baseline
    from permission_guard.findings.checkpoint import StoredFindings
    from permission_guard.findings.lifecycle import Change
    from permission_guard.maintenance.state import MaintenanceState
    from permission_guard.maintenance.stores import (
        DeadLetterCounts,
        DigestSender,
        Findings,
        FirstList,
        MaintenanceStore,
        WaitingChannels,
    )
    from permission_guard.maintenance.tickets import ReviewQueue
    from permission_guard.model.digests import Digest
    from permission_guard.model.findings import Finding
    from permission_guard.model.metrics import MetricReader
    from permission_guard.model.targets import FindingTarget

MIN_MILLIS: Final = 60_000
"""The remaining time below which nothing else is started: one target takes milliseconds, a throttled one seconds."""

SETTLE: Final = timedelta(minutes=1)
"""How long after the end of a baseline its digest is made: until then, checks write what they found before the end."""

_COMPARISONS: Final = 2
"""How many runs compare open findings with a new configuration: a check may have used the one before meanwhile."""

_FUNCTIONS_A_PART: Final = 50


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETE = "maintenance complete"
    STOPPED = "maintenance stopped: too little time left; the next run continues it"
    OVERTAKEN = "maintenance stopped: another run is in progress"


@record
class Maintenance:
    """What one run did. `undos` counts the fixes that it requested to undo, and `reviews` the tickets to be read.

    `waiting` are the names of the alert channels for which something waited.
    `unreadable` are ids of findings, and `failures` says what failed, with the reason.
    """

    outcome: Outcome
    reopened: int = 0
    suppressed: int = 0
    undos: int = 0
    digests: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    reviews: int = 0
    waiting: tuple[str, ...] = ()


class Maintainer:
    """Maintains the findings of one account and region.

    A run that has too little time left stops, and the next one continues with the target after the last. What cannot be
    read is counted, and keeps nothing else back.
    """

    def __init__(
        self,
        findings: Findings,
        store: MaintenanceStore,
        first_list: FirstList,
        queue: DigestSender,
        metrics: MetricReader,
        *,
        waiting: WaitingChannels,
        dead_letters: DeadLetterCounts,
        config: Callable[[], GuardConfig],
        clock: Callable[[], str],
        account: str,
        region: str,
        command: str,
        tickets: ReviewQueue | None = None,
    ) -> None:
        self._findings = findings
        self._store = store
        self._first_list = first_list
        self._queue = queue
        self._metrics = metrics
        self._waiting = waiting
        self._dead_letters = dead_letters
        self._config = config
        self._clock = clock
        self._account = account
        self._region = region
        self._command = command
        self._tickets = tickets

    def run(self, remaining_time_in_millis: Callable[[], int]) -> Maintenance:
        """Do what is due. ConfigurationUnavailableError if the configuration cannot be read: then nothing is done."""
        run = _Run(self._config(), remaining_time_in_millis)
        self._waiting_messages(run)
        state = self._store.state()
        try:
            state = self._watched(state, run)
            state = self._exceptions(self._comparison(self._suppressed(state, run), run), run)
            state = self._reviewed(state, run)
            state = self._summary(state, run)
            self._store.put_state(state)
            self._baseline(run)
        except ConflictError:
            return run.result(Outcome.OVERTAKEN)
        return run.result(Outcome.STOPPED if run.is_stopped or run.is_cut_short else Outcome.COMPLETE)

    def _waiting_messages(self, run: _Run) -> None:
        """Have sent what waits for the alert channels. It is requested again until nothing waits any more."""
        try:
            for channel in self._waiting.channels():
                self._queue.send_waiting(channel)
                run.waiting.append(channel)
        except Exception as error:  # noqa: BLE001 - the next run repeats it; the rest is as urgent
            run.failures.append(f"waiting messages: {type(error).__name__}: {error}")

    def _watched(self, state: MaintenanceState, run: _Run) -> MaintenanceState:
        """Watch the functions whose policies were narrowed: request to undo a fix, or send a digest about it, once.

        That takes half of the run at most, and the next one continues with the fix after the last.
        """
        hours = run.config.fixes.watch_hours
        since = datetime.fromisoformat(self._clock()) - timedelta(hours=hours)
        applied = list(dict.fromkeys(self._findings.applied_since(since.isoformat(timespec="milliseconds"))))
        last, due = state.watched_after, list[str]()
        first = next((number for number, (_, finding_id) in enumerate(applied, 1) if finding_id == last), 0)
        for target, finding_id in (*applied[first:], *applied[:first]):
            if run.is_stopped or run.is_half_over:
                run.is_cut_short = True
                return replace(state, watches=tuple(dict.fromkeys((*state.watches, *due))), watched_after=last)
            last = finding_id
            try:
                sent = retry_on_conflict(partial(self._watch, target, finding_id, state, run))
            except Exception as error:  # noqa: BLE001 - the other functions must be watched
                run.failures.append(_failure(target, error))
                continue
            due += [sent] if sent else []
        return replace(state, watches=tuple(dict.fromkeys(due)), watched_after="")

    def _watch(self, target: FindingTarget, finding_id: str, state: MaintenanceState, run: _Run) -> str:
        """Watch one applied fix; return the id of the digest about it, empty if there is nothing to say."""
        finding = next((one for one in self._findings.findings_of(target).findings if one.id == finding_id), None)
        if finding is None or finding.fix is None or not is_watched(finding.fix):
            return ""
        seen = watch(finding, finding.fix, self._metrics, self._clock(), run.config.fixes.watch_hours)
        if seen.unread:
            run.failures.append(f"{target.arn}: {seen.unread}")
        if seen.change is not None:
            self._findings.put_finding(seen.change)
            run.undos += 1
        if seen.digest is None:
            return ""
        if seen.digest.id not in state.watches:
            self._send(seen.digest, run)
        return seen.digest.id

    def _suppressed(self, state: MaintenanceState, run: _Run) -> MaintenanceState:
        """Reopen the findings whose suppression has ended, and see which exceptions suppress something."""

        def change_of(finding: Finding) -> Change | None:
            change = of_suppressed(finding, run.config, self._clock())
            suppression = (change.finding if change else finding).suppression
            if finding.status is Status.SUPPRESSED and suppression is not None:
                run.matched.add(suppression.exception)
            return change

        after = self._handled(Status.SUPPRESSED, state.suppressed_after, change_of, run)
        return replace(state, suppressed_after=after)

    def _comparison(self, state: MaintenanceState, run: _Run) -> MaintenanceState:
        """Suppress the open findings that a new configuration excepts."""
        configuration = configuration_digest(run.config)
        if state.configuration != configuration:
            state = replace(state, configuration=configuration, comparisons=_COMPARISONS, open_after="")
        if not state.comparisons or run.is_stopped:
            return state

        def change_of(finding: Finding) -> Change | None:
            change = of_open(finding, run.config, self._clock())
            if change is not None and change.finding.suppression is not None:
                run.matched.add(change.finding.suppression.exception)
            return change

        after = self._handled(Status.OPEN, state.open_after, change_of, run)
        return replace(state, open_after=after, comparisons=state.comparisons - (not after))

    def _exceptions(self, state: MaintenanceState, run: _Run) -> MaintenanceState:
        """Report the exceptions that expire soon or match nothing."""
        now = self._clock()
        found = review(state.exceptions, run.config, run.matched, account=self._account, now=now)
        place = {"account": self._account, "region": self._region}
        digest = exceptions_digest(found, **place, now=now, revision=state.revision)
        if digest is not None:
            self._send(digest, run)
        return replace(state, exceptions=found.memory)

    def _reviewed(self, state: MaintenanceState, run: _Run) -> MaintenanceState:
        """Request once a day that the tickets are read."""
        if self._tickets is None or run.is_stopped:
            return state
        today = self._clock()[: len("2026-11-20")]
        done = request_reviews(
            state, self._findings.keys_of, self._tickets, today=today, is_stopped=lambda: run.is_stopped
        )
        run.reviews += done.reviews
        run.failures += [done.failure] if done.failure else []
        return done.state

    def _summary(self, state: MaintenanceState, run: _Run) -> MaintenanceState:
        """Send the digest of all that is open, once in each period; the first period ends without one."""
        now = self._clock()
        period = period_of(run.config.alerts, now)
        if not period or period == state.summarized or run.is_stopped:
            return state
        if state.summarized:
            place = {"account": self._account, "region": self._region}
            sources = Sources(self._findings, self._store, self._first_list, self._dead_letters)
            made = summarize(sources, state, run.config, period, **place, now=now, command=self._command)
            run.failures += made.failures
            self._send(made.digest, run)
        return replace(state, summarized=period)

    def _baseline(self, run: _Run) -> None:
        baseline, now = self._store.baseline(), self._clock()
        if baseline is None or run.is_stopped:
            return
        if baseline.status is BaselineStatus.OPEN:
            after = self._checked_up_to(baseline, now)
            if after != baseline:
                self._store.put_baseline(after)
            return
        is_settled = baseline.closed_at and datetime.fromisoformat(now) >= (
            datetime.fromisoformat(baseline.closed_at) + SETTLE
        )
        if baseline.status is BaselineStatus.CLOSING and is_settled:
            digest = self._baseline_digest(baseline, now, run)
            self._send(digest, run)
            self._store.put_baseline(replace(baseline, status=BaselineStatus.CLOSED, digest_id=digest.id))

    def _checked_up_to(self, baseline: Baseline, now: str) -> Baseline:
        """Return an open baseline after a look at the next functions: it ends if all are checked or it is overdue."""
        functions, is_overdue = self._first_list.functions(), baseline.is_overdue(now)
        unchecked = 0
        remaining = iter([one for one in functions or () if one.arn > baseline.after])
        while part := tuple(islice(remaining, _FUNCTIONS_A_PART)):
            unchecked += len(self._store.unchecked(part))
            if unchecked and not is_overdue:
                return baseline
            if not unchecked:
                baseline = replace(baseline, after=part[-1].arn)
        if functions is None and not is_overdue:
            return baseline
        return replace(baseline, status=BaselineStatus.CLOSING, closed_at=now, unchecked=unchecked)

    def _baseline_digest(self, baseline: Baseline, now: str, run: _Run) -> Digest:
        tally, unread = BaselineTally(baseline), 0
        for target in self._targets(Status.OPEN):
            # A digest with a note is better than none: the next run would have no more time.
            recorded = None if run.is_stopped else self._recorded(target, run)
            if recorded is None:
                unread += 1
                continue
            run.unreadable |= recorded.unreadable
            for finding in recorded.findings:
                tally.add(finding)
        place = {"account": self._account, "region": self._region}
        return tally.digest(**place, now=now, command=self._command, unread=unread)

    def _recorded(self, target: FindingTarget, run: _Run) -> StoredFindings | None:
        try:
            return self._findings.findings_of(target)
        except Exception as error:  # noqa: BLE001 - the findings of the other targets must be counted
            run.failures.append(_failure(target, error))
            return None

    def _handled(self, status: Status, after: str, change_of: Callable[[Finding], Change | None], run: _Run) -> str:
        """Change the findings with a status, target by target; return after which ARN to continue, empty for none.

        A run that continues another one then goes on from the beginning: whatever the item of the state says, no target
        waits for longer than a run takes.
        """
        targets = sorted(self._targets(status), key=lambda target: (target.arn <= after, target.arn))
        for target in targets:
            if run.is_stopped:
                return after
            try:
                retry_on_conflict(partial(self._change, target, change_of, run))
            except Exception as error:  # noqa: BLE001 - the findings of the other targets must be handled
                run.failures.append(_failure(target, error))
            after = target.arn
        return ""

    def _change(self, target: FindingTarget, change_of: Callable[[Finding], Change | None], run: _Run) -> None:
        recorded = self._findings.findings_of(target)
        run.unreadable |= recorded.unreadable
        for finding in recorded.findings:
            change = change_of(finding)
            if change is None:
                continue
            self._findings.put_finding(change)
            if change.is_transition:
                run.changed[change.finding.status] += 1

    def _targets(self, status: Status) -> Iterator[FindingTarget]:
        """Yield the functions and roles with a finding that has a status, each once, in the order of their ARNs."""
        by_arn = {target.arn: target for target, _ in self._findings.keys_of(status)}
        return (by_arn[arn] for arn in sorted(by_arn))

    def _send(self, digest: Digest, run: _Run) -> None:
        """Store a digest and have it sent. If the run fails after that, the next one repeats it: it is sent once."""
        self._store.put_digest(digest)
        self._queue.send_digest(digest.id)
        run.digests.append(digest.id)


class _Run:
    """What a run has done so far."""

    def __init__(self, config: GuardConfig, remaining_time_in_millis: Callable[[], int]) -> None:
        self.config = config
        self._remaining_time_in_millis = remaining_time_in_millis
        self._half = remaining_time_in_millis() / 2
        self.is_cut_short = False
        self.matched: set[str] = set()
        self.changed = {Status.OPEN: 0, Status.SUPPRESSED: 0}
        self.undos = 0
        self.reviews = 0
        self.digests: list[str] = []
        self.unreadable: frozenset[str] = frozenset()
        self.failures: list[str] = []
        self.waiting: list[str] = []

    @property
    def is_stopped(self) -> bool:
        """Whether too little time is left to start anything else."""
        return self._remaining_time_in_millis() < MIN_MILLIS

    @property
    def is_half_over(self) -> bool:
        """Whether half of the time has passed."""
        return self._remaining_time_in_millis() < self._half

    def result(self, outcome: Outcome) -> Maintenance:
        """Return what the run did."""
        return Maintenance(
            outcome,
            self.changed[Status.OPEN],
            self.changed[Status.SUPPRESSED],
            self.undos,
            tuple(self.digests),
            tuple(sorted(self.unreadable)),
            tuple(self.failures),
            self.reviews,
            tuple(self.waiting),
        )


def _failure(target: FindingTarget, error: Exception) -> str:
    return f"{target.arn}: {type(error).__name__}: {error}"
