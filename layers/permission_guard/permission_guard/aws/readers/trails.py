"""Whether a trail of CloudTrail recorded the data events `Invoke` of a function, for some days and without a gap."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.calls import read
from permission_guard.iam.arn import require_arn
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from permission_guard.model.targets import FunctionTarget

_FUNCTION: Final = "AWS::Lambda::Function"
_MAX_PAGES: Final = 4
_MAX_TEXT: Final = 200

_OPERATORS: Final[dict[str, Callable[[str, list[str]], bool]]] = {
    "Equals": lambda text, values: text in values,
    "StartsWith": lambda text, values: text.startswith(tuple(values)),
    "EndsWith": lambda text, values: text.endswith(tuple(values)),
    "NotEquals": lambda text, values: text not in values,
    "NotStartsWith": lambda text, values: not text.startswith(tuple(values)),
    "NotEndsWith": lambda text, values: not text.endswith(tuple(values)),
}


class Trails:
    """Reads the trails that deliver to a log group. `cloudtrail` returns the client of a region.

    A trail delivers to a log group of its own account and home region, whatever regions it records.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/send-cloudtrail-events-to-cloudwatch-logs.html
    """

    def __init__(self, log_group_arn: str, cloudtrail: Callable[[str], Any]) -> None:
        arn = require_arn(log_group_arn)
        self._log_group_arn = log_group_arn
        self._log_group = arn.resource.removeprefix("log-group:")
        self._region = arn.region
        self._cloudtrail = cloudtrail

    def why_incomplete(self, target: FunctionTarget, since: datetime) -> str:
        """Return why no trail is known to have recorded every `Invoke` of a function since then, empty if one has."""
        found = read("cloudtrail:DescribeTrails", self._cloudtrail(self._region).describe_trails)
        if found is None or isinstance(found, Unread):
            return failed("cloudtrail:DescribeTrails", found)
        why = f"no trail of {self._region} delivers to the log group {self._log_group}"
        for trail in found["trailList"]:
            if trail.get("CloudWatchLogsLogGroupArn", "").removesuffix(":*") == self._log_group_arn:
                why = self._problem(trail, target, since)
                if not why:
                    break
        return why

    def _problem(self, trail: Mapping[str, Any], target: FunctionTarget, since: datetime) -> str:
        name = f"the trail {trail['Name']}"
        if trail.get("HomeRegion") != self._region or trail.get("IsOrganizationTrail") is not False:
            return f"{name} is one of an organization or of another region, so its changes cannot be read"
        if not trail.get("IsMultiRegionTrail") and target.region != self._region:
            return f"{name} records only {self._region}"
        return (
            self._status_problem(trail["TrailARN"], name, target, since)
            or self._selector_problem(trail["TrailARN"], name, target)
            or self._change(trail, since)
        )

    def _status_problem(self, arn: str, name: str, target: FunctionTarget, since: datetime) -> str:
        """Return what is wrong with the recording, in the trail's own region and in that of the function.

        https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
        """
        for region in sorted({self._region, target.region}):
            call = partial(self._cloudtrail(region).get_trail_status, Name=arn)
            status = read("cloudtrail:GetTrailStatus", call)
            if status is None or isinstance(status, Unread):
                return failed("cloudtrail:GetTrailStatus", status)
            started = status.get("StartLoggingTime")
            if not status.get("IsLogging") or started is None:
                return f"{name} does not record {region}"
            if started > since:
                return f"{name} records {region} only since {started:%Y-%m-%d}"
            if error := status.get("LatestCloudWatchLogsDeliveryError"):
                return f"{name} could not deliver to CloudWatch Logs: {error!r:.{_MAX_TEXT}}"
        return ""

    def _selector_problem(self, arn: str, name: str, target: FunctionTarget) -> str:
        call = partial(self._cloudtrail(self._region).get_event_selectors, TrailName=arn)
        found = read("cloudtrail:GetEventSelectors", call)
        if found is None or isinstance(found, Unread):
            return failed("cloudtrail:GetEventSelectors", found)
        records = any(_records(each, target) for each in found.get("EventSelectors", ()))
        if records or any(_records_advanced(each, target) for each in found.get("AdvancedEventSelectors", ())):
            return ""
        return f"no event selector of {name} records every Invoke of {target.name}"

    def _change(self, trail: Mapping[str, Any], since: datetime) -> str:
        """Return which call changed what was recorded, or deleted some of it, empty if none did.

        CloudTrail lists the management events of 90 days, in the home region of the trail.
        https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
        """
        names = {trail["Name"], trail["TrailARN"]}
        for operation, parameter, ours in (
            ("PutEventSelectors", "trailName", names),
            ("UpdateTrail", "name", names),
            ("DeleteLogStream", "logGroupName", {self._log_group}),
        ):
            found = read("cloudtrail:LookupEvents", partial(self._events, operation, since))
            if found is None or isinstance(found, Unread):
                return failed("cloudtrail:LookupEvents", found)
            events, is_complete = found
            for event in events:
                if _concerns(event, parameter, ours):
                    return f"{operation} was called for it at {event['EventTime']:%Y-%m-%d %H:%M} UTC"
            if not is_complete:
                return f"there are too many events of {operation} to read"
        return ""

    def _events(self, name: str, since: datetime) -> tuple[list[Mapping[str, Any]], bool]:
        """Return the first management events of a name, and whether they are all of them."""
        pages = (
            self._cloudtrail(self._region)
            .get_paginator("lookup_events")
            .paginate(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}], StartTime=since)
        )
        read_pages = list(islice(pages, _MAX_PAGES))
        is_complete = not read_pages or not read_pages[-1].get("NextToken")
        return [event for page in read_pages for event in page["Events"]], is_complete


def failed(action: str, found: Unread | None) -> str:
    """Return that a call did not answer, within a bound."""
    return f"{found or f'{action} found nothing'}"[:_MAX_TEXT]


def _records(selector: Mapping[str, Any], target: FunctionTarget) -> bool:
    """Return whether a basic event selector records every `Invoke` of a function.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html
    """
    every = {f"arn:{target.partition}:lambda", target.arn}
    return selector.get("ReadWriteType") in ("All", "WriteOnly") and any(
        each.get("Type") == _FUNCTION and not every.isdisjoint(each.get("Values", ()))
        for each in selector.get("DataResources", ())
    )


def _records_advanced(selector: Mapping[str, Any], target: FunctionTarget) -> bool:
    """Return whether an advanced event selector records every `Invoke` of a function: each of its fields must.

    A field that is not known here, such as the ARN of the caller, may exclude events.
    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    event = {
        "eventCategory": "Data",
        "resources.type": _FUNCTION,
        "resources.ARN": target.arn,
        "readOnly": "false",
        "eventName": "Invoke",
        "eventSource": "lambda.amazonaws.com",
    }
    fields = selector.get("FieldSelectors", ())
    named = {each.get("Field") for each in fields}
    return {"eventCategory", "resources.type"} <= named <= event.keys() and all(
        is_met for each in fields for is_met in _tests(each, event)
    )


def _tests(field: Mapping[str, Any], event: Mapping[str, str]) -> Iterator[bool]:
    """Yield whether each operator of a field admits an event; false for one that is not known."""
    for operator, values in field.items():
        if operator != "Field":
            yield operator in _OPERATORS and _OPERATORS[operator](event[field["Field"]], values)


def _concerns(event: Mapping[str, Any], parameter: str, names: set[str]) -> bool:
    """Return whether a call changed something that has one of the names; true in doubt, false if it failed."""
    try:
        recorded = json.loads(event["CloudTrailEvent"])
        named = recorded["requestParameters"][parameter]
    except (KeyError, TypeError, ValueError):
        return True
    return not recorded.get("errorCode") and (not isinstance(named, str) or named in names)
