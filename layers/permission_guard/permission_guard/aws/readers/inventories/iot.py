"""Topic rules, with the functions that their SQL calls, and custom authorizers. Disabled ones call nothing."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.iot import INVOKER, functions_in_sql
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_iot import IoTClient

    from permission_guard.model.state import Inventory, Trigger

_RULES = "iot:ListTopicRules"
_RULE = "iot:GetTopicRule"
_AUTHORIZERS = "iot:ListAuthorizers"
_AUTHORIZER = "iot:DescribeAuthorizer"


def _read(walk: Walk[IoTClient]) -> Inventory:
    client = walk.client
    rules = walk.list_all(
        _RULES, (page.get("rules", []) for page in client.get_paginator("list_topic_rules").paginate())
    )
    if isinstance(rules, Unread):
        return walk.inventory(rules)
    listing = client.get_paginator("list_authorizers").paginate()
    found = walk.list_all(_AUTHORIZERS, (page.get("authorizers", []) for page in listing))
    if isinstance(found, Unread):
        return walk.inventory(found)
    authorizers = {authorizer["authorizerArn"]: authorizer["authorizerName"] for authorizer in found}
    running = {rule["ruleArn"]: rule["ruleName"] for rule in rules if not rule.get("ruleDisabled")}

    def actions(arn: str, name: str) -> Iterator[Trigger | Unread]:
        rule = client.get_topic_rule(ruleName=name).get("rule", {})
        for action in (*rule.get("actions", []), rule.get("errorAction", {})):
            if "lambda" in action:
                yield walk.trigger(arn, action["lambda"]["functionArn"], f"the IoT rule {name}")
        for function_arn in functions_in_sql(rule.get("sql", "")):
            if function_arn is None:
                yield Unread(_RULE, "Expression", f"the SQL of {name} names a function by an expression", denied=True)
            else:
                yield walk.trigger(arn, function_arn, f"the IoT rule {name}")

    def function(arn: str, name: str) -> Iterator[Trigger]:
        authorizer = client.describe_authorizer(authorizerName=name).get("authorizerDescription", {})
        if authorizer.get("status") == "ACTIVE":
            yield walk.trigger(arn, authorizer["authorizerFunctionArn"], f"the IoT authorizer {name}")

    return walk.inventory(
        (*(rule["ruleArn"] for rule in rules), *authorizers),
        chain(walk.read_each(_RULE, running, actions), walk.read_each(_AUTHORIZER, authorizers, function)),
    )


SERVICE = InvokingService("iot", INVOKER.principal, (_RULES, _RULE, _AUTHORIZERS, _AUTHORIZER), _read)
