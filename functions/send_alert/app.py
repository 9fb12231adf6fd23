"""Send alerts about findings, digests and test messages to SNS and Slack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Metrics

from permission_guard.bootstrap.alerts import alert_sender, digest_sender, test_sender
from permission_guard.bootstrap.configuration import with_configuration
from permission_guard.bootstrap.logs import function_logger
from permission_guard.bus.alert_tests import TEST_DETAIL_TYPE, read_alert_test
from permission_guard.bus.batch import process_batch
from permission_guard.bus.digests import DIGEST_DETAIL_TYPE, read_digest_id
from permission_guard.bus.events import readable_events
from permission_guard.delivery.transitions import log_deliveries, log_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.bus.events import BusEvent
    from permission_guard.config.document import GuardConfig

logger = function_logger("send_alert")
metrics = Metrics(namespace="PermissionGuard", service="send_alert")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Send the alerts for a batch of messages; return the messages to deliver again."""

    def alert(config: GuardConfig) -> dict[str, Any]:
        batch = readable_events(event)
        return process_batch(event, lambda one: _alert(one, batch, config), logger, metrics, OTHERS)

    return with_configuration(event, os.environ, logger, metrics, alert)


def _alert(event: BusEvent, batch: Sequence[BusEvent], config: GuardConfig) -> None:
    log_deliveries(event, alert_sender(os.environ, config)(event, batch), logger, metrics)


def _digest(detail: Mapping[str, Any]) -> None:
    digest_id = read_digest_id(detail)
    log_results({"digest_id": digest_id}, digest_sender(os.environ)(digest_id), logger, metrics)


def _test(detail: Mapping[str, Any]) -> None:
    test = read_alert_test(detail)
    log_results({"test_message": test.id, "by": test.by}, test_sender(os.environ)(test), logger, metrics)


OTHERS = {DIGEST_DETAIL_TYPE: _digest, TEST_DETAIL_TYPE: _test}
"""What handles the messages that are not about a finding, by their detail-type."""
