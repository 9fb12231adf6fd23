"""Alert: tells people of findings, through SNS and Slack."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics

from permission_guard.aws.clients import client
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.bootstrap.alerts import channels_for
from permission_guard.bus.batch import work_off
from permission_guard.config import AlertSettings
from permission_guard.delivery.alerts.base import AlertChannel, send

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.bus.events import BusEvent

logger = Logger(service="send_alert")
metrics = Metrics(namespace="PermissionGuard", service="send_alert")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Send the alerts of a batch of transitions; return the messages that have to come again."""
    return work_off(event, _alert, logger, metrics)


def _alert(event: BusEvent) -> None:
    finding = event.finding
    channels, ledger = _connected()
    for result in send(finding, channels, ledger):
        about = {"finding_id": finding.id, "revision": finding.revision, "transition": event.transition}
        logger.info(result.outcome, extra=about | {"channel": result.channel})


@cache
def _connected() -> tuple[list[AlertChannel], DeliveryTable]:
    """Connect once an execution environment: the Slack channel remembers its webhook."""
    settings = AlertSettings.from_environment(os.environ)
    return channels_for(settings, client), DeliveryTable(client("dynamodb"), settings.deliveries_table)
