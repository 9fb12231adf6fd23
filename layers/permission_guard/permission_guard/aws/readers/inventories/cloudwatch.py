"""Alarms of all types, and the functions among their actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import dropped_members
from permission_guard.aws.readers.inventories.base import InvokingService, Walk, is_function
from permission_guard.invokers.cloudwatch import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import AlarmTypeType

    from permission_guard.model.state import Inventory

_ALARMS = "cloudwatch:DescribeAlarms"
_TYPES: tuple[AlarmTypeType, ...] = ("MetricAlarm", "CompositeAlarm", "LogAlarm")
_MEMBERS = ("MetricAlarms", "CompositeAlarms", "LogAlarms")
"""The members of a reply, one for each type."""


def _read(walk: Walk[CloudWatchClient]) -> Inventory:
    listing = walk.client.get_paginator("describe_alarms").paginate(
        AlarmTypes=_TYPES, PaginationConfig={"PageSize": 100}
    )
    alarms = walk.list_all(
        _ALARMS,
        (
            (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", []), *page.get("LogAlarms", []))
            for page in listing
        ),
    )
    if isinstance(alarms, Unread):
        return walk.inventory(alarms)
    triggers = (
        walk.trigger(alarm["AlarmArn"], action, f"the alarm {alarm['AlarmName']}")
        for alarm in alarms
        if alarm.get("ActionsEnabled", True)
        for actions in (alarm.get("AlarmActions"), alarm.get("OKActions"), alarm.get("InsufficientDataActions"))
        for action in actions or ()
        if is_function(action)
    )
    return walk.inventory(_dropped(walk.client) or (alarm["AlarmArn"] for alarm in alarms), triggers)


def _dropped(client: CloudWatchClient) -> Unread | None:
    """Return what the SDK drops from each reply because it does not know it: those alarms are unread, not absent."""
    unknown = dropped_members(client, "DescribeAlarms", _MEMBERS)
    if not unknown:
        return None
    message = f"the AWS SDK for Python is older than {' and '.join(unknown)}: update boto3"
    return Unread(_ALARMS, "UnknownMember", message, denied=True)


SERVICE = InvokingService("cloudwatch", INVOKER.principal, (_ALARMS,), _read)
