"""Rules: the enabled rules of every bus, without targets that have a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import ACCOUNT, REGION, ROLE_ARN
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule"


def test_rules_of_every_bus_are_found(account: Account) -> None:
    """The ARN of a rule has the name of its custom bus. The list of buses has pages too."""
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "default"}], "NextToken": "more"})
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "shop"}]}, NextToken="more")
    for bus, name, arn in (("default", "nightly", f"{RULES}/nightly"), ("shop", "sold", f"{RULES}/shop/sold")):
        rule = {"Name": name, "Arn": arn, "State": "ENABLED", "EventBusName": bus}
        account.say("events", "list_rules", {"Rules": [rule]}, EventBusName=bus)
    account.say("events", "list_targets_by_rule", {"Targets": [{"Id": "1", "Arn": LIVE}]}, Rule="nightly")
    account.say(
        "events", "list_targets_by_rule", {"Targets": [{"Id": "1", "Arn": FUNCTION}]}, Rule="sold", EventBusName="shop"
    )
    inventory = read_one(account, "events")
    assert inventory.sources == frozenset({f"{RULES}/nightly", f"{RULES}/shop/sold"})
    assert logged(inventory.triggers) == {
        (f"{RULES}/nightly", LIVE, "the rule nightly"),
        (f"{RULES}/shop/sold", FUNCTION, "the rule sold"),
    }


def test_a_disabled_rule_exists_and_is_no_trigger(account: Account) -> None:
    """Its targets are not read."""
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "default"}]})
    account.say("events", "list_rules", {"Rules": [{"Name": "off", "Arn": f"{RULES}/off", "State": "DISABLED"}]})
    inventory = read_one(account, "events")
    assert inventory.sources == frozenset({f"{RULES}/off"})
    assert account.operations("events") == ["list_event_buses", "list_rules"]


def test_a_rule_enabled_for_all_management_events_is_a_trigger(account: Account) -> None:
    """Its state is neither ENABLED nor DISABLED."""
    state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "default"}]})
    account.say("events", "list_rules", {"Rules": [{"Name": "trail", "Arn": f"{RULES}/trail", "State": state}]})
    account.say("events", "list_targets_by_rule", {"Targets": [{"Id": "1", "Arn": FUNCTION}]})
    assert logged(read_one(account, "events").triggers) == {(f"{RULES}/trail", FUNCTION, "the rule trail")}


def test_targets_with_a_role_and_other_targets_are_no_triggers(account: Account) -> None:
    """A target with a role needs no statement."""
    targets = [
        {"Id": "1", "Arn": FUNCTION, "RoleArn": ROLE_ARN},
        {"Id": "2", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"},
    ]
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "default"}]})
    account.say("events", "list_rules", {"Rules": [{"Name": "nightly", "Arn": f"{RULES}/nightly"}]})
    account.say("events", "list_targets_by_rule", {"Targets": targets})
    assert read_one(account, "events").triggers == ()


def test_targets_on_a_second_page_are_found(account: Account) -> None:
    """A rule of an old account may have a hundred targets."""
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "default"}]})
    account.say("events", "list_rules", {"Rules": [{"Name": "nightly", "Arn": f"{RULES}/nightly"}]})
    account.say("events", "list_targets_by_rule", {"Targets": [{"Id": "1", "Arn": FUNCTION}], "NextToken": "more"})
    account.say("events", "list_targets_by_rule", {"Targets": [{"Id": "2", "Arn": LIVE}]}, NextToken="more")
    assert {trigger.function_arn for trigger in read_one(account, "events").triggers} == {FUNCTION, LIVE}
