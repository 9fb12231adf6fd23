"""Rules of AWS Config; a custom one names its function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.config import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_config import ConfigServiceClient

    from permission_guard.model.state import Inventory

_RULES = "config:DescribeConfigRules"


def _read(walk: Walk[ConfigServiceClient]) -> Inventory:
    pages = walk.client.get_paginator("describe_config_rules").paginate()
    rules = walk.list_all(_RULES, (page.get("ConfigRules", []) for page in pages))
    if isinstance(rules, Unread):
        return walk.inventory(rules)
    triggers = (
        walk.trigger(
            rule["ConfigRuleArn"], rule["Source"]["SourceIdentifier"], f"the Config rule {rule['ConfigRuleName']}"
        )
        for rule in rules
        if rule["Source"]["Owner"] == "CUSTOM_LAMBDA" and not rule.get("ConfigRuleState", "").startswith("DELETING")
    )
    return walk.inventory((rule["ConfigRuleArn"] for rule in rules), triggers)


SERVICE = InvokingService("config", INVOKER.principal, (_RULES,), _read)
