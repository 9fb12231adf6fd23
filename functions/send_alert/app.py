"""Send alerts about findings to SNS and Slack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Metrics

from permission_guard.bootstrap.alerts import alert_sender, notice_sender
from permission_guard.bootstrap.logs import function_logger
from permission_guard.bus.alert_tests import TEST_DETAIL_TYPE, read_alert_test
from permission_guard.bus.batch import process_batch
from permission_guard.delivery.alerts.notice import of_test
from permission_guard.delivery.transitions import log_deliveries

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.bus.events import BusEvent
    from permission_guard.model.targets import JSON

logger = function_logger("send_alert")
metrics = Metrics(namespace="PermissionGuard", service="send_alert")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Send the alerts for a batch of transitions; return the messages to deliver again."""
    return process_batch(event, _alert, logger, metrics, others={TEST_DETAIL_TYPE: _test})


def _alert(event: BusEvent) -> None:
    log_deliveries(event, alert_sender(os.environ)(event), logger, metrics)


def _test(detail: JSON) -> None:
    test = read_alert_test(detail)
    for result in notice_sender(os.environ)(of_test(test)):
        logger.info("test message", extra={"channel": result.channel, "outcome": result.outcome, "by": test.by})
