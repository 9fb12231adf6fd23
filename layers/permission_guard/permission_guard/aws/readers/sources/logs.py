"""Log groups: whether they exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import NOT_FOUND, SourceRead, SourceReading, SourceService
from permission_guard.iam.arn import require_arn

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


def group(client: CloudWatchLogsClient, arn: str) -> SourceReading:
    """Read whether a log group exists. The list by name prefix is sorted, so its first page has the group."""
    name = require_arn(arn).resource.removeprefix("log-group:")
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return (
        SourceReading()
        if any(found.get("logGroupName") == name for page in pages for found in page["logGroups"])
        else NOT_FOUND
    )


def _group(arn: str) -> str:
    """Return the ARN of a log group without the `:*` that means its streams."""
    return arn.removesuffix(":*")


LOGS = SourceService(
    "logs", "logs", state=SourceRead("logs:DescribeLogGroups", group, resource_of=_group, same_account_only=True)
)
