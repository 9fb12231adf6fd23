"""Sums of CloudWatch metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.aws.calls import read
from permission_guard.model.metrics import Metric, MetricSum
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import (
        GetMetricDataOutputTypeDef,
        MetricDataQueryTypeDef,
        MetricStatTypeDef,
        MetricTypeDef,
    )

_ACTION: Final = "cloudwatch:GetMetricData"
_COMPLETE: Final = "Complete"

_MOST_PERIODS: Final = 45_000
"""How many periods one call may read. CloudWatch answers for 90,000 in a second, and counts those without data too.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
"""
_MOST_QUERIES: Final = 500


class Metrics:
    """Reads metrics of the account and region of a client.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    """

    def __init__(self, client: CloudWatchClient) -> None:
        self._cloudwatch = client

    def sums(
        self, metrics: Sequence[Metric], start: datetime, end: datetime
    ) -> Mapping[Metric, tuple[MetricSum, ...]] | Unread:
        """Return the sums of each metric from one time to another, the oldest first; Unread if one is not complete."""
        found: dict[Metric, tuple[MetricSum, ...]] = {}
        seconds = (end - start).total_seconds()
        left = list(metrics)
        while left:
            most = _MOST_PERIODS * min(one.period for one in left) // seconds if seconds > 0 else _MOST_QUERIES
            size = max(1, min(int(most), _MOST_QUERIES))
            part, left = left[:size], left[size:]
            sums = self._sums(part, start, end)
            if isinstance(sums, Unread):
                return sums
            found |= sums
        return found

    def _sums(
        self, metrics: Sequence[Metric], start: datetime, end: datetime
    ) -> dict[Metric, tuple[MetricSum, ...]] | Unread:
        """Return the sums of metrics that one call may read."""
        ids = {f"m{number}": metric for number, metric in enumerate(metrics)}
        queries = [_query(name, metric) for name, metric in ids.items()]

        def pages() -> list[GetMetricDataOutputTypeDef]:
            paginator = self._cloudwatch.get_paginator("get_metric_data")
            return list(
                paginator.paginate(MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending")
            )

        reply = read(_ACTION, pages)
        if reply is None or isinstance(reply, Unread):
            return reply or Unread(_ACTION, "ResourceNotFound", "no such metrics", denied=False)
        found: dict[str, list[MetricSum]] = {name: [] for name in ids}
        status: dict[str, str] = {}
        for result in (result for page in reply for result in page["MetricDataResults"]):
            found[result["Id"]] += map(MetricSum, result["Timestamps"], result["Values"])
            # A metric of several pages is complete on its last one.
            status[result["Id"]] = result["StatusCode"]
        for name, metric in ids.items():
            if status.get(name) != _COMPLETE:
                code = status.get(name, "no result")
                return Unread(_ACTION, code, f"{metric.namespace} {metric.name} is not complete", denied=False)
        return {metric: tuple(found[name]) for name, metric in ids.items()}


def _query(name: str, metric: Metric) -> MetricDataQueryTypeDef:
    measured: MetricTypeDef = {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions],
    }
    summed: MetricStatTypeDef = {"Metric": measured, "Period": metric.period, "Stat": "Sum"}
    return {"Id": name, "MetricStat": summed}
