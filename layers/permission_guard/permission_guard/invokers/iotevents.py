"""AWS IoT Events: the actions of detector models. The service ended in 2026."""

from __future__ import annotations

from datetime import date

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "iotevents.amazonaws.com",
    "detector model",
    "arn:{partition}:iotevents:{region}:{account}:detectorModel/MODEL-NAME",
    "https://docs.aws.amazon.com/iotevents/latest/developerguide/iotevents-end-of-support.html",
    names={"MODEL-NAME": r"[\w\-]{1,128}"},
    sends_source_arn=Sent.UNKNOWN,
    sends_source_account=Sent.UNKNOWN,
    partitions=("aws", "aws-cn", "aws-us-gov"),
    ended=date(2026, 5, 20),
)
