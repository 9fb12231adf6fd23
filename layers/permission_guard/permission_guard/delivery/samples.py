"""How a sample reaches every destination, once each and all at the same time, and what became of it there."""

from __future__ import annotations

from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.bus.alert_tests import alert_test_of
from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.alerts.base import reason_of, send_within
from permission_guard.delivery.ledger import DeliveryOutcome, deliver_once
from permission_guard.errors import MalformedEventError
from permission_guard.model.destinations import DestinationResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.ledger import DeliveryLedger, DeliveryResult
    from permission_guard.delivery.limits import Limits
    from permission_guard.model.destinations import Destination
    from permission_guard.model.targets import JSON

    Send = Callable[[], DestinationResult]
    """Sends the sample to one destination."""

TRIES_SECONDS: Final = 50.0
"""How long to wait for all destinations. The functions that send have 60 seconds."""


def answer_test(
    event: JSON, test_all: Callable[[AlertTest], Sequence[DestinationResult]], metrics: Metrics
) -> dict[str, JSON] | None:
    """Return the answer to an event that requests a test, None for a batch of messages.

    `test_all` tests every destination. MalformedEventError for an event that is nearly a test: it counts as refused.
    """
    try:
        test = alert_test_of(event)
    except MalformedEventError:
        metrics.add_metric(name="EventsRefused", unit=MetricUnit.Count, value=1)
        raise
    if test is None:
        return None
    results = test_all(test)
    metrics.add_metric(name="DestinationsTested", unit=MetricUnit.Count, value=len(results))
    metrics.add_metric(
        name="DestinationsFailed", unit=MetricUnit.Count, value=sum(not result.is_done for result in results)
    )
    return {"results": [result.to_document() for result in results]}


def send_test(
    test: AlertTest,
    channels: Sequence[tuple[Destination, AlertChannel]],
    ledger: DeliveryLedger,
    limits: Limits | None,
    pool: Callable[[int], Executor],
) -> list[DestinationResult]:
    """Send a test message to every channel, once each; return what became of it, in the same order.

    `limits` count it; without a place it is not sent. `pool` makes threads.
    """
    message = compose_test(test)

    def send(destination: Destination, channel: AlertChannel) -> DestinationResult:
        result = deliver_once(ledger, channel.name, test.key, lambda: send_within(limits, channel, message))
        return sent(destination, result, Outcome.SENT)

    return at_the_same_time([(one, partial(send, one, channel)) for one, channel in channels], pool)


def sent(destination: Destination, result: DeliveryResult, outcome: Outcome) -> DestinationResult:
    """Return the result of a delivery; `outcome` is what it means if it was not made before."""
    done = outcome if result.outcome is DeliveryOutcome.DELIVERED else Outcome.ALREADY_SENT
    return DestinationResult(destination=destination, outcome=done, reference=result.reference or "")


def failed(destination: Destination, reason: str, *, reference: str = "") -> DestinationResult:
    """Return that a destination did not get the sample, or with a reference, that its ticket was not closed."""
    outcome = Outcome.NOT_CLOSED if reference else Outcome.FAILED
    return DestinationResult(destination=destination, outcome=outcome, reference=reference, reason=reason)


def at_the_same_time(
    tries: Sequence[tuple[Destination, Send]],
    pool: Callable[[int], Executor],
    *,
    seconds: float = TRIES_SECONDS,
) -> list[DestinationResult]:
    """Try every destination; return the results in the same order. What one raises is its own failure.

    A destination that has not answered after `seconds` is not waited for: its result says so.
    """
    if not tries:
        return []
    threads = pool(len(tries))
    running = [(one, threads.submit(send)) for one, send in tries]
    answered = wait([future for _, future in running], timeout=seconds).done
    # A thread that still runs is left alone: its sender has time limits of its own.
    threads.shutdown(wait=False, cancel_futures=True)
    late = f"no answer within {seconds:.0f} seconds"
    return [_result(one, future) if future in answered else failed(one, late) for one, future in running]


def _result(destination: Destination, future: Future[DestinationResult]) -> DestinationResult:
    error = future.exception()
    if isinstance(error, Exception):
        return failed(destination, reason_of(error))
    return future.result()


def log_results(test: AlertTest, results: Sequence[DestinationResult], logger: Logger) -> None:
    """Log what became of a test at each destination."""
    for result in results:
        about = {"test_message": test.id, "by": test.by, "channel": result.destination.name}
        logger.info(result.outcome, extra={**about, "reference": result.reference, "reason": result.reason})
