"""Lambda@Edge: AWS writes these statements itself when it replicates a version."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

_DISTRIBUTION = "arn:{partition}:cloudfront::{account}:distribution/DISTRIBUTION-ID"
_DOCUMENTATION = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-permissions.html"

EDGE = Invoker(
    "edgelambda.amazonaws.com",
    "distribution",
    _DISTRIBUTION,
    _DOCUMENTATION,
    sends_source_arn=Sent.UNKNOWN,
    sends_source_account=Sent.UNKNOWN,
    written_by_aws=True,
    partitions=("aws",),
)
REPLICATOR = Invoker(
    "replicator.lambda.amazonaws.com",
    "distribution",
    _DISTRIBUTION,
    _DOCUMENTATION,
    sends_source_arn=Sent.UNKNOWN,
    sends_source_account=Sent.UNKNOWN,
    written_by_aws=True,
    partitions=("aws",),
)
