"""Check who may invoke functions, after changes of resource-based policies and function URLs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.checks import check_batch
from permission_guard.bootstrap.configuration import with_configuration
from permission_guard.bootstrap.logs import function_logger, function_metrics
from permission_guard.model.targets import Direction
from permission_guard.rules.invoke_policy import RULES

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.config.document import GuardConfig

logger = function_logger("check_invoke_policy")
metrics = function_metrics("check_invoke_policy")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check the functions that a batch of queue messages names; return the messages to deliver again."""

    def check(config: GuardConfig) -> dict[str, Any]:
        batch = check_batch(Direction.INVOKE_POLICY, RULES, os.environ, config, logger=logger, metrics=metrics)
        return batch.handle(event, context.get_remaining_time_in_millis)

    return with_configuration(event, os.environ, logger, metrics, check)
