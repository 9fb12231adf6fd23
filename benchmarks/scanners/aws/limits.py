"""The limits of Lambda's control plane for one account and region.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from benchmarks.scanners.aws.requests import Reply, error_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scanners.aws.requests import Call

POLICIES: Final = 15.0
FUNCTIONS: Final = 100.0
OTHERS: Final = 15.0
"""Calls a second: `GetPolicy`, `GetFunction`, and all other calls together. None of them can be raised."""


class Bucket:
    """A token bucket that holds the tokens of one second. A refused call takes none."""

    def __init__(self, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._clock = clock
        self._tokens = a_second
        self._at = clock()

    def take(self) -> bool:
        """Take a token. Return whether there was one."""
        now = self._clock()
        self._tokens = min(self._a_second, self._tokens + (now - self._at) * self._a_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Limits:
    """The buckets of one run. An account at rest begins with full ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = {"GetPolicy": Bucket(POLICIES, clock), "GetFunction": Bucket(FUNCTIONS, clock)}
        self._others = Bucket(OTHERS, clock)

    def admits(self, call: Call) -> bool:
        """Return whether AWS would answer a call. Only Lambda has limits here."""
        return call.service != "lambda" or self._buckets.get(call.operation, self._others).take()


def refusal() -> Reply:
    """Return what Lambda answers to a call over the limit."""
    return error_reply(
        429, "TooManyRequestsException", Reason="CallerRateLimitExceeded", Type="User", message="Rate exceeded"
    )
