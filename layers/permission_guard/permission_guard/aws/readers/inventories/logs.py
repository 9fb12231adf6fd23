"""Log groups and their subscription filters, and the filter for all log groups of the account, if there is one.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters-AccountLevel.html
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Missed, Walk, is_function, pages_of
from permission_guard.invokers.logs import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import DescribeAccountPoliciesResponseTypeDef

    from permission_guard.model.state import Inventory, Trigger

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

    found = walk.read_each(_FILTERS, names, filters)
    return walk.inventory(names, chain(_account_policies(walk), found))


def _account_policies(walk: Walk[CloudWatchLogsClient]) -> Iterator[Trigger | Missed]:
    """Yield the triggers for all log groups: a statement must allow all of them."""
    every_group = walk.arn("logs", "log-group:*")
    listing = pages_of(walk.client.describe_account_policies, "nextToken", policyType="SUBSCRIPTION_FILTER_POLICY")
    destinations = walk.list_all(_POLICIES, map(_destinations, listing))
    if isinstance(destinations, Unread):
        yield Missed(every_group, destinations)
        return
    for name, destination in destinations:
        if is_function(destination):
            what = f"the subscription filter policy {name}"
            yield walk.trigger(every_group, destination, what, (f"{every_group}:*",))


def _destinations(page: DescribeAccountPoliciesResponseTypeDef) -> Iterator[tuple[str, str]]:
    """Yield each policy's name and where it sends to, without those that have a role."""
    for policy in page.get("accountPolicies", []):
        document = json.loads(policy["policyDocument"])
        if not document.get("RoleArn"):
            yield policy["policyName"], document["DestinationArn"]


SERVICE = InvokingService("logs", INVOKER.principal, (_GROUPS, _FILTERS, _POLICIES), _read)
