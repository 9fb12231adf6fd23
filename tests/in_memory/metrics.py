"""CloudWatch in memory: the sums of metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from tests.in_memory.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.in_memory.service import Operations


class Metrics(Service):
    """The data points of an account: metric and dimensions, when, in seconds since 1970, and the value."""

    def __init__(self) -> None:
        self.points: list[tuple[str, Mapping[str, str], float, float]] = []

    def put(self, name: str, dimensions: Mapping[str, str], at: float, value: float = 1.0) -> None:
        """Add a data point of a metric, such as `AWS/Lambda Invocations`."""
        self.points.append((name, dict(dimensions), at, value))

    def _data(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a sum for each period that has data, under the time at which the period begins, the oldest first.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
        """
        start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
        results = []
        for query in params["MetricDataQueries"]:
            sums = self._sums(query["MetricStat"], start, end)
            times = [datetime.fromtimestamp(one, UTC) for one in sums]
            results.append(
                {"Id": query["Id"], "Timestamps": times, "Values": list(sums.values()), "StatusCode": "Complete"}
            )
        return {"MetricDataResults": results}

    def _sums(self, wanted: Mapping[str, Any], start: float, end: float) -> dict[float, float]:
        assert wanted["Stat"] == "Sum", wanted
        metric = wanted["Metric"]
        name = f"{metric['Namespace']} {metric['MetricName']}"
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        found: dict[float, float] = {}
        for measured, of, at, value in sorted(self.points, key=lambda one: one[2]):
            period = at - at % wanted["Period"]
            if (measured, of) == (name, dimensions) and start <= period < end:
                found[period] = found.get(period, 0.0) + value
        return found

    operations: ClassVar[Operations] = {"GetMetricData": _data}
