"""Fix findings, as FixMode allows; the only function that may write to IAM and Lambda."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from permission_guard import rules
from permission_guard.bootstrap.configuration import with_configuration
from permission_guard.bootstrap.fixes import fixer
from permission_guard.bootstrap.logs import COUNT, function_logger, function_metrics
from permission_guard.bus.batch import process_batch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.bus.events import BusEvent
    from permission_guard.config.document import GuardConfig

logger = function_logger("apply_fix")
metrics = function_metrics("apply_fix")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Handle findings that opened or reopened, and approved fixes; return the messages to deliver again."""

    def fix(config: GuardConfig) -> dict[str, Any]:
        return process_batch(event, lambda one: _fix(one, config), logger, metrics)

    return with_configuration(event, os.environ, logger, metrics, fix)


def _fix(event: BusEvent, config: GuardConfig) -> None:
    # Only the names come from the event; state and decisions are read from the tables and from AWS.
    outcome = fixer(rules.RULES, os.environ, config).handle(event.target, event.finding_id)
    logger.info(
        outcome.summary,
        extra={
            "finding_id": outcome.finding_id,
            "result": outcome.result,
            "before": outcome.fix_record.before if outcome.fix_record else None,
            "after": outcome.fix_record.after if outcome.fix_record else None,
            "undo": outcome.fix_record.undo if outcome.fix_record else None,
        },
    )
    if outcome.stopped:
        logger.warning("fixing is stopped", extra={"finding_id": outcome.finding_id, "reason": outcome.stopped})
        metrics.add_metric(name="FixingStopped", unit=COUNT, value=1)
    if outcome.result is not None:
        metrics.add_metric(name=f"Fixes{outcome.result.capitalize()}", unit=COUNT, value=1)
