"""Target groups of Application Load Balancers; the target of one of type lambda is the function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.elasticloadbalancing import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

    from permission_guard.model.state import Inventory, Trigger

_GROUPS = "elasticloadbalancing:DescribeTargetGroups"
_TARGETS = "elasticloadbalancing:DescribeTargetHealth"


def _read(walk: Walk[ElasticLoadBalancingv2Client]) -> Inventory:
    pages = walk.client.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 400})
    groups = walk.list_all(_GROUPS, (page.get("TargetGroups", []) for page in pages))
    if isinstance(groups, Unread):
        return walk.inventory(groups)

    def targets(arn: str, name: str) -> Iterator[Trigger]:
        reply = walk.client.describe_target_health(TargetGroupArn=arn)
        for health in reply.get("TargetHealthDescriptions", []):
            yield walk.trigger(arn, health["Target"]["Id"], f"the target group {name}")

    of_functions = {
        group["TargetGroupArn"]: group["TargetGroupName"] for group in groups if group.get("TargetType") == "lambda"
    }
    sources = (group["TargetGroupArn"] for group in groups)
    return walk.inventory(sources, walk.read_each(_TARGETS, of_functions, targets))


SERVICE = InvokingService("elbv2", INVOKER.principal, (_GROUPS, _TARGETS), _read)
