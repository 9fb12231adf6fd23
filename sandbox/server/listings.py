"""Lists and descriptions in which MiniStack lacks a member that AWS returns, or has one that AWS does not return."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sandbox.server import inside
from sandbox.server.reply import Response, json_error, xml_error
from sandbox.server.resource_names import bus_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Listing = Callable[[Mapping[str, Any]], Response]

_NO_ALARM = "\0"
_NOT_OF_FUNCTIONS = re.compile(r"<(Protocol|Port|VpcId|HealthCheckProtocol|HealthCheckPort)>[^<]*</\1>")
_BUCKET_PARAMETERS = frozenset({"bucket-region", "continuation-token", "max-buckets", "prefix"})
_BUCKET_REGION = re.compile(rb"<BucketRegion>[^<]*</BucketRegion>")
_PORT_OF_A_FUNCTION = re.compile(rb"(<Id>arn:[\w-]+:lambda:[^<]*</Id>)<Port>\d*</Port>")


def wrap_list_secrets(inner: Listing) -> Listing:
    """Add the function and the schedule that rotate each secret."""

    def list_secrets(data: Mapping[str, Any]) -> Response:
        def complete(entry: dict[str, Any]) -> dict[str, Any]:
            kept = inside.secrets[entry["Name"]]
            rotation = {key: kept.get(key) for key in ("RotationLambdaARN", "RotationRules")}
            return {**entry, **{key: value for key, value in rotation.items() if value}}

        return _each(inner(data), "SecretList", complete)

    return list_secrets


def wrap_subscription_filters(inner: Listing) -> Listing:
    """Omit the role if there is none."""

    def describe_subscription_filters(data: Mapping[str, Any]) -> Response:
        def complete(entry: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in entry.items() if key != "roleArn" or value}

        return _each(inner(data), "subscriptionFilters", complete)

    return describe_subscription_filters


def _each(response: Response, members: str, complete: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    status, headers, body = response
    if status != HTTPStatus.OK:
        return response
    reply = json.loads(body)
    return status, headers, json.dumps({**reply, members: [complete(entry) for entry in reply[members]]}).encode()


def wrap_describe_bus(inner: Listing) -> Listing:
    """Accept the ARN of a bus too."""

    def describe_event_bus(data: Mapping[str, Any]) -> Response:
        return inner({**data, "Name": bus_name(str(data.get("Name") or "default"))})

    return describe_event_bus


def wrap_list_rules(inner: Listing) -> Listing:
    """Accept the ARN of a bus too, and reject a bus that does not exist."""

    def list_rules(data: Mapping[str, Any]) -> Response:
        bus = bus_name(str(data.get("EventBusName", "default")))
        if bus not in inside.event_buses:
            return json_error("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        return inner({**data, "EventBusName": bus})

    return list_rules


def wrap_list_targets(inner: Listing) -> Listing:
    """Accept the ARN of a bus too, and reject a rule that does not exist."""

    def list_targets_by_rule(data: Mapping[str, Any]) -> Response:
        bus, rule = bus_name(str(data.get("EventBusName", "default"))), str(data.get("Rule", ""))
        if f"{bus}|{rule}" not in inside.event_rules:
            return json_error("ResourceNotFoundException", f"Rule {rule} does not exist on EventBus {bus}.")
        return inner({**data, "EventBusName": bus})

    return list_targets_by_rule


def wrap_describe_alarms(inner: Callable[..., Response]) -> Callable[..., Response]:
    """Apply ActionPrefix: return only alarms with an action whose ARN has the prefix."""

    def describe_alarms(
        params: Mapping[str, Any], cbor_data: Mapping[str, Any], is_cbor: bool, is_json: bool = False
    ) -> Response:
        in_form = not (is_cbor or is_json)
        prefix = params.get("ActionPrefix", [""])[0] if in_form else cbor_data.get("ActionPrefix")
        if not prefix:
            return inner(params, cbor_data, is_cbor, is_json)
        names = _alarms_with_action(prefix) or [_NO_ALARM]
        if in_form:
            listed = {f"AlarmNames.member.{number}": [name] for number, name in enumerate(names, 1)}
            return inner({**params, **listed}, cbor_data, is_cbor, is_json)
        return inner(params, {**cbor_data, "AlarmNames": names}, is_cbor, is_json)

    return describe_alarms


def _alarms_with_action(prefix: str) -> list[str]:
    kinds = ("AlarmActions", "OKActions", "InsufficientDataActions")
    return [
        name
        for alarms in (inside.metric_alarms, inside.composite_alarms)
        for name, alarm in alarms.items()
        if any(str(action).startswith(prefix) for kind in kinds for action in alarm.get(kind) or [])
    ]


def wrap_list_buckets(inner: Callable[..., Response]) -> Callable[..., Response]:
    """Omit the regions if a request has no parameter.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Bucket.html
    """

    def list_buckets(query_params: Mapping[str, Any] | None = None, signed_region: str | None = None) -> Response:
        status, headers, body = inner(query_params, signed_region)
        has_parameter = _BUCKET_PARAMETERS & (query_params or {}).keys()
        return status, headers, body if has_parameter else _BUCKET_REGION.sub(b"", body)

    return list_buckets


def wrap_user_pool(inner: Listing) -> Listing:
    """Omit the texts that were never set."""

    def describe_user_pool(data: Mapping[str, Any]) -> Response:
        status, headers, body = inner(data)
        if status != HTTPStatus.OK:
            return status, headers, body
        pool = {name: value for name, value in json.loads(body)["UserPool"].items() if value != ""}
        return status, headers, json.dumps({"UserPool": pool}).encode()

    return describe_user_pool


def wrap_target_group(inner: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """Omit the protocol, the port and the network, which a target group of functions does not have."""

    def target_group(group: Mapping[str, Any]) -> str:
        element = inner(group)
        return _NOT_OF_FUNCTIONS.sub("", element) if group.get("TargetType") == "lambda" else element

    return target_group


def wrap_stack_resources(inner: Listing) -> Listing:
    """Apply PhysicalResourceId: return the resources of the stack of this region that owns the resource.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
    """

    def describe_stack_resources(params: Mapping[str, Any]) -> Response:
        owned = params.get("PhysicalResourceId", [""])[0]
        if not owned:
            return inner(params)
        for name, stack in inside.stacks.items():
            if any(one.get("PhysicalResourceId") == owned for one in stack.get("_resources", {}).values()):
                return inner({**params, "StackName": [name]})
        return xml_error("ValidationError", f"Stack for {owned} does not exist", 400, "")

    return describe_stack_resources


def wrap_target_health(inner: Listing) -> Listing:
    """Omit the port of a function."""

    def describe_target_health(params: Mapping[str, Any]) -> Response:
        status, headers, body = inner(params)
        return status, headers, _PORT_OF_A_FUNCTION.sub(rb"\1", body)

    return describe_target_health
