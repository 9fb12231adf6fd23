"""Amazon CloudWatch Logs: subscription filters. The ARN that the service sends ends in a literal `:*`."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "logs.amazonaws.com",
    "log group",
    "arn:{partition}:logs:{region}:{account}:log-group:LOG-GROUP-NAME:*",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html",
    correction=(r"(?<=:log-group:)([^:]+)(:.*)?$", r"\1:*"),
    names={"LOG-GROUP-NAME": r"[.\-_/#A-Za-z0-9]{1,512}"},
    regional_principal="logs.{region}.{suffix}",
)
