"""The benchmark of throttled checks: what it throttles and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import throttling

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that replaces the real one."""
    clock = Clock()
    monkeypatch.setattr("time.sleep", clock.sleep)
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    return clock


STANDARD = {"mode": "standard", "total_max_attempts": 3}


def test_a_check_that_is_not_throttled_takes_the_time_of_its_calls(clock: Clock) -> None:
    """Seven calls on Lambda's API and two on the table."""
    (environment,) = throttling.of_share(0, checks=2)(STANDARD)
    assert (environment.attempts, environment.throttled, environment.failed) == (14, 0, 0)
    assert environment.seconds == [pytest.approx(9 * throttling.LATENCY)] * 2


def test_a_check_of_which_every_attempt_is_throttled_fails(clock: Clock) -> None:
    """The calls that need the reply of another one are not made."""
    (environment,) = throttling.of_share(100, checks=1)(STANDARD)
    assert environment.failed == 1
    assert environment.attempts == environment.throttled == 5 * 3
    assert environment.seconds[0] > 12 * throttling.LATENCY


def test_a_share_of_the_attempts_is_throttled(clock: Clock) -> None:
    """The calls are repeated, and most checks succeed."""
    (environment,) = throttling.of_share(20)(STANDARD)
    assert 0.1 < environment.throttled / environment.attempts < 0.3
    assert environment.failed < throttling.CHECKS / 4


def test_attempts_that_exceed_the_limit_are_throttled(clock: Clock) -> None:
    """The bucket fills with time."""
    limit = throttling.Limit(15)
    assert [limit() for _ in range(16)] == [False] * 15 + [True]
    clock.sleep(2 / 15)
    assert [limit() for _ in range(3)] == [False, False, True]


def test_the_deployed_way_to_retry_is_measured() -> None:
    """The ratios are to it."""
    assert throttling.DEPLOYED in throttling.WAYS.values()


@pytest.mark.parametrize("run", [throttling.of_share(5, checks=2), throttling.of_limit], ids=["share", "limit"])
def test_a_line_is_printed_for_each_way(
    run: Callable[[dict[str, object]], list[throttling.Environment]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the seconds of a check and the ratio."""
    monkeypatch.setattr(throttling, "LATENCY", 0.0)
    monkeypatch.setattr(throttling, "CHECKS", 1)
    throttling.measure("title", run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "title"
    assert [line[:10] for line in lines[3:]] == list(throttling.WAYS)
