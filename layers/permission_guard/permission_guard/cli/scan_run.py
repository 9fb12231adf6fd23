"""Run a scan: open the accounts, evaluate several accounts and regions at a time, and go on where one fails."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from permission_guard.errors import PermissionGuardError
from permission_guard.fixes import fix_for
from permission_guard.model.findings import Status
from permission_guard.records import record
from permission_guard.reports.terminal import echo_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from types import FrameType

    from permission_guard.bootstrap.scan_places import Caller, OpenAccount
    from permission_guard.cli.scan_options import Coverage
    from permission_guard.cli.scan_progress import ScanProgress
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot
    from permission_guard.offline.state_file import StateWriter
    from permission_guard.reports.scan_results import ScanResults
    from permission_guard.sweep.bulk import BulkOptions, Evaluation, Gap

T = TypeVar("T")

_AT_A_TIME: Final = 4
"""How many accounts and regions are scanned at the same time. Each has its own limits in AWS."""
_OPENED_AT_A_TIME: Final = 8
_CHECK_SECONDS: Final = 0.2


@record
class Place:
    """An account and region to scan."""

    account: OpenAccount
    region: str

    def __str__(self) -> str:
        return f"{self.account.id} {self.region}"


@record(kw_only=True)
class ScanRun:
    """One scan. `saves` is where the state is kept, None if it is not; `plans` is whether fixes are planned."""

    options: BulkOptions
    results: ScanResults
    progress: ScanProgress
    stop: threading.Event
    saves: StateWriter | None = None
    plans: bool = False

    def run(self, caller: Caller, coverage: Coverage) -> None:
        """Scan everything that is covered. What fails is an error of the results, and the rest is scanned."""
        places = self._open(caller, coverage)
        self.progress.places(len(places))
        self._in_threads(_AT_A_TIME, places, self._scan)
        if self.stop.is_set():
            self.results.add_error("", "", "the scan was stopped: what was not evaluated is missing. Run it again")

    def _open(self, caller: Caller, coverage: Coverage) -> list[Place]:
        """Return the accounts and regions that can be scanned, in the order in which they are named."""
        self.progress.phase("Reading which accounts and regions to scan")
        try:
            own = caller.identity.account
            accounts = caller.organization() if coverage.organization else coverage.accounts
        except PermissionGuardError as error:
            self.results.add_error("", "", str(error))
            return []
        found: dict[str, list[Place]] = {}

        def open_one(account: str) -> None:
            try:
                opened = caller.account(account, coverage.role_name)
                found[account] = [Place(opened, region) for region in opened.regions(coverage.regions)]
            except PermissionGuardError as error:
                self.results.add_error(account, "", str(error))

        wanted = accounts or (own,)
        self._in_threads(_OPENED_AT_A_TIME, wanted, open_one)
        return [place for account in wanted for place in found.get(account, ())]

    def _in_threads(self, threads: int, items: Sequence[T], work: Callable[[T], None]) -> None:
        """Do the same for several items at a time. This thread waits, so that Ctrl-C is handled at once."""
        if not items:
            return
        with ThreadPoolExecutor(min(threads, len(items))) as pool:
            waiting: set[Future[None]] = {pool.submit(self._unless_stopped, work, item) for item in items}
            while waiting:
                done, waiting = wait(waiting, timeout=_CHECK_SECONDS, return_when=FIRST_COMPLETED)
                for one in done:
                    one.result()

    def _unless_stopped(self, work: Callable[[T], None], item: T) -> None:
        if not self.stop.is_set():
            work(item)

    def _scan(self, place: Place) -> None:
        """Scan an account and region. Whatever is wrong with it does not stop the others."""
        name, account, region = str(place), place.account.id, place.region
        self.progress.start(name)
        found: list[tuple[Finding, Snapshot]] = []
        functions = shown = 0
        problem = ""
        gaps: tuple[Gap, ...] = ()
        try:
            scan = place.account.scan(region, self.options, self.stop, lambda one: self.progress.update(name, one))
            for one in scan:
                new = self.results.add(one)
                shown += len(new)
                functions += not one.role_arn
                self._keep(one)
                found += self._to_plan(one, new)
            gaps = scan.gaps
            self._plan(place, found)
        except PermissionGuardError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - an error of ours in one place must not lose the others
            problem = f"the scan failed, please report it: {type(error).__name__}: {error}"
        self.results.add_gaps(account, region, gaps)
        is_complete = not problem and not any(gap.is_incomplete for gap in gaps)
        self.results.add_place(account, region, functions, is_complete=is_complete)
        if problem:
            self.results.add_error(account, region, problem)
            self.progress.fail(name)
        else:
            self.progress.end(name, functions, shown)

    def _keep(self, one: Evaluation) -> None:
        if self.saves is not None and not one.role_arn:
            self.saves.add(one.report.target, one.snapshots, one.tags)

    def _to_plan(self, one: Evaluation, findings: Sequence[Finding]) -> Iterator[tuple[Finding, Snapshot]]:
        """Yield the findings that have a fix, with the state to plan it from: the tags say whether it is allowed."""
        for finding in findings if self.plans else ():
            if fix_for(finding.rule_id) is not None and finding.status is Status.OPEN and not finding.role_arn:
                snapshot = one.snapshots[one.report.rules[finding.rule_id].direction]
                yield finding, replace(snapshot, tags=one.tags)

    def _plan(self, place: Place, found: Sequence[tuple[Finding, Snapshot]]) -> None:
        """Plan the fixes of an account and region, after its scan: plans read more of it."""
        if not found or self.stop.is_set():
            return
        planner = place.account.planner(place.region, self.options.config)
        for finding, snapshot in found:
            if self.stop.is_set():
                return
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.results.replace(planner.planned(finding, snapshot, now))


@contextmanager
def stopped_by_interrupts(stop: threading.Event) -> Iterator[None]:
    """Have Ctrl-C end the scan with what was found. A second one ends the program."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        echo_error("Stopping: what was found is printed. Press Ctrl-C again to end without it.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
