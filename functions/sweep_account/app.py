"""The sweep: request a check of every function of the account and region, on a schedule."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.logs import COUNT, function_logger, function_metrics
from permission_guard.bootstrap.sweep import sweeper
from permission_guard.sweep.sweep import CONTINUE, Outcome

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = function_logger("sweep_account")
_FAILURES_SHOWN = 20

metrics = function_metrics("sweep_account")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Request the checks and hand open findings over; return the numbers of this run, and whether it is the last.

    The event `CONTINUE` continues a sweep; every other event also starts one.
    """
    swept = sweeper(os.environ).run(context.get_remaining_time_in_millis, start=event != CONTINUE)
    for name, value in {
        "SweepsCompleted": int(swept.outcome is Outcome.COMPLETE),
        "FunctionsSwept": swept.functions,
        "FindingsOpen": swept.open_findings,
        "FindingsNotSent": len(swept.failures),
    }.items():
        metrics.add_metric(name=name, unit=COUNT, value=value)
    logger.info(str(swept.outcome), extra={**asdict(swept), "failures": swept.failures[:_FAILURES_SHOWN]})
    if swept.failures:
        logger.error("findings not sent", extra={"failures": swept.failures[:_FAILURES_SHOWN]})
    return {
        "complete": swept.outcome is Outcome.COMPLETE,
        "functions": swept.functions,
        "deleted": swept.deleted,
        "open_findings": swept.open_findings,
    }
