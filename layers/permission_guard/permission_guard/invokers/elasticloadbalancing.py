"""Elastic Load Balancing: Application Load Balancers."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "elasticloadbalancing.amazonaws.com",
    "target group",
    "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/TARGET-GROUP-NAME/TARGET-GROUP-ID",
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html",
    names={"TARGET-GROUP-NAME": r"[\w\-]{1,32}", "TARGET-GROUP-ID": "[0-9a-z]+"},
)
