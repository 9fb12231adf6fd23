"""Log groups: their subscription filters and the account policy for all groups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, REGION, ROLE_ARN
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

GROUPS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group"
EVERY = f"{GROUPS}:*"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/logs"


@pytest.fixture
def group(account: Account) -> Account:
    """Return an account with a log group."""
    listed = {"logGroups": [{"logGroupName": "/app", "arn": f"{GROUPS}:/app:*", "logGroupArn": f"{GROUPS}:/app"}]}
    account.say("logs", "describe_log_groups", listed)
    return account


def policy(name: str, **document: str) -> dict[str, Any]:
    """Return a page of DescribeAccountPolicies."""
    return {"accountPolicies": [{"policyName": name, "policyDocument": json.dumps(document)}]}


def test_a_log_group_sends_its_arn_with_a_star(group: Account) -> None:
    """The inventory lists the group without the star."""
    account, filters = group, [{"destinationArn": FUNCTION}, {"destinationArn": LIVE}]
    account.say("logs", "describe_subscription_filters", {"subscriptionFilters": filters}, logGroupName="/app")
    inventory = read_one(account, "logs")
    assert inventory.sources == frozenset({f"{GROUPS}:/app"})
    assert logged(inventory.triggers) == {(f"{GROUPS}:/app", arn, "the log group /app") for arn in (FUNCTION, LIVE)}
    assert {trigger.source_arns for trigger in inventory.triggers} == {(f"{GROUPS}:/app:*",)}


def test_filters_with_a_role_or_to_something_else_are_no_triggers(group: Account) -> None:
    """Filters to a stream use a role."""
    filters = [{"destinationArn": FUNCTION, "roleArn": ROLE_ARN}, {"destinationArn": STREAM}]
    group.say("logs", "describe_subscription_filters", {"subscriptionFilters": filters})
    assert read_one(group, "logs").triggers == ()


def test_the_account_policy_applies_to_every_log_group(group: Account) -> None:
    """A statement for one group does not allow the others."""
    group.say("logs", "describe_account_policies", {**policy("all", DestinationArn=LIVE), "nextToken": "more"})
    group.say("logs", "describe_account_policies", policy("stream", DestinationArn=STREAM), nextToken="more")
    (trigger,) = read_one(group, "logs").triggers
    assert (trigger.source, trigger.source_arns, trigger.function_arn) == (EVERY, (f"{EVERY}:*",), LIVE)
    assert trigger.description == "the subscription filter policy all"
    asked = [asked for _, operation, asked in group.asked if operation == "describe_account_policies"]
    assert [page["policyType"] for page in asked] == ["SUBSCRIPTION_FILTER_POLICY"] * 2


def test_an_account_policy_with_a_role_is_no_trigger(group: Account) -> None:
    """The same holds for the filter of a group."""
    group.say("logs", "describe_account_policies", policy("all", DestinationArn=LIVE, RoleArn=ROLE_ARN))
    assert read_one(group, "logs").triggers == ()


def test_the_groups_are_known_if_the_account_policies_are_denied(group: Account) -> None:
    """Only the account policies are unread."""
    group.say("logs", "describe_subscription_filters", {"subscriptionFilters": [{"destinationArn": LIVE}]})
    group.fail("logs", "describe_account_policies", "AccessDeniedException", 403)
    inventory = read_one(group, "logs")
    action = "logs:DescribeAccountPolicies"
    assert inventory.unread == {EVERY: Unread(action, "AccessDeniedException", "no", denied=True)}
    assert (inventory.sources, len(inventory.triggers)) == (frozenset({f"{GROUPS}:/app"}), 1)


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_malformed_account_policy_is_unread(group: Account, text: str) -> None:
    """The document is a string whose form AWS may change."""
    policies = {"accountPolicies": [{"policyName": "all", "policyDocument": text}]}
    group.say("logs", "describe_account_policies", policies)
    inventory = read_one(group, "logs")
    assert inventory.triggers == ()
    assert [(source, unread.code) for source, unread in inventory.unread.items()] == [(EVERY, "MalformedReply")]
