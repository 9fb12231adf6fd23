"""IoT Core: topic rules with their error actions, and authorizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

IOT = f"arn:aws:iot:{REGION}:{ACCOUNT}"


def test_the_actions_of_a_rule_and_its_error_action_are_found(account: Account) -> None:
    """Other actions use a role."""
    account.say("iot", "list_topic_rules", {"rules": [{"ruleName": "alerts", "ruleArn": f"{IOT}:rule/alerts"}]})
    actions = [{"lambda": {"functionArn": FUNCTION}}, {"sns": {"targetArn": "arn", "roleArn": "arn"}}]
    rule = {"rule": {"actions": actions, "errorAction": {"lambda": {"functionArn": LIVE}}}}
    account.say("iot", "get_topic_rule", rule, ruleName="alerts")
    assert logged(read_one(account, "iot").triggers) == {
        (f"{IOT}:rule/alerts", FUNCTION, "the IoT rule alerts"),
        (f"{IOT}:rule/alerts", LIVE, "the IoT rule alerts"),
    }


def test_the_functions_that_the_sql_of_a_rule_calls_are_found(account: Account) -> None:
    """A function that an expression names is unknown."""
    account.say("iot", "list_topic_rules", {"rules": [{"ruleName": "alerts", "ruleArn": f"{IOT}:rule/alerts"}]})
    sql = "SELECT aws_lambda('FUNCTION', *) AS x, aws_lambda(topic(2), *) FROM 'alerts'".replace("FUNCTION", FUNCTION)
    actions = [{"lambda": {"functionArn": FUNCTION}}]
    account.say("iot", "get_topic_rule", {"rule": {"sql": sql, "actions": actions}}, ruleName="alerts")
    inventory = read_one(account, "iot")
    assert logged(inventory.triggers) == {(f"{IOT}:rule/alerts", FUNCTION, "the IoT rule alerts")}
    assert len(inventory.triggers) == 1
    assert "by an expression" in inventory.unread[f"{IOT}:rule/alerts"].message


def test_a_disabled_rule_exists_and_is_no_trigger(account: Account) -> None:
    """The rule is not read."""
    rule = {"ruleName": "alerts", "ruleArn": f"{IOT}:rule/alerts", "ruleDisabled": True}
    account.say("iot", "list_topic_rules", {"rules": [rule]})
    assert read_one(account, "iot").sources == frozenset({f"{IOT}:rule/alerts"})
    assert account.operations("iot") == ["list_topic_rules", "list_authorizers"]


def test_an_inactive_authorizer_exists_and_is_no_trigger(account: Account) -> None:
    """The list does not have its status; DescribeAuthorizer does."""
    names = {"door": "ACTIVE", "old": "INACTIVE"}
    listed = [{"authorizerName": name, "authorizerArn": f"{IOT}:authorizer/{name}"} for name in names]
    account.say("iot", "list_authorizers", {"authorizers": listed})
    for name, status in names.items():
        described = {"authorizerFunctionArn": LIVE, "status": status}
        account.say("iot", "describe_authorizer", {"authorizerDescription": described}, authorizerName=name)
    inventory = read_one(account, "iot")
    assert inventory.sources == frozenset({f"{IOT}:authorizer/{name}" for name in names})
    assert logged(inventory.triggers) == {(f"{IOT}:authorizer/door", LIVE, "the IoT authorizer door")}
