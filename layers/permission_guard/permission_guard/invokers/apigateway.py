"""Amazon API Gateway: REST, HTTP and WebSocket APIs and authorizers. An integration with `credentials` uses a role."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "apigateway.amazonaws.com",
    "API",
    "arn:{partition}:execute-api:{region}:{account}:API-ID/STAGE/METHOD/PATH",
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html",
    article="an",
    other_source_arns=(
        "arn:{partition}:execute-api:{region}:{account}:API-ID/STAGE/ROUTE-KEY",
        "arn:{partition}:execute-api:{region}:{account}:API-ID/authorizers/AUTHORIZER-ID",
    ),
    sends_source_account=Sent.UNKNOWN,
)
