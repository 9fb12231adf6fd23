"""Needs for writing a function's logs.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, Need, NeedKind, on, state_of
from permission_guard.needs.features.configuration import arn_of, part

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources


class Logging:
    """The output of a function, and Lambda's reports on its invocations.

    A log group that forwards its logs to Amazon S3 or Firehose needs no more than any other: the forwarding has its
    own role.
    """

    name = "logging"
    managed_policy = "service-role/AWSLambdaBasicExecutionRole"

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs for writing to the log group, and for creating it if it does not exist."""
        return writing(
            log_group(function),
            function,
            sources,
            kind=NeedKind.LOGS,
            call=LambdaCall.LOGS,
            purpose="to write the function's logs",
        )


def log_group(function: Function) -> str:
    """Return the name of the log group: the configured one, else Lambda's default."""
    named = part(function, "LoggingConfig").get("LogGroup")
    return named if isinstance(named, str) and named else f"/aws/lambda/{function.name}"


def writing(
    group: str, function: Function, sources: Sources, *, kind: NeedKind, call: LambdaCall, purpose: str, doubt: str = ""
) -> tuple[Need, ...]:
    """Return the needs for writing to a log group, and for creating it if it does not exist.

    AWS's access denied errors name a stream without a name as the resource of CreateLogGroup. Policies for the group
    itself, or for any part of it, are assumed to suffice too.
    """
    arn = arn_of(function, "logs", f"log-group:{group}")
    streams = f"{arn}:log-stream:*"
    needs = on(streams, "logs:CreateLogStream", "logs:PutLogEvents", kind=kind, call=call, purpose=purpose, doubt=doubt)
    state = state_of(arn, sources)
    exists = state.exists if state else None
    if exists:
        return needs
    unclear = f"it depends on whether the log group {group} exists, which was not read"
    creating = Need(
        "logs:CreateLogGroup",
        f"{arn}:*",
        kind,
        call,
        elsewhere=(f"{arn}:log-stream:", arn),
        purpose=f"to create the log group {group}",
        doubt=doubt or ("" if exists is False else unclear),
        unread="" if exists is False else arn,
    )
    return (*needs, creating)
