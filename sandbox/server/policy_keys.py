"""Add actions and condition keys to MiniStack's authorization.

MiniStack's table of Lambda paths is coarse: deleting a mapping is not authorized at all, and reading a function's
concurrency requires `PutFunctionConcurrency`. botocore's model has the exact operation.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.iam_actions import identity_denial_message
from ministack.core.responses import get_account_id, get_region

from sandbox.server import api, inside
from sandbox.server.authorization import spelled
from sandbox.server.context import current_call
from sandbox.server.resource_names import PARTIAL_ARN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server.api import Call

_NAME_THE_RESOURCE = frozenset({"events", "iam", "lambda", "securityhub", "sqs"})
# The operations whose action has another name.
_ACTIONS: Mapping[str, str] = {
    "GetLayerVersionByArn": "GetLayerVersion",
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
}


def wrap_iam_action(inner: Callable[..., str | None]) -> Callable[..., str | None]:
    """Authorize SQS's batch operations with the action of the single operation, as AWS does, and Security Hub's."""

    def extract_iam_action(service: str, *rest: Any) -> str | None:
        if service == "securityhub":
            found = api.match(service, *rest[:2])
            return f"{service}:{found[0]}" if found else None
        action = inner(service, *rest)
        return action.removesuffix("Batch") if action and service == "sqs" else action

    return extract_iam_action


def wrap_lambda_action(inner: Callable[[str, str], str | None]) -> Callable[[str, str], str | None]:
    """Return Lambda's actions from botocore's model."""

    def lambda_action(method: str, path: str) -> str | None:
        found = api.match("lambda", method, path)
        return _ACTIONS.get(found[0], found[0]) if found else inner(method, path)

    return lambda_action


def wrap_context(inner: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Add condition keys of IAM, Lambda, DynamoDB and Security Hub. The gateway parses the calls of the first two."""

    def request_tag_context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        known = inner(service, iam_action, body, params)
        if service == "dynamodb":
            return {**known, **_leading_keys(body)}
        if iam_action == "securityhub:BatchUpdateFindings":
            return {**known, **_updated_fields(body)}
        call = current_call.get()
        return known if call is None else {**known, **condition_keys(call)}

    return request_tag_context


def condition_keys(call: Call) -> dict[str, Any]:
    """Return the service's own condition keys of a call."""
    if call.service == "iam":
        return _iam_keys(call.params)
    return _lambda_keys(call) if call.service == "lambda" else {}


def _updated_fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a finding that a request writes, with their values.

    https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html#batchupdatefindings-configure-access
    """
    fields: dict[str, Any] = {}
    for name, value in json.loads(body).items():
        if name == "UserDefinedFields":
            fields |= {f"{name}.key": list(value), f"{name}.value": list(value.values())}
        elif isinstance(value, dict):
            fields |= {f"{name}.{member}": str(one) for member, one in value.items()}
        elif name != "FindingIdentifiers":
            fields[name] = [str(one) for one in value] if isinstance(value, list) else str(value)
    return {f"securityhub:ASFFSyntaxPath/{name}": value for name, value in fields.items()}


def _leading_keys(body: bytes) -> dict[str, Any]:
    """Return the partition keys of a request for one item of a table; of others the key is not set.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    try:
        params: Mapping[str, Any] = json.loads(body or b"{}")
    except ValueError:  # DynamoDB answers that
        return {}
    item, table = params.get("Item") or params.get("Key"), inside.tables.get(params.get("TableName", ""))
    if not item or not table:
        return {}
    value = item.get(table["pk_name"]) or {}
    return {"dynamodb:LeadingKeys": [str(one) for one in value.values()]} if value else {}


def _iam_keys(params: Mapping[str, Any]) -> dict[str, Any]:
    entity = inside.roles.get(params.get("RoleName", "")) or inside.users.get(params.get("UserName", "")) or {}
    keys = {f"iam:ResourceTag/{tag['Key']}": tag["Value"] for tag in entity.get("Tags") or []}
    if "PolicyArn" in params:
        keys["iam:PolicyARN"] = params["PolicyArn"]
    # For calls that do not set a boundary, the key has the current boundary of the role or user.
    boundary = params.get("PermissionsBoundary") or entity.get("PermissionsBoundary")
    if boundary:
        keys["iam:PermissionsBoundary"] = boundary
    return keys


def _lambda_keys(call: Call) -> dict[str, Any]:
    params = call.params
    keys: dict[str, Any] = {}
    if call.operation == "AddPermission" and "Principal" in params:
        keys["lambda:Principal"] = params["Principal"]
    if "FunctionUrlAuthType" in params or "AuthType" in params:
        keys["lambda:FunctionUrlAuthType"] = params.get("FunctionUrlAuthType") or params["AuthType"]
    if call.operation.endswith("EventSourceMapping") and (function := _mapped_function(params)):
        keys["lambda:FunctionArn"] = function
    return keys


def _mapped_function(params: Mapping[str, Any]) -> str:
    if "FunctionName" not in params:
        mapping = inside.event_source_mappings.get(params.get("UUID", ""))
        return str(mapping["FunctionArn"]) if mapping else ""
    name, qualifier = inside.resolve_function(params["FunctionName"])
    suffix = f":{qualifier}" if qualifier else ""
    return f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}{suffix}"


def wrap_denial(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Add the resource to the message of a denial, as these services do. EventBridge returns the status 400."""

    def access_denied_response(service: str, action: str, principal_arn: str, request_id: str, **details: Any) -> Any:
        plain = not details.get("message") and not details.get("error_code") and not details.get("resource_policy_arn")
        if service in _NAME_THE_RESOURCE and plain:
            resource, explicit = details.get("resource_arn", "*"), bool(details.get("explicit_deny"))
            details["message"] = identity_denial_message(spelled(action), principal_arn, resource, explicit)
        response = inner(service, action, principal_arn, request_id, **details)
        return (HTTPStatus.BAD_REQUEST, *response[1:]) if service == "events" else response

    return access_denied_response


def wrap_names(inner: Callable[[str], tuple[str, str | None]]) -> Callable[[str], tuple[str, str | None]]:
    """Accept partial ARNs (`123456789012:function:name:qualifier`) as function names, as Lambda does."""

    def resolve(name_or_arn: str) -> tuple[str, str | None]:
        partial = PARTIAL_ARN.fullmatch(name_or_arn or "")
        return inner(partial["rest"] if partial else name_or_arn)

    return resolve
