"""Log groups and their subscription filters, and the filter for all log groups of the account, if there is one.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters-AccountLevel.html
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from permission_guard.aws.inventories.base import Missed, Service, Walk, is_function, pages
from permission_guard.invokers.logs import INVOKER
from permission_guard.model import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_logs import CloudWatchLogsClient

    from permission_guard.triggers import Inventory, Trigger

_GROUPS = "logs:DescribeLogGroups"
_FILTERS = "logs:DescribeSubscriptionFilters"
_POLICIES = "logs:DescribeAccountPolicies"


def _read(walk: Walk[CloudWatchLogsClient]) -> Inventory:
    listing = walk.client.get_paginator("describe_log_groups").paginate()
    groups = walk.list_all(_GROUPS, (page.get("logGroups", []) for page in listing))
    if isinstance(groups, Unread):
        return walk.inventory(groups)
    names = {group["arn"].removesuffix(":*"): group["logGroupName"] for group in groups}

    def filters(arn: str, name: str) -> Iterator[Trigger]:
        for page in walk.client.get_paginator("describe_subscription_filters").paginate(logGroupName=name):
            for each in page.get("subscriptionFilters", []):
                if is_function(each["destinationArn"]) and not each.get("roleArn"):
                    yield walk.trigger(arn, each["destinationArn"], f"the log group {name}", (f"{arn}:*",))

    found = walk.look_into(_FILTERS, names, filters)
    return walk.inventory(names, chain(_account_policies(walk), found))


def _account_policies(walk: Walk[CloudWatchLogsClient]) -> Iterator[Trigger | Missed]:
    """Yield the triggers that speak for every log group: a statement has to let all of them in."""
    every_group = walk.arn("logs", "log-group:*")
    listing = pages(walk.client.describe_account_policies, "nextToken", policyType="SUBSCRIPTION_FILTER_POLICY")
    policies = walk.list_all(
        _POLICIES,
        (
            [(policy["policyName"], json.loads(policy["policyDocument"])) for policy in page.get("accountPolicies", [])]
            for page in listing
        ),
    )
    if isinstance(policies, Unread):
        yield Missed(every_group, policies)
        return
    for name, document in policies:
        if is_function(document["DestinationArn"]) and not document.get("RoleArn"):
            yield walk.trigger(every_group, document["DestinationArn"], f"the subscription filter policy {name}")


SERVICE = Service("logs", INVOKER.principal, (_GROUPS, _FILTERS, _POLICIES), _read)
