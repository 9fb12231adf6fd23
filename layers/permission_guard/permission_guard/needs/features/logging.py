"""The logs of a function.

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
    """What a function prints, and what Lambda says of its invocations.

    A log group that passes its logs on to Amazon S3 or Firehose is written to like any other: what passes them on has
    a role of its own.
    """

    name = "logging"
    managed_policy = "service-role/AWSLambdaBasicExecutionRole"

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return writing to streams of the log group, and making the group where nobody has."""
        return writing(
            log_group(function),
            function,
            sources,
            kind=NeedKind.LOGS,
            call=LambdaCall.LOGS,
            purpose="to write the function's logs",
        )


def log_group(function: Function) -> str:
    """Return the name of the log group: the one that is configured, else the one that Lambda makes."""
    named = part(function, "LoggingConfig").get("LogGroup")
    return named if isinstance(named, str) and named else f"/aws/lambda/{function.name}"


def writing(
    group: str, function: Function, sources: Sources, *, kind: NeedKind, call: LambdaCall, purpose: str, doubt: str = ""
) -> tuple[Need, ...]:
    """Return writing to streams of a log group, and making the group where it does not exist.

    AWS asks for CreateLogGroup on a stream without a name, according to its refusals; policies that name the group
    alone, or any part of it, are taken to do as well.
    """
    arn = arn_of(function, "logs", f"log-group:{group}")
    streams = f"{arn}:log-stream:*"
    needs = on(streams, "logs:CreateLogStream", "logs:PutLogEvents", kind=kind, call=call, purpose=purpose, doubt=doubt)
    state = state_of(arn, sources)
    exists = state.exists if state else None
    if exists:
        return needs
    making = Need(
        "logs:CreateLogGroup",
        f"{arn}:*",
        kind,
        call,
        elsewhere=(f"{arn}:log-stream:", arn),
        purpose=f"to make the log group {group}",
        doubt=doubt or ("" if exists is False else f"it was not read whether the log group {group} exists"),
        unread="" if exists is False else arn,
    )
    return (*needs, making)
