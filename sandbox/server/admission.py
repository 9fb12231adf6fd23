"""Reject, with AWS's messages, the calls that Lambda rejects because of the execution role.

Lambda rejects a role that it cannot assume, or that does not allow what a configuration needs: reading the event
source, sending to a dead-letter queue or a destination, creating network interfaces. MiniStack accepts all of these.
MiniStack's evaluator decides with the role's identity-based policies, its boundary and the queue's own policy.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.iam_evaluator import EvalContext, combine_resource_policy, enforce, evaluate
from ministack.core.responses import get_account_id, get_region

from sandbox.server import authorization, inside
from sandbox.server.context import current_key
from sandbox.server.reply import ApiError, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STREAM = "Cannot access stream {source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
_STREAM_KINESIS = _STREAM + "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
_STREAM_DYNAMODB = _STREAM + "DescribeStream, and ListStreams Actions on your stream in IAM."
_SQS = "The function execution role does not have permissions to call {action} on SQS."

# The actions that Lambda checks, in its order. AWS's message names ListStreams, which Lambda does not check.
_READS: Mapping[str, tuple[str, ...]] = {
    "sqs": ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
    "kinesis": ("DescribeStream", "GetRecords", "GetShardIterator", "ListShards"),
    "dynamodb": ("DescribeStream", "GetRecords", "GetShardIterator"),
}
# The action that Lambda requires for a dead-letter queue, and the name of the service in AWS's message.
_SENDS: Mapping[str, tuple[str, str]] = {"sqs": ("SendMessage", "SQS"), "sns": ("Publish", "SNS")}
_LACKING = "The provided execution role does not have permissions to call {action} on {service}"
# The action that Lambda requires for a destination of asynchronous invocations. The one for buckets is unknown.
_DELIVERS: Mapping[str, str] = {
    "events": "PutEvents",
    "lambda": "InvokeFunction",
    "sns": "Publish",
    "sqs": "SendMessage",
}
_UNDELIVERED = "The function's execution role does not have permissions to call {action} on {target}"
_TEXTS: Mapping[str, str] = {"sqs": _SQS, "kinesis": _STREAM_KINESIS, "dynamodb": _STREAM_DYNAMODB}


def require_assumable(role_arn: str, function_name: str) -> None:
    """Raise ApiError unless the role exists and its trust policy allows Lambda."""
    role = inside.roles.get(role_arn.rpartition("/")[2])
    if role is None or role["Arn"] != role_arn or not _trusts_lambda(role, function_name):
        text = "The role defined for the function cannot be assumed by Lambda."
        raise ApiError("InvalidParameterValueException", text)


def _trusts_lambda(role: Mapping[str, Any], function_name: str) -> bool:
    trust = role["AssumeRolePolicyDocument"]
    document = json.loads(trust) if isinstance(trust, str) else trust
    account, region = get_account_id(), get_region()
    keys = {
        "aws:sourceaccount": account,
        "aws:sourcearn": f"arn:aws:lambda:{region}:{account}:function:{function_name}",
    }
    context = _context("sts:AssumeRole", str(role["Arn"]), "lambda.amazonaws.com", keys)
    matching = [one for one in _listed(document.get("Statement")) if _names_lambda(one, context)]
    return any(one["Effect"] == "Allow" for one in matching) and all(one["Effect"] != "Deny" for one in matching)


def _names_lambda(statement: Mapping[str, Any], context: EvalContext) -> bool:
    principal = statement.get("Principal", {})
    services = ["*"] if principal == "*" else _listed(principal.get("Service"))
    actions = {action.lower() for action in _listed(statement.get("Action"))}
    return bool(
        {"*", "lambda.amazonaws.com"} & set(services)
        and actions & {"sts:assumerole", "sts:*", "*"}
        and inside.conditions_met(statement.get("Condition") or {}, context)
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _context(action: str, resource: str, principal: str, keys: dict[str, Any]) -> EvalContext:
    return EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=keys,
    )


def require_source_access(role_arn: str, source_arn: str) -> None:
    """Raise ApiError unless the role may read the queue or stream. Other sources are not checked."""
    service = _service_of(source_arn)
    for action in _READS.get(service, ()):
        if not is_allowed(role_arn, f"{service}:{action}", source_arn):
            text = _TEXTS[service].format(action=action, source=source_arn)
            raise ApiError("InvalidParameterValueException", text)


def _service_of(arn: str) -> str:
    return _arn_part(arn, 2) if arn.startswith("arn:") else ""


def _arn_part(arn: str, index: int) -> str:
    """Return one part of an ARN: 2 is the service, 4 the account. The package is not installed in this interpreter."""
    return arn.split(":")[index]


def require_features(role_arn: str, config: Mapping[str, Any]) -> None:
    """Raise ApiError unless the role may do what Lambda checks for the function's configuration."""
    target = (config.get("DeadLetterConfig") or {}).get("TargetArn") or ""
    service = _service_of(target)
    if service in _SENDS:
        action, service_name = _SENDS[service]
        _require_allowed(role_arn, f"{service}:{action}", target, service_name)
    if (config.get("VpcConfig") or {}).get("SubnetIds"):
        _require_allowed(role_arn, "ec2:CreateNetworkInterface", "*", "EC2")


def require_destinations(role_arn: str, config: Mapping[str, Any]) -> None:
    """Raise ApiError unless the role may send the results of asynchronous invocations to the destinations."""
    for destination in (config.get("DestinationConfig") or {}).values():
        target = (destination or {}).get("Destination") or ""
        service = _service_of(target)
        if not may_deliver(role_arn, target):
            text = _UNDELIVERED.format(action=_DELIVERS[service], target=target)
            raise ApiError("InvalidParameterValueException", text)


