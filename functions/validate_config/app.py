"""Validate a configuration document before AppConfig deploys it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.logs import COUNT, function_logger, function_metrics
from permission_guard.bootstrap.validation import validator
from permission_guard.errors import PermissionGuardError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = function_logger("validate_config")
metrics = function_metrics("validate_config")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda's signature
    """Return if AppConfig may deploy the document. An error refuses it; its message has every problem."""
    try:
        validator(os.environ)(event)
    except PermissionGuardError as error:
        about = {"version": str(event.get("configurationVersion")), "reason": str(error)}
        logger.warning("configuration refused", extra=about)
        metrics.add_metric(name="ConfigurationsRefused", unit=COUNT, value=1)
        raise
    logger.info("configuration valid", extra={"version": str(event.get("configurationVersion"))})
    metrics.add_metric(name="ConfigurationsValid", unit=COUNT, value=1)
