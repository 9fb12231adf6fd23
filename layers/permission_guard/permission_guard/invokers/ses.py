"""Amazon SES: email receiving."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "ses.amazonaws.com",
    "receipt rule",
    "arn:{partition}:ses:{region}:{account}:receipt-rule-set/RULE-SET-NAME:receipt-rule/RULE-NAME",
    "https://docs.aws.amazon.com/ses/latest/dg/receiving-email-permissions.html",
    names={"RULE-SET-NAME": r"[\w.\-]{1,64}", "RULE-NAME": r"[\w.\-]{1,64}"},
    partitions=("aws", "aws-us-gov"),
)
