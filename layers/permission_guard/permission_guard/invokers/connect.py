"""Amazon Connect: flows."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "connect.amazonaws.com",
    "Connect instance",
    "arn:{partition}:connect:{region}:{account}:instance/INSTANCE-ID",
    "https://docs.aws.amazon.com/connect/latest/adminguide/connect-lambda-functions.html",
    names={"INSTANCE-ID": r"[0-9a-zA-Z\-]{1,100}"},
    partitions=("aws", "aws-us-gov"),
)
