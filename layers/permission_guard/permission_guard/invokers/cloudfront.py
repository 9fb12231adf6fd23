"""Amazon CloudFront: origin access control for function URLs, which do not exist in China."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "cloudfront.amazonaws.com",
    "distribution",
    "arn:{partition}:cloudfront::{account}:distribution/DISTRIBUTION-ID",
    "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html",
    names={"DISTRIBUTION-ID": "[A-Za-z0-9]+"},
    actions=("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"),
    sends_source_account=Sent.UNKNOWN,
    partitions=("aws",),
)
