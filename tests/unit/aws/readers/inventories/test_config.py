"""Rules of AWS Config: a custom rule invokes its function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

RULE = f"arn:aws:config:{REGION}:{ACCOUNT}:config-rule/config-rule-1"


def a_rule(owner: str = "CUSTOM_LAMBDA", identifier: str = LIVE, state: str = "ACTIVE") -> dict[str, Any]:
    """Return a page of DescribeConfigRules."""
    rule = {"ConfigRuleName": "tagged", "ConfigRuleArn": RULE, "ConfigRuleState": state}
    return {"ConfigRules": [{**rule, "Source": {"Owner": owner, "SourceIdentifier": identifier}}]}


def test_a_custom_rule_is_a_trigger_of_its_function(account: Account) -> None:
    """The ARN has the id of the rule, not its name."""
    account.say("config", "describe_config_rules", a_rule())
    inventory = read_one(account, "config")
    assert inventory.sources == frozenset({RULE})
    assert logged(inventory.triggers) == {(RULE, LIVE, "the Config rule tagged")}


@pytest.mark.parametrize(
    "page",
    [
        a_rule(owner="AWS", identifier="S3_BUCKET_VERSIONING_ENABLED"),
        a_rule(owner="CUSTOM_POLICY", identifier="-"),
        a_rule(state="DELETING"),
        a_rule(state="DELETING_RESULTS"),
    ],
)
def test_managed_rules_and_rules_being_deleted_are_no_triggers(account: Account, page: dict[str, Any]) -> None:
    """These rules are still listed as existing."""
    account.say("config", "describe_config_rules", page)
    inventory = read_one(account, "config")
    assert (inventory.sources, inventory.triggers) == (frozenset({RULE}), ())
