"""The limits: evenly spaced calls below AWS's limits, slower while AWS throttles."""

from __future__ import annotations

from threading import Event, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from permission_guard.aws.rates import CATCH_UP_SECONDS, Rate
from permission_guard.aws.session_clients import SessionClients, rates_of
from permission_guard.errors import ConfigurationError, ScanStoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.config import Config

    from permission_guard.aws.rates import Rates


class Clock:
    """A clock that waiting moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.is_stopped = False
        self.late = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds + (self.late if seconds else 0.0)
        return self.is_stopped


def times_of(rate: Rate, clock: Clock, calls: int, seconds_a_call: float = 0.0) -> list[float]:
    """Make some calls one after the other; return when each was made."""
    found = []
    for _ in range(calls):
        rate.take()
        found.append(clock.now)
        clock.now += seconds_a_call
    return found


def most_in_a_second(times: list[float]) -> int:
    """Return the largest number of calls in any second."""
    return max(sum(start <= at < start + 1 for at in times) for start in times)


def test_a_thousand_calls_of_getpolicy_take_no_longer_than_the_target_and_never_exceed_the_limit() -> None:
    """AWS allows 15 a second: at that rate they take 67 seconds, and the target is 73."""
    clock = Clock()
    rates = rates_of(15.0, 10.0, clock.wait, clock)
    (rate, others) = rates._rates["lambda.GetPolicy"], rates._rates["lambda"]
    times = times_of(rate, clock, 1000)
    assert times[-1] - times[0] < 70
    assert most_in_a_second(times) <= 15
    assert most_in_a_second(times_of(others, clock, 100)) <= 10


def test_late_calls_catch_up_a_little() -> None:
    """Threads wake up late on a busy machine: that must not add up. An idle second must not be made up for."""
    clock = Clock()
    rate = Rate("lambda", 10.0, clock.wait, clock)
    clock.late = 0.05
    late = times_of(rate, clock, 50)
    assert late[-1] - late[0] == pytest.approx(4.9, abs=0.06)
    clock.now, clock.late = clock.now + 60, 0.0
    assert most_in_a_second(times_of(rate, clock, 20)) <= 11
    clock.late = CATCH_UP_SECONDS + 0.05
    very_late = times_of(rate, clock, 11)
    assert very_late[-1] - very_late[0] > 1.2


def test_a_rate_shrinks_while_aws_throttles_and_recovers() -> None:
    """Others use the limit too. Many calls that are throttled at the same time count once."""
    clock = Clock()
    rate = Rate("lambda", 10.0, clock.wait, clock)
    for _ in range(5):
        rate.throttled()
    assert (rate.use.rate, rate.use.throttled, rate.use.limit) == (7.5, 5, 10.0)
    clock.now += 1.0
    rate.throttled()
    assert rate.use.rate == 7.5 * 0.75
    for _ in range(100):
        clock.now += 10
        rate.throttled()
    assert rate.use.rate == 0.5
    for _ in range(30):
        clock.now += 1
        rate.succeeded()
    assert rate.use.rate == 10.0


def test_a_shrunk_rate_spaces_the_calls_further() -> None:
    """The calls that wait already are made at the new rate."""
    clock = Clock()
    rate = Rate("lambda", 10.0, clock.wait, clock)
    rate.throttled()
    times = times_of(rate, clock, 11)
    assert times[-1] - times[1] == pytest.approx(9 / 7.5, abs=0.01)


@pytest.mark.parametrize("limit", [1.0, None])
def test_a_stopped_scan_makes_no_call(limit: float | None) -> None:
    """Also without a limit, and also if another thread waits already."""
    stop = Event()
    rate = Rate("lambda", limit, stop.wait)
    rate.take()
    errors: list[BaseException] = []

    def call() -> None:
        try:
            while True:
                rate.take()
        except ScanStoppedError as error:
            errors.append(error)

    threads = [Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(5)
    assert len(errors) == 3


def a_client(rates: Rates, answer: Callable[..., AWSResponse], service: str = "lambda") -> Any:
    """Return a client whose requests are answered without a network."""
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
    client = SessionClients(session, "us-east-1", rates, 4).client(service)
    client.meta.events.register("before-send", answer)
    return client


def answers(*statuses: int) -> Callable[..., AWSResponse]:
    """Answer with some statuses, then with 200."""
    left = list(statuses)

    def answer(**_request: Any) -> AWSResponse:
        status = left.pop(0) if left else 200
        body = b'{"Aliases": [], "message": "Rate exceeded"}'
        headers = HTTPHeaders()
        if status == 429:
            headers["x-amzn-errortype"] = "TooManyRequestsException"
        return AWSResponse(
            "https://lambda.us-east-1.amazonaws.com", status, headers, SimpleNamespace(stream=lambda: [body])
        )

    return answer


def test_each_attempt_of_a_call_takes_a_token_and_a_throttled_one_slows_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries count against AWS's limit, too. No throttling error surfaces."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    clock = Clock()
    rates = rates_of(15.0, 10.0, clock.wait, clock)
    client = a_client(rates, answers(429, 429))
    assert client.list_aliases(FunctionName="orders")["Aliases"] == []
    use = {one.name: one for one in rates.uses}
    assert (use["lambda"].calls, use["lambda"].throttled) == (3, 2)
    assert use["lambda"].rate is not None
    assert use["lambda"].limit is not None
    assert use["lambda"].rate < use["lambda"].limit
    assert use["lambda:GetPolicy"].calls == 0


def test_getpolicy_has_a_limit_of_its_own_and_getresources_two() -> None:
    """Every other call of Lambda's control plane shares one; API Gateway's GetResources also counts as one of all."""
    clock = Clock()
    rates = rates_of(15.0, 10.0, clock.wait, clock)
    a_client(rates, answers()).get_policy(FunctionName="orders")
    a_client(rates, answers()).list_functions()
    a_client(rates, answers(), "apigateway").get_resources(restApiId="a")
    a_client(rates, answers(), "apigateway").get_rest_apis()
    a_client(rates, answers(), "logs").describe_subscription_filters(logGroupName="a")
    a_client(rates, answers(), "logs").describe_log_groups()
    calls = {one.name: one.calls for one in rates.uses}
    assert calls == {
        "lambda:GetPolicy": 1,
        "lambda": 1,
        "apigateway": 2,
        "apigateway:GetResources": 1,
        "logs:DescribeSubscriptionFilters": 1,
        "other services": 1,
    }


def test_a_client_is_created_once_and_identifies_the_bot() -> None:
    """Lambda's calls are slowed down by the limits, those of other services by botocore."""
    clients = SessionClients(boto3.Session(), "us-east-1", rates_of(None, None, lambda _: False), 7)
    client = clients.client("lambda")
    assert clients.client("lambda") is client
    config: Config = client.meta.config
    assert config.retries["mode"] == "standard"  # type: ignore[attr-defined]
    assert config.max_pool_connections == 7  # type: ignore[attr-defined]
    assert "permission-guard/" in config.user_agent_extra  # type: ignore[attr-defined]
    assert clients.client("iam").meta.config.retries["mode"] == "adaptive"


def test_a_region_that_is_no_name_is_an_error_in_plain_words() -> None:
    """The command line prints it as it is."""
    clients = SessionClients(boto3.Session(), "us east!", rates_of(None, None, lambda _: False), 1)
    with pytest.raises(ConfigurationError, match="boto3 cannot create a client for lambda in us east!"):
        clients.client("lambda")
