"""Work off a batch of events of the bus `permission-guard`, one by one, every message answered for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.errors import MalformedEventError
from permission_guard.model import JSON, Finding, Transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger, Metrics

SOURCE = "permission-guard"


def work_off(
    event: Mapping[str, JSON],
    handle: Callable[[Transition, Finding], None],
    logger: Logger,
    metrics: Metrics,
) -> dict[str, JSON]:
    """Give each message's event to `handle`; return Lambda's partial batch response.

    Whatever `handle` raises is logged with the finding's id, and its message comes again, in the end to the
    dead-letter queue.
    """
    failed = []
    for record in event["Records"]:
        finding_id = "unknown"
        try:
            transition, finding = read_event(record["body"])
            finding_id = finding.id
            handle(transition, finding)
        except Exception as error:
            logger.exception(
                "message could not be handled",
                extra={"message_id": record["messageId"], "finding_id": finding_id, "error": type(error).__name__},
            )
            failed.append({"itemIdentifier": record["messageId"]})
    metrics.add_metric(name="MessagesReceived", unit=MetricUnit.Count, value=len(event["Records"]))
    metrics.add_metric(name="MessagesFailed", unit=MetricUnit.Count, value=len(failed))
    return {"batchItemFailures": failed}


def read_event(body: str) -> tuple[Transition, Finding]:
    """Read a message that carries an event of the bus; MalformedEventError when it does not.

    The transition is what the event says; the finding's own may be another one, when a person sent it.
    """
    try:
        event = json.loads(body)
    except ValueError as error:
        raise MalformedEventError("the message is not JSON") from error
    if not isinstance(event, Mapping) or event.get("source") != SOURCE:
        raise MalformedEventError("the message is not an event of the permission-guard bus")
    try:
        return Transition(event["detail-type"]), Finding.from_document(event["detail"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedEventError(f"the event carries no finding document: {error!r:.200}") from error
