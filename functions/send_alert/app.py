"""Send alerts about findings, digests and test messages to every channel."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.alert_samples import message_results
from permission_guard.bootstrap.alerts import alert_sender, digest_sender, waiting_sender
from permission_guard.bootstrap.configuration import with_configuration
from permission_guard.bootstrap.logs import function_logger, function_metrics
from permission_guard.bootstrap.patience import patience
from permission_guard.bus.batch import process_batch
from permission_guard.bus.digests import DIGEST_DETAIL_TYPE, read_digest_id
from permission_guard.bus.waiting import WAITING_DETAIL_TYPE, read_waiting_channel
from permission_guard.delivery.samples import answer_test
from permission_guard.delivery.transitions import log_deliveries, log_results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.bus.events import BusEvent
    from permission_guard.config.document import GuardConfig

logger = function_logger("send_alert")
metrics = function_metrics("send_alert")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send the alerts for a batch of messages; return the messages to deliver again.

    An event that requests a test is answered with what became of the test message at each channel.
    """
    patience().begin(context.get_remaining_time_in_millis)
    answer = answer_test(event, lambda test: message_results(test, os.environ, logger, metrics), metrics)
    if answer is not None:
        return answer
    region, account = context.invoked_function_arn.split(":")[3:5]

    def alert(config: GuardConfig) -> dict[str, Any]:
        others = {
            DIGEST_DETAIL_TYPE: partial(_digest, config),
            WAITING_DETAIL_TYPE: partial(_waiting, config, account, region),
        }
        return process_batch(
            event, lambda one: _alert(one, config), logger, metrics, others, has_time=patience().begin_message
        )

    return with_configuration(event, os.environ, logger, metrics, alert)


def _alert(event: BusEvent, config: GuardConfig) -> None:
    log_deliveries(event, alert_sender(os.environ, config)(event), logger, metrics)


def _digest(config: GuardConfig, detail: Mapping[str, Any]) -> None:
    digest_id = read_digest_id(detail)
    log_results({"digest_id": digest_id}, digest_sender(os.environ, config)(digest_id), logger, metrics)


def _waiting(config: GuardConfig, account: str, region: str, detail: Mapping[str, Any]) -> None:
    channel = read_waiting_channel(detail)
    send = waiting_sender(os.environ, config, account, region)
    log_results({"waiting_for": channel}, send(channel), logger, metrics)
