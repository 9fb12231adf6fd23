"""The outbox: what the findings table's stream says has happened becomes events on the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.aws.findings_table import FINDING_PREFIX, read_finding
from permission_guard.errors import MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.model import JSON, Finding


class Bus(Protocol):
    """Where transitions are told."""

    def publish(self, finding: Finding) -> None:
        """Tell of a finding's last transition."""


def publish(event: Mapping[str, JSON], bus: Bus, logger: Logger, metrics: Metrics) -> dict[str, JSON]:
    """Publish a batch of stream records in their order; return Lambda's partial batch response.

    A stream goes on from the first record that failed, so that a finding's transitions never change places.
    """
    published = 0
    failed: list[dict[str, JSON]] = []
    for record in event["Records"]:
        try:
            finding = transition_of(record)
            if finding is None:
                continue
            bus.publish(finding)
        except MalformedEventError as error:
            # It would be malformed the next time as well, and hold up all that comes after it. The item stays there.
            logger.warning("item is no finding and was not published", extra={"reason": str(error)})
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


def transition_of(record: Mapping[str, JSON]) -> Finding | None:
    """Return the finding that has just made a transition, None when the record tells of none.

    MalformedEventError when the item is a finding that cannot be read.
    """
    change = record["dynamodb"]
    new, old = change.get("NewImage"), change.get("OldImage")
    if not new or not new["sk"]["S"].startswith(FINDING_PREFIX):  # deleted, expired, or bookkeeping
        return None
    if old and old.get("revision") == new.get("revision"):
        return None
    try:
        return read_finding(new)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedEventError(f"{new['pk']['S']} {new['sk']['S']} is no finding: {error!r}") from error
