"""What calls and stacks end with, and what services count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.client.process import Sandbox, poll

if TYPE_CHECKING:
    from collections.abc import Callable

_STABLE = ("COMPLETE", "FAILED")


def rejection(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    """Return the code, message and HTTP status with which a call is rejected."""
    with pytest.raises(ClientError) as rejected:
        call(**arguments)
    response = rejected.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return response["Error"]["Code"], response["Error"]["Message"], status


def stable_status(sandbox: Sandbox, name: str) -> str:
    """Wait until a stack is stable, and return its status."""
    cloudformation = sandbox.client("cloudformation")

    def probe() -> str:
        try:
            status = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        except ClientError:
            return "DELETED"
        return status if status.endswith(_STABLE) and "CLEANUP" not in status else ""

    return poll(probe, deadline=10, what=f"stable stack {name}")


def metric(sandbox: Sandbox, namespace: str, name: str, **dimensions: str) -> float:
    """Return the sum of a metric in the last minutes."""
    now = datetime.now(UTC)
    reply = sandbox.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    total: float = sum(point["Sum"] for point in reply["Datapoints"])
    return total
