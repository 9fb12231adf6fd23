"""The emergency stop of fixing: a switch that people set, and a breaker that opens after three failed fixes in an hour.

Each has one writer: the switch `decide_fix`, the breaker `apply_fix`. Fixing is stopped if the switch says so, or if
the breaker has opened and nobody has resumed since. So the breaker can only stop, and only a person can resume.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.errors import UNREADABLE
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FAILED: Final = 3
"""So many fixes that failed or were undone within an hour open the breaker."""

WITHIN: Final = timedelta(hours=1)

BREAKER: Final = "apply_fix"
"""Who stops fixing when the breaker opens."""


class SwitchState(StrEnum):
    """What a person set the switch to."""

    STOPPED = "stopped"
    RESUMED = "resumed"


@record(kw_only=True)
class Switch:
    """What a person set last. `by` is the ARN of who did it, `at` ISO-8601 in UTC, `nonce` that of the request.

    `opening` is the opening of the breaker that a person has ended with it, empty for none.
    """

    state: SwitchState
    reason: str
    by: str
    at: str
    nonce: str
    opening: str = ""


@record(order=True)
class FailedFix:
    """A fix that failed or was undone: when, ISO-8601 in UTC, and its key, `<finding>#<revision>`."""

    at: str
    key: str

    @property
    def finding_id(self) -> str:
        """The id of the finding that the fix was for."""
        return self.key.partition("#")[0]


@record
class Breaker:
    """The fixes that failed or were undone in the last hour, and those that opened the breaker the last time.

    `number` counts how often it was written.
    """

    failed: tuple[FailedFix, ...] = ()
    opened_by: tuple[FailedFix, ...] = ()
    number: int = 0

    @property
    def opening(self) -> str:
        """What no other opening is called, empty if the breaker never opened."""
        return f"{self.opened_by[-1].at} {self.opened_by[-1].key}" if self.opened_by else ""


class StopState(Protocol):
    """Reads what stops fixing. An item that cannot be read is one of UNREADABLE."""

    def switch(self) -> Switch | None:
        """Return what people set last, None if nobody has."""

    def breaker(self) -> Breaker:
        """Return the breaker."""


class BreakerStore(StopState, Protocol):
    """Stores the breaker."""

    def put_breaker(self, breaker: Breaker) -> None:
        """Write the breaker. ConflictError if the one before it in number is not the recorded one."""


@record
class Fixing:
    """Whether fixing is stopped; since when, by whom, and why it is so. All are empty if nobody ever stopped it."""

    is_stopped: bool
    since: str = ""
    by: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """Return a sentence without its full stop."""
        if not self.since:
            return "fixing is stopped" if self.is_stopped else "fixing was never stopped"
        return f"fixing is {'stopped' if self.is_stopped else 'resumed'} since {self.since} by {self.by}: {self.reason}"


def state_of(switch: Switch | None, breaker: Breaker) -> Fixing:
    """Return whether fixing is stopped, and why."""
    if switch is not None and switch.state is SwitchState.STOPPED:
        return Fixing(True, switch.at, switch.by, switch.reason)
    if breaker.opening and breaker.opening != (switch.opening if switch else ""):
        return Fixing(True, breaker.opened_by[-1].at, BREAKER, _why_open(breaker.opened_by))
    return Fixing(False, switch.at, switch.by, switch.reason) if switch else Fixing(False)


def why_stopped(state: StopState) -> str:
    """Return why fixing is stopped, empty if it is not. What cannot be read stops it.

    The switch is read first: what it says of the breaker's openings then holds for all that the breaker can say later.
    Errors of the table are raised: nothing is written then either, and a retry may succeed.
    """
    try:
        switch = state.switch()
        fixing = state_of(switch, state.breaker())
    except UNREADABLE as error:
        return f"fixing is stopped, because what stops it cannot be read: {error}"
    return str(fixing) if fixing.is_stopped else ""


def count_failed_fix(store: BreakerStore, finding_id: str, revision: int, now: str) -> None:
    """Count a fix that failed or was undone, the same one once; the third one within an hour opens the breaker.

    `revision` is that of the finding before the result is recorded: it names the fix also when it is tried again. One
    of UNREADABLE if the breaker cannot be read; ConflictError if others count all the time.
    """
    retry_on_conflict(partial(_count, store, FailedFix(now, f"{finding_id}#{revision}")))


def _count(store: BreakerStore, fix: FailedFix) -> None:
    breaker = store.breaker()
    if any(one.key == fix.key for one in (*breaker.failed, *breaker.opened_by)):
        return
    since = datetime.fromisoformat(fix.at) - WITHIN
    failed = (*(one for one in breaker.failed if datetime.fromisoformat(one.at) > since), fix)
    counted = replace(breaker, number=breaker.number + 1, failed=failed)
    if len(failed) >= MAX_FAILED:
        counted = replace(counted, failed=(), opened_by=failed)
    store.put_breaker(counted)


def _why_open(fixes: Iterable[FailedFix]) -> str:
    names = [one.finding_id for one in fixes]
    return f"{len(names)} fixes failed or were undone within an hour, of the findings {', '.join(names)}"
