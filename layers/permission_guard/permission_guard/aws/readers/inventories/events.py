"""Rules of all event buses. One that is off does not fire, and a target that has a role needs no statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk, is_function, pages_of
from permission_guard.invokers.events import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import RuleTypeDef

    from permission_guard.model.state import Inventory, Trigger

_BUSES = "events:ListEventBuses"
_RULES = "events:ListRules"
_TARGETS = "events:ListTargetsByRule"


def _read(walk: Walk[EventBridgeClient]) -> Inventory:
    buses = walk.list_all(
        _BUSES, (page.get("EventBuses", []) for page in pages_of(walk.client.list_event_buses, "NextToken"))
    )
    if isinstance(buses, Unread):
        return walk.inventory(buses)
    found: list[RuleTypeDef] = []
    for bus in buses:
        listing = walk.client.get_paginator("list_rules").paginate(EventBusName=bus["Name"])
        rules = walk.list_all(_RULES, (page.get("Rules", []) for page in listing))
        if isinstance(rules, Unread):
            return walk.inventory(rules)
        found += rules

    def targets(arn: str, rule: RuleTypeDef) -> Iterator[Trigger]:
        bus = rule.get("EventBusName", "default")
        for page in walk.client.get_paginator("list_targets_by_rule").paginate(Rule=rule["Name"], EventBusName=bus):
            for target in page.get("Targets", []):
                if is_function(target["Arn"]) and not target.get("RoleArn"):
                    yield walk.trigger(arn, target["Arn"], f"the rule {rule['Name']}")

    firing = {rule["Arn"]: rule for rule in found if rule.get("State") != "DISABLED"}
    return walk.inventory((rule["Arn"] for rule in found), walk.read_each(_TARGETS, firing, targets))


SERVICE = InvokingService("events", INVOKER.principal, (_BUSES, _RULES, _TARGETS), _read)
