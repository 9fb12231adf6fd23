"""Do what people request about findings: suppress one, end that, check a function again, test the channels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.findings import manager
from permission_guard.bootstrap.logs import COUNT, function_logger, function_metrics
from permission_guard.errors import CallerUnprovenError, RequestRefusedError
from permission_guard.findings.requests import FindingRequestKind

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = function_logger("manage_findings")
metrics = function_metrics("manage_findings")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what a request says that its caller signed; return that it is done, or the reason why it is refused."""
    audience = ":".join(context.invoked_function_arn.split(":")[:7])
    try:
        managed = manager(os.environ)(event, audience)
    except RequestRefusedError as error:
        logger.warning("request refused", extra={"reason": str(error)})
        unproven = isinstance(error, CallerUnprovenError)
        metrics.add_metric(name="CallersUnproven" if unproven else "RequestsRefused", unit=COUNT, value=1)
        return {"done": False, "reason": str(error)}
    request, finding = managed.request, managed.finding
    answer: dict[str, Any] = {"done": True, "kind": str(request.kind), "by": managed.by, "changed": managed.changed}
    if finding is not None:
        answer |= {"finding_id": finding.id, "status": str(finding.status), "revision": finding.revision}
    if request.kind is FindingRequestKind.TEST_MESSAGE:
        answer["results"] = [result.to_document() for result in managed.results]
    about = {"finding_id": request.finding_id, "target": request.target_arn, "until": request.until}
    logger.info("request done", extra=about | {"reason": request.reason} | answer)
    metrics.add_metric(name="RequestsDone", unit=COUNT, value=1)
    return answer
