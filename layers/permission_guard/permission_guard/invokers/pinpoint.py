"""Amazon Pinpoint: campaigns, journeys and recommenders. Its principal contains the region. It ended in 2026."""

from __future__ import annotations

from datetime import date

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "pinpoint.amazonaws.com",
    "campaign",
    "arn:{partition}:mobiletargeting:{region}:{account}:apps/APP-ID/campaigns/CAMPAIGN-ID",
    "https://docs.aws.amazon.com/pinpoint/latest/developerguide/segments-dynamic.html",
    other_source_arns=("arn:{partition}:mobiletargeting:{region}:{account}:apps/APP-ID",),
    names={"APP-ID": "[0-9a-zA-Z]+", "CAMPAIGN-ID": "[0-9a-zA-Z]+"},
    regional_principal="pinpoint.{region}.amazonaws.com",
    partitions=("aws", "aws-us-gov"),
    ended=date(2026, 10, 30),
)
