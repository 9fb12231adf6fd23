"""Amazon SNS: topics. A topic in an opt-in region invokes functions in other regions with its regional principal.

A FIFO topic, whose name ends in `.fifo`, cannot have a function as a subscriber.
"""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "sns.amazonaws.com",
    "topic",
    "arn:{partition}:sns:{region}:{account}:TOPIC-NAME",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html",
    names={"TOPIC-NAME": r"[\w\-]{1,256}"},
    regional_abroad=True,
    regional_principal="sns.{region}.amazonaws.com",
    sends_source_account=Sent.UNKNOWN,
)
