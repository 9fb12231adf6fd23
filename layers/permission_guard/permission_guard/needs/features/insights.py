"""Needs for Lambda Insights.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-insights.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, NeedKind
from permission_guard.needs.features.configuration import has_layer
from permission_guard.needs.features.logging import writing

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need

_GROUP: Final = "/aws/lambda-insights"


class Insights:
    """A function with the layer of Lambda Insights, which writes metrics as logs."""

    name = "Lambda Insights"
    managed_policy = "CloudWatchLambdaInsightsExecutionRolePolicy"
    subject = "insights"
    member = "Layers"
    purpose = "send metrics to Lambda Insights"
    impact = (
        "The Lambda Insights layer runs with every invocation but cannot write its metrics: its dashboards show "
        "nothing of this function, and alarms on its metrics see no data."
    )

    def is_used(self, function: Function) -> bool:
        """Return whether the function has the layer, of either architecture."""
        return has_layer(function, "LambdaInsightsExtension")

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for writing to the log group of Lambda Insights, which all functions share."""
        if not self.is_used(function):
            return ()
        return writing(
            _GROUP,
            function,
            sources,
            kind=NeedKind.FEATURE,
            call=LambdaCall.CODE,
            purpose="to write the metrics of Lambda Insights",
        )
