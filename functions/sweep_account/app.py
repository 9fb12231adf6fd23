"""Sweep: have every function of the account and region looked at, on a schedule."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.aws.clients import client
from permission_guard.aws.findings_table import FindingsTable
from permission_guard.aws.functions import FunctionReader
from permission_guard.aws.look_queue import request_looks
from permission_guard.config import SweepSettings
from permission_guard.sweep import sweep

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="sweep_account")
metrics = Metrics(namespace="PermissionGuard", service="sweep_account")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Request the looks; return how many functions exist, and how many are known only from open findings."""
    settings = SweepSettings.from_environment(os.environ)
    swept = sweep(
        FunctionReader(client("lambda")),
        FindingsTable(client("dynamodb"), settings.findings_table),
        [partial(request_looks, client("sqs"), url) for url in settings.queue_urls],
    )
    metrics.add_metric(name="FunctionsSwept", unit=MetricUnit.Count, value=swept.functions)
    logger.info("looks requested", extra={"functions": swept.functions, "deleted": swept.deleted})
    return {"functions": swept.functions, "deleted": swept.deleted}
