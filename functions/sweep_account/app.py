"""The sweep: request a check of every function of the account and region, on a schedule."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.bootstrap.sweep import sweeper

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="sweep_account")
_FAILURES_SHOWN = 20

metrics = Metrics(namespace="PermissionGuard", service="sweep_account")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Request the checks and publish open findings again; return the numbers of both."""
    swept = sweeper(os.environ)()
    metrics.add_metric(name="FunctionsSwept", unit=MetricUnit.Count, value=swept.functions)
    metrics.add_metric(name="FindingsOpen", unit=MetricUnit.Count, value=swept.open_findings)
    logger.info("checks requested", extra={**asdict(swept), "failures": swept.failures[:_FAILURES_SHOWN]})
    metrics.add_metric(name="FindingsNotPublished", unit=MetricUnit.Count, value=len(swept.failures))
    if swept.failures:
        logger.error("findings not published", extra={"failures": swept.failures[:_FAILURES_SHOWN]})
    return {"functions": swept.functions, "deleted": swept.deleted, "open_findings": swept.open_findings}
