"""Needs for durable functions.

https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, NeedKind, on
from permission_guard.needs.features.configuration import arn_of, part

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need


class DurableExecution:
    """A function whose executions are checkpointed, and continue after a wait or a failure."""

    name = "durable execution"
    managed_policy = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
    subject = "durable-execution"
    member = "DurableConfig"
    purpose = "checkpoint its durable executions"
    impact = (
        "A durable execution saves each step with this role. Without the permission it fails at its first checkpoint, "
        "and running executions cannot wait or resume."
    )

    def is_used(self, function: Function) -> bool:
        """Return whether the function is durable."""
        return bool(part(function, "DurableConfig"))

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:  # noqa: ARG002 - a Feature
        """Return the needs for saving and reading the state of executions, whose ARNs extend that of a version."""
        if not self.is_used(function):
            return ()
        return on(
            arn_of(function, "lambda", f"function:{function.name}:*"),
            "lambda:CheckpointDurableExecution",
            "lambda:GetDurableExecutionState",
            kind=NeedKind.FEATURE,
            call=LambdaCall.CODE,
            purpose="to save and read the state of its durable executions",
        )
