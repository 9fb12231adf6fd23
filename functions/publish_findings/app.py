"""The outbox: publish the transitions in the findings table's stream on the bus `permission-guard`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.logs import function_logger, function_metrics
from permission_guard.bootstrap.publisher import publisher

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = function_logger("publish_findings")
metrics = function_metrics("publish_findings")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Publish a batch of stream records in order; return the first one that failed, where the stream continues."""
    return publisher(os.environ, logger, metrics)(event)
