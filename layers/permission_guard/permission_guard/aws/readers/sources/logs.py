"""Log groups: whether they exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import GONE, SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


def group(client: CloudWatchLogsClient, arn: str) -> SourceReading:
    """Look for a log group among those that begin like it: it comes first, so that one page is enough."""
    name = arn.split(":", 6)[6]
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return (
        SourceReading()
        if any(found.get("logGroupName") == name for page in pages for found in page["logGroups"])
        else GONE
    )


def _group(arn: str) -> str:
    """Return the ARN of a log group without the `:*` that stands for its streams."""
    return arn.removesuffix(":*")


LOGS = SourceService("logs", "logs", state=SourceRead("logs:DescribeLogGroups", group, about=_group, own=True))
