"""Return the resource that AWS authorizes for a call, where MiniStack has none or another one.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region

from sandbox.server import app_config, inside
from sandbox.server.context import current_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARTIAL_ARN = re.compile(r"(?:\d{12}:)?function:(?P<rest>.+)")
_POLICY_PATH = re.compile(r"/2026-07-09/resource-policy/(?P<arn>.+)")


def wrap_resource_arn(inner: Callable[..., str]) -> Callable[..., str]:
    """Return the resources that AWS authorizes."""

    def extract_resource_arn(service: str, method: str, path: str, *rest: Any) -> str:
        if service == "lambda":
            return _function(path) or inner(service, method, path, *rest)
        headers, body, query = rest[:3]
        if service == "appconfig" and path in app_config.DATA_PLANE:
            return app_config.configuration_arn(body, query)
        action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
        if action == "elasticfilesystem:DescribeAccessPoints":
            return _access_point(query)
        name = _NAMES.get(action or "")
        return name(path, body) if name else inner(service, method, path, *rest)

    return extract_resource_arn


def bus_name(name_or_arn: str) -> str:
    """Return the name of an event bus from its name or its ARN."""
    return name_or_arn.partition(":event-bus/")[2] or name_or_arn


def _function(path: str) -> str:
    if found := _POLICY_PATH.fullmatch(path):
        return found["arn"]
    call = current_call.get()
    partial = PARTIAL_ARN.fullmatch(str(call.params.get("FunctionName", ""))) if call else None
    return _arn("lambda", f"function:{partial['rest']}") if partial and "/functions/" in path else ""


def _rule(_path: str, body: bytes) -> str:
    bus, name = bus_name(_member(body, "EventBusName") or "default"), _member(body, "Rule") or _member(body, "Name")
    return _arn("events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")


def _authorizer(path: str, _body: bytes) -> str:
    return _arn("iot", f"authorizer/{path.strip('/').rpartition('/')[2]}")


def _ops_item(_path: str, body: bytes) -> str:
    return _arn("ssm", f"opsitem/{_member(body, 'OpsItemId') or '*'}")


def _hub(_path: str, _body: bytes) -> str:
    return _arn("securityhub", "hub/default")


def _product(_path: str, body: bytes) -> str:
    """Return the product of imported findings, `*` for those of several products."""
    try:
        products = {str(one["ProductArn"]) for one in json.loads(body)["Findings"]}
    except (KeyError, TypeError, ValueError):  # not findings: Security Hub rejects them
        return "*"
    return products.pop() if len(products) == 1 else "*"


def _policy_owner(_path: str, body: bytes) -> str:
    return _member(body, "ResourceArn") or "*"


def _alarms(_path: str, body: bytes) -> str:
    """Return all alarms. Only a policy with the resource `*` allows to describe composite alarms."""
    return "*" if b"CompositeAlarm" in body else _arn("cloudwatch", "alarm:*")


def _bus(_path: str, body: bytes) -> str:
    return _arn("events", f"event-bus/{bus_name(_member(body, 'Name') or 'default')}")


def _key(_path: str, body: bytes) -> str:
    """Return the key of an alias. Permissions apply to the key, even if the call has the alias."""
    named = _member(body, "KeyId")
    alias = named if named.startswith("arn:") else _arn("kms", named)
    found = inside.key_aliases.get(alias)
    if found:
        return _arn("kms", f"key/{found}")
    return named if named.startswith("arn:") else _arn("kms", f"key/{named}")


def _access_point(query: Mapping[str, list[str]]) -> str:
    named = query.get("AccessPointId")
    return _arn("elasticfilesystem", f"access-point/{named[0]}") if named else "*"


def _policy_source(_path: str, _body: bytes) -> str:
    call = current_call.get()
    return str(call.params.get("PolicySourceArn", "*")) if call else "*"


def _dead_letter_queue(_path: str, body: bytes) -> str:
    return _member(body, "SourceArn") or "*"


def _queue_of_task(_path: str, body: bytes) -> str:
    """Return the dead-letter queue of a message movement task, which its handle names."""
    try:
        return str(json.loads(base64.b64decode(_member(body, "TaskHandle")))["sourceArn"])
    except (KeyError, TypeError, ValueError):  # not a handle: SQS rejects it
        return "*"


def _everything(_path: str, _body: bytes) -> str:
    return "*"


def _each(service: str, operations: str, name: Callable[[str, bytes], str]) -> dict[str, Callable[[str, bytes], str]]:
    return dict.fromkeys([f"{service}:{operation}" for operation in operations.split()], name)


_NAMES: Mapping[str, Callable[[str, bytes], str]] = {
    **_each("cloudwatch", "DescribeAlarms", _alarms),
    **_each("dynamodb", "DeleteResourcePolicy GetResourcePolicy PutResourcePolicy", _policy_owner),
    **_each("events", "DeleteEventBus DescribeEventBus UpdateEventBus", _bus),
    **_each("events", "DeleteRule DescribeRule DisableRule EnableRule PutRule", _rule),
    **_each("events", "ListTargetsByRule PutTargets RemoveTargets", _rule),
    **_each("iam", "SimulatePrincipalPolicy", _policy_source),
    **_each("iot", "CreateAuthorizer DeleteAuthorizer DescribeAuthorizer UpdateAuthorizer", _authorizer),
    **_each("kms", "DescribeKey", _key),
    **_each("securityhub", "BatchImportFindings", _product),
    **_each("securityhub", "BatchUpdateFindings GetFindings", _hub),
    **_each("sqs", "CancelMessageMoveTask", _queue_of_task),
    **_each("sqs", "ListMessageMoveTasks StartMessageMoveTask", _dead_letter_queue),
    **_each("ssm", "GetOpsItem UpdateOpsItem", _ops_item),
    # These actions have no resource type: only a policy with the resource `*` allows them.
    **_each("elasticloadbalancing", "DescribeTargetGroups DescribeTargetHealth", _everything),
    **_each("events", "ListEventBuses ListRules", _everything),
    **_each("organizations", "DescribeOrganization", _everything),
}


def _member(body: bytes, name: str) -> str:
    try:
        document = json.loads(body or b"{}")
    except ValueError:  # not JSON: the service rejects it
        return ""
    return str(document.get(name) or "") if isinstance(document, dict) else ""


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"
