"""Lambda@Edge: AWS creates these statements when it replicates a version."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent


def _at_edge(principal: str) -> Invoker:
    return Invoker(
        principal,
        "distribution",
        "arn:{partition}:cloudfront::{account}:distribution/DISTRIBUTION-ID",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-permissions.html",
        names={"DISTRIBUTION-ID": "[A-Za-z0-9]+"},
        sends_source_arn=Sent.UNKNOWN,
        sends_source_account=Sent.UNKNOWN,
        written_by_aws=True,
        partitions=("aws",),
    )


EDGE = _at_edge("edgelambda.amazonaws.com")
REPLICATOR = _at_edge("replicator.lambda.amazonaws.com")
