"""Process a batch of messages behind the bus `permission-guard`, one by one, and report each message that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.bus.events import BusEvent, event_of, read_message
from permission_guard.errors import UnrecordedTransitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.model.targets import JSON

    Handler = Callable[[Mapping[str, JSON]], None]
    """Handles the detail of a message."""


def process_batch(
    event: Mapping[str, JSON],
    handle: Callable[[BusEvent], None],
    logger: Logger,
    metrics: Metrics,
    others: Mapping[str, Handler] | None = None,
    *,
    sources: Mapping[str, str] | None = None,
    has_time: Callable[[int], bool] = lambda _messages: True,
) -> dict[str, JSON]:
    """Pass each message's event to `handle`; return Lambda's partial batch response.

    `others` handle the messages that are not about a finding, by their detail-type: each gets the detail. `sources` has
    the source of each detail-type that comes from another one than the bot.

    An error of `handle` is logged with the finding's id. SQS retries the message, and moves it to the dead-letter queue
    in the end. An event about a transition that was never recorded is refused: it is logged and counted, not retried.
    So is a message about a digest that was never recorded.

    `has_time` is asked before each message, with the number of those that are left. When it returns false, they are not
    tried, and are delivered again: if the function ended before the batch did, those that were handled would be, too.
    """
    failed = []
    for number, record in enumerate(event["Records"]):
        left = [{"itemIdentifier": one["messageId"]} for one in event["Records"][number:]]
        if not has_time(len(left)):
            logger.warning("too little time is left: messages are delivered again", extra={"messages": len(left)})
            failed += left
            break
        finding_id = "unknown"
        try:
            detail_type, detail = read_message(record["body"], sources)
            other = others.get(detail_type) if others and isinstance(detail_type, str) else None
            if other is not None:
                other(detail)
                continue
            received = event_of(detail_type, detail)
            finding_id = received.finding_id
            handle(received)
        except UnrecordedTransitionError as error:
            about = {"message_id": record["messageId"], "finding_id": finding_id}
            logger.exception("event refused", extra=about | {"reason": str(error)})
            metrics.add_metric(name="EventsRefused", unit=MetricUnit.Count, value=1)
        except Exception as error:
            logger.exception(
                "message could not be handled",
                extra={"message_id": record["messageId"], "finding_id": finding_id, "error": type(error).__name__},
            )
            failed.append({"itemIdentifier": record["messageId"]})
    metrics.add_metric(name="MessagesReceived", unit=MetricUnit.Count, value=len(event["Records"]))
    metrics.add_metric(name="MessagesFailed", unit=MetricUnit.Count, value=len(failed))
    return {"batchItemFailures": failed}
