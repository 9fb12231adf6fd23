"""Amazon CloudWatch alarms, metric and composite."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "lambda.alarms.cloudwatch.amazonaws.com",
    "alarm",
    "arn:{partition}:cloudwatch:{region}:{account}:alarm:ALARM-NAME",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html",
    article="an",
    names={"ALARM-NAME": ".{1,255}"},
)
