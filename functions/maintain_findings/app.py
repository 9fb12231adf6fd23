"""Maintenance: end suppressions, watch applied fixes, report exceptions and the baseline, every ten minutes."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.logs import COUNT, function_logger, function_metrics
from permission_guard.bootstrap.maintenance import maintainer
from permission_guard.maintenance.maintainer import Outcome

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = function_logger("maintain_findings")
metrics = function_metrics("maintain_findings")

_SHOWN = 20


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Do what is due; return the numbers of this run. Without a configuration the run fails, and is retried."""
    region, account = context.invoked_function_arn.split(":")[3:5]
    done = maintainer(os.environ, account, region, logger, metrics).run(context.get_remaining_time_in_millis)
    for name, value in {
        "MaintenanceCompleted": int(done.outcome is Outcome.COMPLETE),
        "SuppressionsEnded": done.reopened,
        "FindingsSuppressed": done.suppressed,
        "UndosRequested": done.undos,
        "DigestsDue": len(done.digests),
        "TicketReviewsRequested": done.reviews,
        "ChannelsWaiting": len(done.waiting),
        "FindingsUnreadable": len(done.unreadable) + len(done.failures),
    }.items():
        metrics.add_metric(name=name, unit=COUNT, value=value)
    shown = {"unreadable": done.unreadable[:_SHOWN], "failures": done.failures[:_SHOWN]}
    logger.info(str(done.outcome), extra={**asdict(done), **shown})
    if done.unreadable or done.failures:
        logger.error("findings cannot be read or changed: left as they are", extra=shown)
    return {"complete": done.outcome is Outcome.COMPLETE, "reopened": done.reopened, "suppressed": done.suppressed}
