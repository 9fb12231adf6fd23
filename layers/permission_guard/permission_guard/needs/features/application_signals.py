"""Needs for CloudWatch Application Signals.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-application-signals.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, NeedKind
from permission_guard.needs.features.configuration import has_layer
from permission_guard.needs.features.logging import writing
from permission_guard.needs.features.tracing import segments

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need

_GROUP: Final = "/aws/application-signals/data"
_PURPOSE: Final = "to send traces and metrics to Application Signals"
_DOUBT: Final = "it depends on environment variables, which are not read, whether Application Signals is enabled"


class ApplicationSignals:
    """A function with the layer of the AWS Distro for OpenTelemetry for Application Signals.

    The layer runs only if the environment variable AWS_LAMBDA_EXEC_WRAPPER calls it, and other variables say where it
    sends its metrics. Environment variables can contain secrets and are not stored, so each need has a doubt.
    """

    name = "Application Signals"
    managed_policy = "CloudWatchLambdaApplicationSignalsExecutionRolePolicy"
    subject = "application-signals"
    member = "Layers"
    purpose = "send traces and metrics to Application Signals"
    impact = "Application Signals shows neither traces nor metrics of this function."

    def is_used(self, function: Function) -> bool:
        """Return whether the function has the layer, of any language."""
        return has_layer(function, "AWSOpenTelemetryDistro")

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for sending segments and writing to the shared log group of Application Signals."""
        if not self.is_used(function):
            return ()
        kind, call = NeedKind.FEATURE, LambdaCall.CODE
        return (
            segments(kind, call, _PURPOSE, _DOUBT),
            *writing(_GROUP, function, sources, kind=kind, call=call, purpose=_PURPOSE, doubt=_DOUBT),
        )
