"""Show how far a scan is: a live display on a terminal, plain lines elsewhere. Both are on standard error."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from permission_guard.reports.findings import counted
from permission_guard.reports.terminal import echo_error, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.sweep.bulk import CallRate, Progress

_REFRESHES_A_SECOND: Final = 4
_MOST_ROWS: Final = 8
_LINE_EVERY_SECONDS: Final = 30.0
_MINUTE: Final = 60


class ScanProgress:
    """How far each account and region is. Any thread may report; `lines` receives plain lines, None for no lines."""

    def __init__(self, lines: Callable[[str], None] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._clock = clock
        self._lock = Lock()
        self._total: int | None = None
        self._phase = ""
        self._done = 0
        self._findings = 0
        self._running: dict[str, Progress | None] = {}
        self._last_line: dict[str, float] = {}

    def phase(self, text: str) -> None:
        """Show what the scan does before it evaluates functions."""
        with self._lock:
            self._phase = text

    def places(self, total: int) -> None:
        """Show of how many accounts and regions the scan is."""
        with self._lock:
            self._total, self._phase = total, ""

    def start(self, place: str) -> None:
        """Show that an account and region is being scanned."""
        with self._lock:
            self._running[place] = None
            self._last_line[place] = self._clock()

    def update(self, place: str, progress: Progress) -> None:
        """Show how far an account and region is."""
        with self._lock:
            self._running[place] = progress
            is_due = self._clock() - self._last_line.get(place, 0.0) >= _LINE_EVERY_SECONDS
            if is_due:
                self._last_line[place] = self._clock()
        if is_due and self._lines:
            self._lines(f"{place}: {_functions(progress)}, {counted(progress.findings, 'finding')}{_left(progress)}")

    def end(self, place: str, functions: int, findings: int) -> None:
        """Show that an account and region is done. `findings` are the new ones that are shown."""
        with self._lock:
            self._running.pop(place, None)
            self._done += 1
            self._findings += findings
        if self._lines:
            self._lines(f"{place}: {counted(functions, 'function')}, {counted(findings, 'finding')}")

    def fail(self, place: str) -> None:
        """Show that an account and region is not scanned any more. The reason is printed at the end."""
        with self._lock:
            self._running.pop(place, None)
            self._done += 1

    def rendered(self) -> Group:
        """Return the display: a summary, and a row for each account and region that is being scanned."""
        with self._lock:
            running = dict(self._running)
            found = self._findings + sum(one.findings for one in running.values() if one)
            total = f" of {self._total:,}" if self._total is not None else ""
            summary = self._phase or f"{self._done:,}{total} accounts and regions, {counted(found, 'finding')} so far"
        table = Table.grid(padding=(0, 2))
        for place, progress in list(running.items())[:_MOST_ROWS]:
            if progress is None:
                table.add_row(plain(place), plain("starting"))
                continue
            rates = "  ".join(filter(None, map(_rate, progress.rates)))
            waits = f"waits for {progress.waits_for}" if progress.waits_for else ""
            cells = (place, _functions(progress), _left(progress).removeprefix(", "), rates, waits)
            table.add_row(*map(plain, cells))
        more = len(running) - _MOST_ROWS
        return Group(Text(summary), table, *([Text(f"and {more} more")] if more > 0 else []))


@contextmanager
def showing(*, quiet: bool) -> Iterator[ScanProgress]:
    """Show the progress of a scan while it runs: live on a terminal, as lines elsewhere, nothing if `quiet`."""
    console = Console(stderr=True)
    if quiet:
        yield ScanProgress(None)
    elif not console.is_terminal:
        yield ScanProgress(echo_error)
    else:
        progress = ScanProgress(None)
        with Live(
            console=console,
            get_renderable=progress.rendered,
            refresh_per_second=_REFRESHES_A_SECOND,
            transient=True,
            redirect_stdout=False,
        ):
            yield progress


def _functions(progress: Progress) -> str:
    if not progress.is_listed:
        return f"{progress.done:,} of {progress.listed:,} or more functions"
    return f"{progress.done:,} of {counted(progress.listed, 'function')}"


def _left(progress: Progress) -> str:
    """Return the estimated time left, with a comma before it, empty if it is unknown."""
    seconds = progress.seconds_left
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), _MINUTE)
    return f", {minutes} min {rest} s left" if minutes else f", {rest} s left"


def _rate(rate: CallRate) -> str:
    """Return the rate of a limit that is in use, such as `lambda 9.8/10 a second`."""
    if not rate.calls or rate.rate is None or rate.limit is None:
        return ""
    throttled = f" ({rate.throttled:,} throttled)" if rate.throttled else ""
    return f"{rate.name} {rate.rate:.3g}/{rate.limit:.3g} a second{throttled}"
