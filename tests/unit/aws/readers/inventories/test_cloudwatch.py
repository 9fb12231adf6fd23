"""Alarms: every type, and the actions of every state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

ALARMS = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm"


def alarm(name: str, **more: Any) -> dict[str, Any]:
    """Return an entry of DescribeAlarms."""
    return {"AlarmName": name, "AlarmArn": f"{ALARMS}:{name}", "ActionsEnabled": True, **more}


def test_alarms_of_every_type_are_found(account: Account) -> None:
    """CloudWatch lists only metric alarms unless the call names the other types."""
    page = {
        "MetricAlarms": [alarm("high", AlarmActions=[f"arn:aws:sns:{REGION}:{ACCOUNT}:people", FUNCTION])],
        "CompositeAlarms": [alarm("both", OKActions=[LIVE])],
        "LogAlarms": [alarm("words", AlarmActions=[LIVE])],
    }
    kinds = ("MetricAlarm", "CompositeAlarm", "LogAlarm")
    account.say("cloudwatch", "describe_alarms", page, AlarmTypes=kinds)
    inventory = read_one(account, "cloudwatch")
    assert inventory.sources == frozenset({f"{ALARMS}:{name}" for name in ("high", "both", "words")})
    assert logged(inventory.triggers) == {
        (f"{ALARMS}:high", FUNCTION, "the alarm high"),
        (f"{ALARMS}:both", LIVE, "the alarm both"),
        (f"{ALARMS}:words", LIVE, "the alarm words"),
    }


@pytest.mark.parametrize("actions", ["AlarmActions", "OKActions", "InsufficientDataActions"])
def test_the_actions_of_every_state_are_found(account: Account, actions: str) -> None:
    """Each of them may invoke a function."""
    account.say("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm("high", **{actions: [LIVE]})]})
    assert logged(read_one(account, "cloudwatch").triggers) == {(f"{ALARMS}:high", LIVE, "the alarm high")}


def test_an_alarm_with_disabled_actions_is_no_trigger(account: Account) -> None:
    """The alarm is still listed as existing."""
    page = {"MetricAlarms": [alarm("high", ActionsEnabled=False, AlarmActions=[LIVE])]}
    account.say("cloudwatch", "describe_alarms", page)
    inventory = read_one(account, "cloudwatch")
    assert (inventory.sources, inventory.triggers) == (frozenset({f"{ALARMS}:high"}), ())


@pytest.mark.parametrize("dropped", [("LogAlarms",), ("CompositeAlarms", "LogAlarms")])
def test_alarms_of_a_type_that_the_sdk_does_not_know_are_unread_and_not_absent(
    account: Account, monkeypatch: pytest.MonkeyPatch, dropped: tuple[str, ...]
) -> None:
    """An older SDK drops that member of the reply, so that no such alarm seems to exist. The others are read."""
    model = account.client("cloudwatch").meta.service_model
    shape = model.operation_model("DescribeAlarms").output_shape
    known = {name: member for name, member in shape.members.items() if name not in dropped}
    monkeypatch.setattr(shape, "members", known)
    monkeypatch.setattr(type(model.operation_model("DescribeAlarms")), "output_shape", shape)
    account.say("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm("high", AlarmActions=[LIVE])]})
    inventory = read_one(account, "cloudwatch")
    message = f"the AWS SDK for Python is older than {' and '.join(dropped)}: update boto3"
    assert inventory.sources == Unread("cloudwatch:DescribeAlarms", "UnknownMember", message, denied=True)
    assert logged(inventory.triggers) == {(f"{ALARMS}:high", LIVE, "the alarm high")}
