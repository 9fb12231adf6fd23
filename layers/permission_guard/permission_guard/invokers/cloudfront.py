"""Amazon CloudFront: origin access control in front of a function URL, of which there are none in China."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "cloudfront.amazonaws.com",
    "distribution",
    "arn:{partition}:cloudfront::{account}:distribution/DISTRIBUTION-ID",
    "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html",
    sends_source_account=Sent.UNKNOWN,
    partitions=("aws",),
)
