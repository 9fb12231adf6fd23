"""Active tracing with AWS X-Ray.

https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, Need, NeedKind
from permission_guard.needs.features.configuration import part

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources


class Tracing:
    """A function whose invocations Lambda traces.

    Telemetry is what the sender says of itself. AWS's own policy for Application Signals, with which traces arrive,
    does without it.
    """

    name = "X-Ray tracing"
    managed_policy = "AWSXRayDaemonWriteAccess"

    def is_used(self, function: Function) -> bool:
        """Tell whether Lambda starts traces; with PassThrough it only hands on what it is given."""
        return part(function, "TracingConfig").get("Mode") == "Active"

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:  # noqa: ARG002 - a Feature
        """Return sending segments, and telemetry, which is not missed."""
        if not self.is_used(function):
            return ()
        purpose = "to send traces to X-Ray"
        return (
            segments(NeedKind.TRACING, LambdaCall.TRACING, purpose),
            Need(
                "xray:PutTelemetryRecords",
                "*",
                NeedKind.TRACING,
                LambdaCall.TRACING,
                recommended=True,
                purpose="to tell X-Ray how sending goes",
            ),
        )


def segments(kind: NeedKind, call: LambdaCall, purpose: str, doubt: str = "") -> Need:
    """Return sending segments to X-Ray."""
    return Need("xray:PutTraceSegments", "*", kind, call, purpose=purpose, doubt=doubt)
