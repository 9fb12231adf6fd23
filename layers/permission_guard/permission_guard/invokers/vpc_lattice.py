"""Amazon VPC Lattice: target groups. Registering a function as a target adds the statement."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "vpc-lattice.amazonaws.com",
    "target group",
    "arn:{partition}:vpc-lattice:{region}:{account}:targetgroup/TARGET-GROUP-ID",
    "https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html",
    names={"TARGET-GROUP-ID": "tg-[0-9a-z]{17}"},
    sends_source_account=Sent.UNKNOWN,
    partitions=("aws",),
)
