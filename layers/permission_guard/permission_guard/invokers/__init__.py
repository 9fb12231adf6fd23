"""The services that invoke functions: what their sources look like, and which keys they send."""

from __future__ import annotations

from permission_guard.invokers import alexa, edge, events, pollers, s3, sns
from permission_guard.invokers.base import Invoker

INVOKERS: tuple[Invoker, ...] = (
    alexa.CUSTOM_SKILL,
    alexa.SMART_HOME,
    edge.EDGE,
    edge.REPLICATOR,
    events.INVOKER,
    pollers.DYNAMODB,
    pollers.KINESIS,
    pollers.SQS,
    s3.INVOKER,
    sns.INVOKER,
)

_BY_PRINCIPAL = {invoker.principal: invoker for invoker in INVOKERS}


def invoker_of(principal: str) -> Invoker:
    """Return what is known of a service principal; one that is in no table is judged like any other service."""
    service = principal.split(".", 1)[0]
    general = Invoker(principal, f"{service} resource", "arn:{partition}:" + service + ":{region}:{account}:RESOURCE")
    return _BY_PRINCIPAL.get(principal, general)


__all__ = ["INVOKERS", "Invoker", "invoker_of"]
