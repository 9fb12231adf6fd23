"""Needs for the network interfaces through which a function reaches a VPC.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import NOTHING_READ, Need, NeedKind
from permission_guard.needs.features.configuration import arn_of, part

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources

_PURPOSE: Final = "to reach the VPC through network interfaces"


class Network:
    """A function in a VPC.

    Lambda requires creating, describing and deleting network interfaces. AWS documented the other actions later, and
    policies without them work too, such as AWS's own `AWSLambdaENIManagementAccess`.
    """

    name = "VPC access"
    managed_policy = "service-role/AWSLambdaVPCAccessExecutionRole"

    def is_used(self, function: Function) -> bool:
        """Return whether the function is in a VPC; a function outside of one has an empty list of subnets."""
        return bool(part(function, "VpcConfig").get("SubnetIds"))

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:  # noqa: ARG002 - a Feature
        """Return the needs for managing network interfaces; AWS documents `*`, or any resource of the account."""
        if not self.is_used(function):
            return ()
        interfaces = (arn_of(function, "ec2", "network-interface/*"),)
        return (
            _need("ec2:CreateNetworkInterface", elsewhere=interfaces),
            _need("ec2:DescribeNetworkInterfaces"),
            _need("ec2:DeleteNetworkInterface", elsewhere=interfaces),
            _need("ec2:DescribeSubnets", recommended=True),
            _need("ec2:AssignPrivateIpAddresses", elsewhere=interfaces, recommended=True),
            _need("ec2:UnassignPrivateIpAddresses", elsewhere=interfaces, recommended=True),
        )


def _need(action: str, *, elsewhere: tuple[str, ...] = (), recommended: bool = False) -> Need:
    return Need(
        action,
        "*",
        NeedKind.NETWORK,
        LambdaCall.NETWORK_INTERFACE,
        elsewhere=elsewhere,
        recommended=recommended,
        purpose=_PURPOSE,
    )
