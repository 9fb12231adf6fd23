"""Amazon Cognito user pools: triggers."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "cognito-idp.amazonaws.com",
    "user pool",
    "arn:{partition}:cognito-idp:{region}:{account}:userpool/USER-POOL-ID",
    "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html",
    names={"USER-POOL-ID": r"[\w\-]+_[0-9a-zA-Z]+"},
    partitions=("aws", "aws-us-gov"),
)
