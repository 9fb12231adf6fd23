"""The outbox: publishes the transitions in the findings table's stream on the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.errors import EventRejectedError, MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON


class TransitionPublisher(Protocol):
    """Publishes transitions."""

    def publish(self, finding: Finding) -> None:
        """Publish a finding's last transition; EventRejectedError if it can never be published."""


def publish(
    event: Mapping[str, JSON],
    read: Callable[[Mapping[str, JSON]], Finding | None],
    bus: TransitionPublisher,
    logger: Logger,
    metrics: Metrics,
) -> dict[str, JSON]:
    """Publish a batch of stream records in their order; return Lambda's partial batch response.

    `read` returns the finding whose transition a stream record carries, None where it carries none; MalformedEventError
    when the item cannot be read. A stream goes on from the first record that failed, so that a finding's transitions
    never change places.
    """
    published = 0
    failed: list[dict[str, JSON]] = []
    for record in event["Records"]:
        try:
            finding = read(record)
            if finding is None:
                continue
            bus.publish(finding)
        except EventRejectedError as error:
            # A retry would fail too, and block the records after it. The finding stays in the table.
            logger.exception("event rejected: not published", extra={"reason": str(error)})
            metrics.add_metric(name="EventsRejected", unit=MetricUnit.Count, value=1)
            continue
        except MalformedEventError as error:
            # A retry would fail too, and block the records after it. The item stays in the table.
            logger.warning("item is not a finding: not published", extra={"reason": str(error)})
            metrics.add_metric(name="RecordsMalformed", unit=MetricUnit.Count, value=1)
            continue
        except Exception:
            sequence_number = record["dynamodb"]["SequenceNumber"]
            logger.exception("stream record could not be published", extra={"sequence_number": sequence_number})
            failed.append({"itemIdentifier": sequence_number})
            break
        published += 1
        logger.info(str(finding.transition), extra={"finding_id": finding.id, "revision": finding.revision})
    metrics.add_metric(name="EventsPublished", unit=MetricUnit.Count, value=published)
    metrics.add_metric(name="RecordsFailed", unit=MetricUnit.Count, value=len(failed))
    return {"batchItemFailures": failed}
