"""Topics, and the account's subscriptions to them, also to topics of other accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.sns import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

    from permission_guard.model.state import Inventory

_TOPICS = "sns:ListTopics"
_SUBSCRIPTIONS = "sns:ListSubscriptions"

# What stands in place of the ARN of a subscription that is not, or no more, in force.
_NOT_IN_FORCE = frozenset({"PendingConfirmation", "Deleted"})


def _read(walk: Walk[SNSClient]) -> Inventory:
    topics = walk.list_all(
        _TOPICS, (page.get("Topics", []) for page in walk.client.get_paginator("list_topics").paginate())
    )
    if isinstance(topics, Unread):
        return walk.inventory(topics)
    pages = walk.client.get_paginator("list_subscriptions").paginate()
    subscriptions = walk.list_all(_SUBSCRIPTIONS, (page.get("Subscriptions", []) for page in pages))
    if isinstance(subscriptions, Unread):
        return walk.inventory(subscriptions)
    triggers = (
        walk.trigger(
            subscription["TopicArn"],
            subscription["Endpoint"],
            f"the topic {subscription['TopicArn'].rpartition(':')[2]}",
        )
        for subscription in subscriptions
        if subscription["Protocol"] == "lambda" and subscription["SubscriptionArn"] not in _NOT_IN_FORCE
    )
    return walk.inventory((topic["TopicArn"] for topic in topics), triggers)


SERVICE = InvokingService("sns", INVOKER.principal, (_TOPICS, _SUBSCRIPTIONS), _read)
