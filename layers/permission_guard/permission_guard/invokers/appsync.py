"""AWS AppSync: Lambda authorizers. Data sources use a role."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "appsync.amazonaws.com",
    "API",
    "arn:{partition}:appsync:{region}:{account}:apis/API-ID",
    "https://docs.aws.amazon.com/appsync/latest/APIReference/API_LambdaAuthorizerConfig.html",
    article="an",
    names={"API-ID": r"[\w.\-]+"},
    sends_source_account=Sent.UNKNOWN,
    partitions=("aws", "aws-cn"),
)
