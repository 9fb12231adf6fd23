"""What an event of the bus is about: the transition as the findings table has it.

Whoever may put events on the bus could write anything into them. So only the names come from an event: the finding, its
function and the revision. What is sent to people is read from the table.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult
from permission_guard.errors import UnrecordedTransitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.bus.events import BusEvent
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON, FindingTarget

    Current = Callable[[], Finding | None]
    """Reads the finding as it is now, None if it does not exist."""


class RecordedFindings(Protocol):
    """Reads findings, consistently."""

    def finding(self, target: FindingTarget, finding_id: str) -> Finding | None:
        """Return a finding as it is now, None if there is none."""

    def transition(self, target: FindingTarget, finding_id: str, revision: int) -> Finding | None:
        """Return a finding as its transition to a revision left it, None if there was none or it has expired."""


def deliver_event(
    event: BusEvent,
    findings: RecordedFindings,
    send: Callable[[Finding, Current], Sequence[DeliveryResult]],
) -> Sequence[DeliveryResult]:
    """Send the transition that an event names.

    A transition that has expired is skipped: a newer one follows. UnrecordedTransitionError if the table has no such
    transition.
    """
    current = partial(findings.finding, event.target, event.finding_id)
    finding = findings.transition(event.target, event.finding_id, event.revision) or _unchanged(event, current())
    if finding is None:
        return (DeliveryResult(channel="", outcome=DeliveryOutcome.EXPIRED),)
    return send(finding, current)


def log_deliveries(event: BusEvent, results: Sequence[DeliveryResult], logger: Logger, metrics: Metrics) -> None:
    """Log what became of an event at each channel; count the repairs of the ledger."""
    about = {"finding_id": event.finding_id, "revision": event.revision, "transition": event.transition}
    log_results(about, results, logger, metrics)


def log_results(about: Mapping[str, JSON], results: Sequence[DeliveryResult], logger: Logger, metrics: Metrics) -> None:
    """Log what became of a message at each channel; count repairs, and what limits hold. `about` names the message."""
    for result in results:
        logger.info(result.outcome, extra={**about, "channel": result.channel, "reference": result.reference})
        if result.repaired:
            logger.error("delivery record repaired: its revision was above the finding's", extra=about)
            metrics.add_metric(name="DeliveriesRepaired", unit=MetricUnit.Count, value=1)
        if result.outcome is DeliveryOutcome.LIMIT_REACHED:
            metrics.add_metric(name="DeliveriesPostponed", unit=MetricUnit.Count, value=1)
        if result.outcome is DeliveryOutcome.WAITS_FOR_DIGEST:
            metrics.add_metric(name="DeliveriesWaiting", unit=MetricUnit.Count, value=1)


def _unchanged(event: BusEvent, current: Finding | None) -> Finding | None:
    """Return the finding if the event is about its last transition, None if a newer one was recorded."""
    if current is None or current.revision < event.revision:
        recorded = f"its revision is {current.revision}" if current else "it does not exist"
        raise UnrecordedTransitionError(
            f"an event names revision {event.revision} of finding {event.finding_id}, but {recorded}"
        )
    return current if current.revision == event.revision else None
