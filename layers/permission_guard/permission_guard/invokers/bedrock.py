"""Amazon Bedrock: action groups of agents."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "bedrock.amazonaws.com",
    "agent",
    "arn:{partition}:bedrock:{region}:{account}:agent/AGENT-ID",
    "https://docs.aws.amazon.com/bedrock/latest/userguide/agents-permissions.html",
    article="an",
    names={"AGENT-ID": "[0-9a-zA-Z]{10}"},
    partitions=("aws", "aws-us-gov"),
)
