"""Topics: the account's own are sources, and it may be subscribed to topics of other accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
FOREIGN = f"arn:aws:sns:{REGION}:999999999999:news"


def subscription(**more: str) -> dict[str, str]:
    """Return an entry of ListSubscriptions."""
    return {"TopicArn": TOPIC, "Protocol": "lambda", "Endpoint": FUNCTION, "SubscriptionArn": f"{TOPIC}:1", **more}


def test_subscriptions_are_found_on_every_page(account: Account) -> None:
    """The qualifier is part of the subscription's endpoint."""
    account.say("sns", "list_topics", {"Topics": [{"TopicArn": TOPIC}]})
    account.say("sns", "list_subscriptions", {"Subscriptions": [subscription()], "NextToken": "more"})
    account.say("sns", "list_subscriptions", {"Subscriptions": [subscription(Endpoint=LIVE)]}, NextToken="more")
    inventory = read_one(account, "sns")
    assert inventory.sources == frozenset({TOPIC})
    assert logged(inventory.triggers) == {(TOPIC, FUNCTION, "the topic orders"), (TOPIC, LIVE, "the topic orders")}


def test_a_topic_of_another_account_is_a_trigger_and_no_source(account: Account) -> None:
    """The account cannot list that topic, so it is unknown whether it exists."""
    account.say("sns", "list_subscriptions", {"Subscriptions": [subscription(TopicArn=FOREIGN)]})
    inventory = read_one(account, "sns")
    assert inventory.sources == frozenset()
    assert [(trigger.source, trigger.source_account) for trigger in inventory.triggers] == [(FOREIGN, "999999999999")]


@pytest.mark.parametrize(
    "more",
    [
        {"SubscriptionArn": "PendingConfirmation"},
        {"SubscriptionArn": "Deleted"},
        {"Protocol": "sqs", "Endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"},
    ],
)
def test_subscriptions_that_are_inactive_or_not_for_functions_are_no_triggers(
    account: Account, more: dict[str, str]
) -> None:
    """SNS lists a deleted subscription for a while."""
    account.say("sns", "list_subscriptions", {"Subscriptions": [subscription(**more)]})
    assert read_one(account, "sns").triggers == ()
