"""Keep calls below AWS's limits: a token bucket for each limit, on the events of a botocore client.

All functions are called from several threads at the same time.
"""

from __future__ import annotations

import math
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import ScanStoppedError
from permission_guard.sweep.progress import CallRate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MARGIN: Final = 0.5
"""By how many calls a second at most the bot stays below a limit of AWS.

Evenly spaced calls, none of which is late, are then never more than the limit in any second.
"""

CATCH_UP_SECONDS: Final = 0.1
"""How much later than its turn a waiting call may be made without delaying the next: threads do not wake up on time."""

_SHRINK: Final = 0.75
_MIN_RATE: Final = 0.5
_RECOVERY_A_SECOND: Final = 0.05
_ADJUSTMENT_SECONDS: Final = 1.0

_THROTTLED_STATUS: Final = 429
_THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


class Rate:
    """One limit: a token bucket that holds hardly more than one token, so that the calls are evenly spaced.

    `limit` is in calls a second, None for no limit. The rate shrinks by a quarter, at most once a second, while AWS
    throttles, because other callers share the limit; it recovers within seconds. `wait` sleeps for some seconds, and
    returns true at once if the scan is stopped.
    """

    def __init__(
        self,
        name: str,
        limit: float | None,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._limit = limit
        self._rate = limit
        self._wait = wait
        self._clock = clock
        self._turn = Lock()
        self._state = Lock()
        self._next_at = 0.0
        self._adjusted_at = -math.inf
        self._calls = 0
        self._throttled = 0

    def take(self) -> None:
        """Wait until a call may be made. ScanStoppedError if the scan is stopped meanwhile.

        One thread waits for the token, the others for their turn.
        """
        arrived_at = self._clock()
        with self._turn:
            delay = self._delay()
            while True:
                if self._wait(max(delay, 0.0)):
                    raise ScanStoppedError(f"stopped before a call to {self._name}")
                delay = self._delay()
                if delay <= 0:
                    break
            self._count(arrived_at)

    def throttled(self) -> None:
        """Slow down: AWS throttled a call."""
        with self._state:
            self._throttled += 1
            now = self._clock()
            if self._rate is None or now - self._adjusted_at < _ADJUSTMENT_SECONDS:
                return
            self._rate = max(_MIN_RATE, self._rate * _SHRINK)
            self._adjusted_at = now

    def succeeded(self) -> None:
        """Recover: AWS accepted a call."""
        with self._state:
            elapsed = self._clock() - self._adjusted_at
            if self._rate is None or self._limit is None or self._rate >= self._limit or elapsed < _ADJUSTMENT_SECONDS:
                return
            self._rate = min(self._limit, self._rate + self._limit * _RECOVERY_A_SECOND * elapsed)
            self._adjusted_at += elapsed

    @property
    def use(self) -> CallRate:
        """How many calls were made, and the rate now."""
        with self._state:
            return CallRate(
                name=self._name, calls=self._calls, throttled=self._throttled, rate=self._rate, limit=self._limit
            )

    def _delay(self) -> float:
        with self._state:
            return self._next_at - self._clock()

    def _count(self, arrived_at: float) -> None:
        with self._state:
            self._calls += 1
            if self._rate is not None:
                turn = max(self._next_at, arrived_at, self._clock() - CATCH_UP_SECONDS)
                self._next_at = turn + 1 / self._rate


class Rates:
    """The limits of one account and region: which of them a call takes a token of.

    `rates` maps a service, or a service and an operation such as `api-gateway.GetResources`, to its limit. The services
    are named as in botocore's events. A call of an operation with a limit of its own takes a token of it, and also one
    of the service's limit if it is in `shared`. `others` counts all other calls.
    """

    def __init__(self, rates: Mapping[str, Rate], others: Rate, shared: Iterable[str] = ()) -> None:
        self._rates = rates
        self._others = others
        self._shared = frozenset(shared)

    @property
    def uses(self) -> tuple[CallRate, ...]:
        """How each limit is used."""
        return tuple(rate.use for rate in (*self._rates.values(), self._others))

    def attach(self, client: Any) -> None:
        """Have each attempt of a call of a client wait for its turn, and learn from how AWS answers."""
        events = client.meta.events
        events.register_first("before-send", self._before_send)
        events.register("needs-retry", self._after_response)

    def _before_send(self, event_name: str, **_request: Any) -> None:
        for rate in self._of(event_name):
            rate.take()

    def _after_response(self, event_name: str, response: Any = None, **_attempt: Any) -> None:
        if response is None:
            return
        http, parsed = response
        code = parsed.get("Error", {}).get("Code", "")
        is_throttled = http.status_code == _THROTTLED_STATUS or code in _THROTTLED
        for rate in self._of(event_name):
            if is_throttled:
                rate.throttled()
            else:
                rate.succeeded()

    def _of(self, event_name: str) -> Iterable[Rate]:
        # An event's name: before-send.<service>.<operation>
        _, service, operation = event_name.split(".", 2)
        own, general = self._rates.get(f"{service}.{operation}"), self._rates.get(service)
        if own is None:
            return (general or self._others,)
        return (own, general) if general is not None and f"{service}.{operation}" in self._shared else (own,)
