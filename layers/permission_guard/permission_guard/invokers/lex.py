"""Amazon Lex V1: intents. The `*` at the end of the ARN is the version of the intent. The service ended in 2025."""

from __future__ import annotations

from datetime import date

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "lex.amazonaws.com",
    "intent",
    "arn:{partition}:lex:{region}:{account}:intent:INTENT-NAME:*",
    "https://docs.aws.amazon.com/lex/latest/dg/gs-cli-update-lambda.html",
    article="an",
    names={"INTENT-NAME": "[A-Za-z_]{1,100}"},
    sends_source_account=Sent.UNKNOWN,
    partitions=("aws", "aws-us-gov"),
    ended=date(2025, 9, 15),
)
