"""Process a batch of events of the bus `permission-guard`, one by one, and report each message that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.bus.events import BusEvent, event_of, read_message
from permission_guard.errors import UnrecordedTransitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.model.targets import JSON


def process_batch(
    event: Mapping[str, JSON],
    handle: Callable[[BusEvent], None],
    logger: Logger,
    metrics: Metrics,
    *,
    others: Mapping[str, Callable[[JSON], None]] | None = None,
) -> dict[str, JSON]:
    """Pass each message's event to `handle`; return Lambda's partial batch response.

    `others` handle the `detail` of messages that are not about a finding, by their detail-type.

    An error of `handle` is logged with the finding's id. SQS retries the message, and moves it to the dead-letter queue
    in the end. An event about a transition that was never recorded is refused: it is logged and counted, not retried.
    """
    failed = []
    for record in event["Records"]:
        finding_id = "unknown"
        try:
            message = read_message(record["body"])
            other = next((one for name, one in (others or {}).items() if name == message.get("detail-type")), None)
            if other is not None:
                other(message.get("detail"))
                continue
            received = event_of(message)
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
