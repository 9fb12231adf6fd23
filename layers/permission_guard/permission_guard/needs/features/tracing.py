"""Needs for active tracing with AWS X-Ray.

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

    Telemetry is data of the sender about itself. AWS's own policy for Application Signals omits it, and traces arrive
    with that policy.
    """

    name = "X-Ray tracing"
    managed_policy = "AWSXRayDaemonWriteAccess"

    def is_used(self, function: Function) -> bool:
        """Return whether Lambda starts traces; with PassThrough it only passes on existing ones."""
        return part(function, "TracingConfig").get("Mode") == "Active"

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:  # noqa: ARG002 - a Feature
        """Return the needs for sending segments, and telemetry, which is only recommended."""
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
                purpose="to send telemetry about the traces to X-Ray",
            ),
        )


def segments(kind: NeedKind, call: LambdaCall, purpose: str, doubt: str = "") -> Need:
    """Return the need for sending segments to X-Ray."""
    return Need("xray:PutTraceSegments", "*", kind, call, purpose=purpose, doubt=doubt)
