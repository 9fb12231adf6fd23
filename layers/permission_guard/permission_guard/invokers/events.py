"""Amazon EventBridge: rules. A target with a role requires no statement. A custom bus is part of its rules' ARNs."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "events.amazonaws.com",
    "rule",
    "arn:{partition}:events:{region}:{account}:rule/RULE-NAME",
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html",
    other_source_arns=("arn:{partition}:events:{region}:{account}:rule/BUS-NAME/RULE-NAME",),
)
