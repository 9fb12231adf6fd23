"""Record the decision of a person about a proposed fix; the only function that may."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from permission_guard.bootstrap.decisions import decider
from permission_guard.bootstrap.logs import function_logger
from permission_guard.errors import CallerUnprovenError, RequestRefusedError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = function_logger("decide_fix")
metrics = Metrics(namespace="PermissionGuard", service="decide_fix")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record an approval or a rejection that its caller signed; return it, or the reason why it is refused."""
    audience = ":".join(context.invoked_function_arn.split(":")[:7])
    try:
        decision = decider(os.environ, logger, metrics)(event, audience)
    except RequestRefusedError as error:
        logger.warning("decision refused", extra={"reason": str(error)})
        unproven = isinstance(error, CallerUnprovenError)
        metrics.add_metric(name="CallersUnproven" if unproven else "DecisionsRefused", unit=MetricUnit.Count, value=1)
        return {"recorded": False, "reason": str(error)}
    about = {"finding_id": decision.finding_id, "revision": decision.revision, "plan_hash": decision.plan_hash}
    logger.info("decision recorded", extra=about | {"decision": decision.kind, "decided_by": decision.by})
    metrics.add_metric(name="DecisionsRecorded", unit=MetricUnit.Count, value=1)
    return {"recorded": True, "decision": decision.kind, "decided_by": decision.by, "decided_at": decision.at}
