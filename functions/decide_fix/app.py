"""Record what people decide: about a proposed fix, or to stop and resume all fixing; the only function that may."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.decisions import decider
from permission_guard.bootstrap.logs import COUNT, function_logger, function_metrics
from permission_guard.errors import CallerUnprovenError, RequestRefusedError
from permission_guard.fixes.stop_requests import StopAnswer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.fixes.decisions import Decision

logger = function_logger("decide_fix")
metrics = function_metrics("decide_fix")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record what its caller signed: an approval, a rejection, a stop; return it, or the reason why it is refused."""
    audience = ":".join(context.invoked_function_arn.split(":")[:7])
    try:
        recorded = decider(os.environ, logger, metrics)(event, audience)
    except RequestRefusedError as error:
        logger.warning("decision refused", extra={"reason": str(error)})
        unproven = isinstance(error, CallerUnprovenError)
        metrics.add_metric(name="CallersUnproven" if unproven else "DecisionsRefused", unit=COUNT, value=1)
        return {"recorded": False, "reason": str(error)}
    return _switched(recorded) if isinstance(recorded, StopAnswer) else _decided(recorded)


def _decided(decision: Decision) -> dict[str, Any]:
    about = {"finding_id": decision.finding_id, "revision": decision.revision, "plan_hash": decision.plan_hash}
    logger.info("decision recorded", extra=about | {"decision": decision.kind, "decided_by": decision.by})
    metrics.add_metric(name="DecisionsRecorded", unit=COUNT, value=1)
    return {"recorded": True, "decision": decision.kind, "decided_by": decision.by, "decided_at": decision.at}


def _switched(answer: StopAnswer) -> dict[str, Any]:
    fixing = answer.fixing
    state = {"since": fixing.since, "by": fixing.by, "reason": fixing.reason}
    asked = {"request": answer.request.kind, "requested_by": answer.caller, "requested_reason": answer.request.reason}
    logger.info(str(fixing), extra=asked | {"changed": answer.changed, "stopped": fixing.is_stopped, **state})
    metrics.add_metric(name="StopRequestsDone", unit=COUNT, value=1)
    if answer.changed and fixing.is_stopped:
        metrics.add_metric(name="FixingStopped", unit=COUNT, value=1)
    return {"done": True, "changed": answer.changed, "stopped": fixing.is_stopped, **state}