def may_deliver(role_arn: str, target: str) -> bool:
    """Return whether a function's role may send the result of an asynchronous invocation to a destination."""
    service = _service_of(target)
    action = _DELIVERS.get(service)
    return action is None or (bool(role_arn) and is_allowed(role_arn, f"{service}:{action}", target))


def _require_allowed(role_arn: str, action: str, resource_arn: str, service: str) -> None:
    if not is_allowed(role_arn, action, resource_arn):
        text = _LACKING.format(action=action.partition(":")[2], service=service)
        raise ApiError("InvalidParameterValueException", text)


def is_allowed(role_arn: str, action: str, resource_arn: str) -> bool:
    """Return whether the role is allowed an action by its policies, its boundary and the resource's own policy."""
    account, name = _arn_part(role_arn, 4), role_arn.rpartition("/")[2]
    context = _context(action, resource_arn, f"arn:aws:sts::{account}:assumed-role/{name}/lambda", {})
    limits = inside.permissions_boundary(inside.roles, name, account)
    decision = evaluate(context, inside.role_policies(name, account), *limits)
    own = authorization.resource_policy_of(action.partition(":")[0], resource_arn)
    if own is not None:
        decision = combine_resource_policy(decision, context, *own, limits=limits)
    return bool(decision.decision == "Allow")


def require_pass_role(role_arn: str) -> None:
    """Raise ApiError unless the caller may pass the role to Lambda."""
    keys = {"iam:PassedToService": "lambda.amazonaws.com"}
    denied = enforce(
        current_key.get(), "iam:PassRole", "iam", get_region(), resource_arn=role_arn, service_context=keys
    )
    if denied is not None:
        caller = getattr(denied, "principal_arn", "")
        text = f"User: {caller} is not authorized to perform: iam:PassRole on resource: {role_arn}"
        raise ApiError(
            "AccessDeniedException", f"{text} because no identity-based policy allows the iam:PassRole action", 403
        )


def role_of(function: str) -> str:
    """Return the execution role of a function or of one of its versions, empty if it does not exist."""
    name, qualifier = inside.resolve_function(function)
    record = inside.functions.get(name)
    if record is None:
        return ""
    version = record["aliases"].get(qualifier, {}).get("FunctionVersion", qualifier)
    config = record["versions"].get(version, record)["config"]
    return str(config.get("Role", ""))


def wrap_create_function(inner: Callable[[dict[str, Any]], Response]) -> Callable[[dict[str, Any]], Response]:
    """Reject a role that the caller may not pass, that Lambda cannot assume, or that lacks a permission."""

    def create_function(data: dict[str, Any]) -> Response:
        if data.get("FunctionName") not in inside.functions and data.get("Role"):
            try:
                require_pass_role(data["Role"])
                require_assumable(data["Role"], data["FunctionName"])
                require_features(data["Role"], data)
            except ApiError as error:
                return error.response()
        return inner(data)

    return create_function


def wrap_update_config(inner: Callable[[str, dict[str, Any]], Response]) -> Callable[[str, dict[str, Any]], Response]:
    """Reject a role that the caller may not pass, that Lambda cannot assume, or that lacks a permission."""

    def update_config(name: str, data: dict[str, Any]) -> Response:
        if name in inside.functions:
            role = data.get("Role") or role_of(name)
            current = inside.functions[name]["config"] if data.get("Role") else {}
            try:
                if role != role_of(name):
                    require_pass_role(role)
                if data.get("Role"):
                    require_assumable(role, name)
                require_features(role, {**current, **data})
            except ApiError as error:
                return error.response()
        return inner(name, data)

    return update_config


def wrap_put_invoke_config(
    inner: Callable[[str, str | None, dict[str, Any]], Response],
) -> Callable[[str, str | None, dict[str, Any]], Response]:
    """Reject a destination to which the role of the function, version or alias may not send."""

    def put_invoke_config(func_name: str, qualifier: str | None, data: dict[str, Any]) -> Response:
        role = role_of(f"{func_name}:{qualifier}" if qualifier else func_name)
        if role:
            try:
                require_destinations(role, data)
            except ApiError as error:
                return error.response()
        return inner(func_name, qualifier, data)

    return put_invoke_config


def wrap_create_mapping(inner: Callable[[dict[str, Any]], Response]) -> Callable[[dict[str, Any]], Response]:
    """Reject a mapping if the role of its function may not read the source."""

    def create_mapping(data: dict[str, Any]) -> Response:
        role = role_of(data.get("FunctionName", ""))
        if role:
            try:
                require_source_access(role, data.get("EventSourceArn", ""))
            except ApiError as error:
                return error.response()
        return _in_state(inner(data), "Creating")

    return create_mapping


def wrap_update_mapping(inner: Callable[[str, dict[str, Any]], Response]) -> Callable[[str, dict[str, Any]], Response]:
    """Reject a change of a mapping to a function whose role may not read the source."""

    def update_mapping(esm_id: str, data: dict[str, Any]) -> Response:
        mapping = inside.event_source_mappings.get(esm_id)
        role = role_of(data.get("FunctionName", ""))
        if mapping is not None and role:
            try:
                require_source_access(role, mapping["EventSourceArn"])
            except ApiError as error:
                return error.response()
        return _in_state(inner(esm_id, data), "Updating")

    return update_mapping


def _in_state(response: Response, state: str) -> Response:
    """Return the response for a mapping that its poller has not checked yet."""
    status, headers, body = response
    if status >= HTTPStatus.BAD_REQUEST:
        return response
    mapping = {**json.loads(body), "State": state}
    mapping.pop("LastProcessingResult", None)
    return status, headers, json.dumps(mapping).encode()
