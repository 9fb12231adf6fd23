"""Amazon Lex V2: one function for each language of a bot alias."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "lexv2.amazonaws.com",
    "bot alias",
    "arn:{partition}:lex:{region}:{account}:bot-alias/BOT-ID/BOT-ALIAS-ID",
    "https://docs.aws.amazon.com/lexv2/latest/dg/lambda-attach.html",
    names={"BOT-ID": "[0-9a-zA-Z]{10}", "BOT-ALIAS-ID": "[0-9a-zA-Z]{10}"},
    partitions=("aws", "aws-us-gov"),
)
