"""Lambda's resource-based policies as on AWS: one for the function, one for each version and alias.

MiniStack has one list for all of them, ignores revisions, and returns an empty policy where AWS returns an error.
`PutResourcePolicy`, `GetResourcePolicy` and `DeleteResourcePolicy` (API version 2026-07-09) are added. The union of a
function's policies stays where MiniStack's evaluator reads it.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.iam_actions import access_denied_response
from ministack.core.iam_evaluator import AuthError, enforce
from ministack.core.responses import get_account_id, get_region, json_response

from sandbox.server import api, inside
from sandbox.server.context import current_key
from sandbox.server.reply import ApiError, Response

Query = Mapping[str, list[str]]
Statement = dict[str, Any]
Policy = dict[str, Any]

_STALE = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetPolicy API to retrieve the latest Revision Id"
)
_NO_RESOURCE = "The resource you requested does not exist."
_NO_POLICY = "No policy is associated with the given resource."
_ACTION = re.compile(r"lambda:\*|lambda:[a-zA-Z]+|\*")
_ACCOUNT = re.compile(r"\d{12}")
_SERVICE = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)")
_AWS_PRINCIPAL = re.compile(r"arn:[\w-]+:(?:iam|sts)::\d{12}:.+")
_ALSO_NEEDED: Mapping[str, tuple[str, ...]] = {
    "PutResourcePolicy": ("AddPermission", "RemovePermission"),
    "GetResourcePolicy": ("GetPolicy",),
    "DeleteResourcePolicy": ("RemovePermission",),
}


def _returning_errors(handler: Callable[..., Response]) -> Callable[..., Response]:
    def returning(*args: Any, **kwargs: Any) -> Response:
        try:
            return handler(*args, **kwargs)
        except ApiError as error:
            return error.response()

    return returning


@_returning_errors
def add_permission(
    name: str, data: dict[str, Any], query: Query | None = None, path_qualifier: str | None = None
) -> Response:
    """Handle AddPermission. CloudFormation calls this too, and passes the last parameter by name."""
    qualifier = _qualifier(query, path_qualifier)
    if qualifier == "$LATEST":
        text = "We currently do not support adding policies for $LATEST."
        raise ApiError("InvalidParameterValueException", text)
    policies = _policies(name, qualifier)
    policy = policies.get(qualifier or "")
    _require_revision(policy, data.get("RevisionId"))
    statement = _statement(data, _arn(name, qualifier))
    present = policy["document"]["Statement"] if policy else []
    if any(one.get("Sid") == statement["Sid"] for one in present):
        text = f"The statement id ({statement['Sid']}) provided already exists. "
        text += "Please provide a new statement id, or remove the existing statement."
        raise ApiError("ResourceConflictException", text, 409)
    _store(name, qualifier, {"Version": "2012-10-17", "Id": "default", "Statement": [*present, statement]})
    return json_response({"Statement": _compact(statement)}, 201)  # type: ignore[no-any-return]


@_returning_errors
def remove_permission(name: str, sid: str, query: Query | None = None, path_qualifier: str | None = None) -> Response:
    """Handle RemovePermission."""
    qualifier = _qualifier(query, path_qualifier)
    policy = _policies(name, qualifier).get(qualifier or "")
    if policy is None:
        raise ApiError("ResourceNotFoundException", _NO_POLICY, 404)
    _require_revision(policy, _first(query, "RevisionId"))
    present = policy["document"]["Statement"]
    left = [one for one in present if one.get("Sid") != sid]
    if len(left) == len(present):
        text = f"Statement {sid} is not found in resource policy."
        raise ApiError("ResourceNotFoundException", text, 404)
    _store(name, qualifier, {**policy["document"], "Statement": left} if left else None)
    return 204, {}, b""


@_returning_errors
def get_policy(name: str, query: Query | None = None, path_qualifier: str | None = None) -> Response:
    """Handle GetPolicy."""
    qualifier = _qualifier(query, path_qualifier)
    policy = _policies(name, qualifier).get(qualifier or "")
    if policy is None:
        raise ApiError("ResourceNotFoundException", _NO_RESOURCE, 404)
    return _policy_answer(policy)


def wrap_delete_alias(inner: Callable[[str, str], Response]) -> Callable[[str, str], Response]:
    """Delete an alias's policy with the alias."""

    def delete_alias(func_name: str, alias_name: str) -> Response:
        response = inner(func_name, alias_name)
        record = inside.functions.get(func_name)
        if record is not None and alias_name not in record["aliases"] and alias_name in _of(record):
            _store(func_name, alias_name, None)
        return response

    return delete_alias


def wrap_handle_request(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Handle PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy, and leave the rest to MiniStack."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: Query
    ) -> Response:
        call = api.parse_rest("lambda", api.Request(method, path, query_params, headers, body))
        if call is not None and call.operation in _ALSO_NEEDED:
            return _whole_policy(call)
        response: Response = await inner(method, path, headers, body, query_params)
        return response

    return handle_request


def _whole_policy(call: api.Call) -> Response:
    arn = str(call.params["ResourceArn"])
    for action in _ALSO_NEEDED[call.operation]:
        denied = enforce(current_key.get(), f"lambda:{action}", "lambda", get_region(), resource_arn=arn)
        if denied is not None and not isinstance(denied, AuthError):
            explicit = denied.decision == "Deny"
            denial: Response = access_denied_response(
                "lambda", f"lambda:{action}", denied.principal_arn, "", resource_arn=arn, explicit_deny=explicit
            )
            return denial
    return _WHOLE[call.operation](arn, call.params)


@_returning_errors
def _put_whole(arn: str, params: Mapping[str, Any]) -> Response:
    name, qualifier = _target(arn)
    policies = _policies(name, qualifier)
    if params.get("RevisionId"):
        _require_revision(policies.get(qualifier or ""), params["RevisionId"])
    _store(name, qualifier, _checked_document(str(params.get("Policy", "")), arn))
    return _policy_answer(_policies(name, qualifier)[qualifier or ""])


@_returning_errors
def _get_whole(arn: str, _params: Mapping[str, Any]) -> Response:
    name, qualifier = _target(arn)
    policy = _policies(name, qualifier).get(qualifier or "")
    if policy is None:
        raise ApiError("ResourceNotFoundException", _NO_RESOURCE, 404)
    return _policy_answer(policy)


@_returning_errors
def _delete_whole(arn: str, params: Mapping[str, Any]) -> Response:
    name, qualifier = _target(arn)
    policy = _policies(name, qualifier).get(qualifier or "")
    if policy is None:
        raise ApiError("ResourceNotFoundException", _NO_RESOURCE, 404)
    _require_revision(policy, params.get("RevisionId"))
    _store(name, qualifier, None)
    return 204, {}, b""


_WHOLE: Mapping[str, Callable[[str, Mapping[str, Any]], Response]] = {
    "PutResourcePolicy": _put_whole,
    "GetResourcePolicy": _get_whole,
    "DeleteResourcePolicy": _delete_whole,
}


def _target(arn: str) -> tuple[str, str | None]:
    if ":function:" not in arn or not arn.startswith("arn:"):
        text = "The resource ARN must be the complete ARN of a Lambda function."
        raise ApiError("InvalidParameterValueException", text)
    name, qualifier = inside.resolve_function(arn)
    return name, qualifier


def _checked_document(text: str, arn: str) -> Policy:
    if len(text.encode()) > api.RESOURCE_POLICY_LIMIT:
        raise _too_long(len(text.encode()))
    try:
        document = json.loads(text)
        statements = document["Statement"]
    except (ValueError, KeyError, TypeError):
        raise ApiError("InvalidParameterValueException", "The policy is not a valid policy document.") from None
    statements = statements if isinstance(statements, list) else [statements]
    for statement in statements:
        resource = statement.get("Resource")
        if resource not in (arn, [arn]):
            raise ApiError("InvalidParameterValueException", f"The policy must have the Resource {arn}.")
    return {**document, "Statement": statements}


def _policies(name: str, qualifier: str | None) -> dict[str, dict[str, Any]]:
    record = inside.functions.get(name)
    if record is None:
        raise ApiError("ResourceNotFoundException", f"Function not found: {_arn(name, qualifier)}", 404)
    if qualifier and inside.qualifier_error(name, qualifier):
        raise ApiError("ResourceNotFoundException", f"Function not found: {_arn(name, qualifier)}", 404)
    return _of(record)


def _of(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    policies: dict[str, dict[str, Any]] = record.setdefault("policies_by_qualifier", {})
    return policies


def _store(name: str, qualifier: str | None, document: Policy | None) -> None:
    record = inside.functions[name]
    policies = _of(record)
    if document is None:
        del policies[qualifier or ""]
    else:
        size = len(_compact(document).encode())
        if size > api.RESOURCE_POLICY_LIMIT:
            raise _too_long(size)
        policies[qualifier or ""] = {"document": document, "revision": str(uuid.uuid4())}
    statements = [one for policy in policies.values() for one in policy["document"]["Statement"]]
    record["policy"] = {"Version": "2012-10-17", "Id": "default", "Statement": statements}


def _too_long(size: int) -> ApiError:
    text = f"The final policy size ({size}) is bigger than the limit ({api.RESOURCE_POLICY_LIMIT})."
    return ApiError("PolicyLengthExceededException", text)


def _policy_answer(policy: Mapping[str, Any]) -> Response:
    response: Response = json_response({"Policy": _compact(policy["document"]), "RevisionId": policy["revision"]})
    return response


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _require_revision(policy: Mapping[str, Any] | None, wanted: str | None) -> None:
    if wanted and (policy is None or policy["revision"] != wanted):
        raise ApiError("PreconditionFailedException", _STALE, 412)


def _arn(name: str, qualifier: str | None) -> str:
    arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def _first(query: Query | None, name: str) -> str | None:
    values = (query or {}).get(name)
    return values[0] if values else None


def _qualifier(query: Query | None, in_name: str | None) -> str | None:
    named = _first(query, "Qualifier")
    if named and in_name and named != in_name:
        text = "The derived qualifier from the function name does not match the specified qualifier."
        raise ApiError("InvalidParameterValueException", text)
    return named or in_name


def _statement(data: Mapping[str, Any], arn: str) -> Statement:
    if not _ACTION.fullmatch(str(data.get("Action", ""))):
        text = f"1 validation error detected: Value '{data.get('Action')}' at 'action' failed to satisfy constraint: "
        raise ApiError(
            "ValidationException", text + f"Member must satisfy regular expression pattern: {_ACTION.pattern}"
        )
    statement: Statement = {
        "Sid": data["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(str(data.get("Principal", ""))),
        "Action": data["Action"],
        "Resource": arn,
    }
    equals = {
        key: data[name]
        for name, key in (
            ("SourceAccount", "AWS:SourceAccount"),
            ("PrincipalOrgID", "aws:PrincipalOrgID"),
            ("EventSourceToken", "lambda:EventSourceToken"),
            ("FunctionUrlAuthType", "lambda:FunctionUrlAuthType"),
        )
        if data.get(name) is not None
    }
    conditions: dict[str, Any] = {"StringEquals": equals} if equals else {}
    if data.get("InvokedViaFunctionUrl") is not None:
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": str(data["InvokedViaFunctionUrl"]).lower()}
    if data.get("SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": data["SourceArn"]}
    return {**statement, "Condition": conditions} if conditions else statement


def _principal(typed: str) -> Any:
    if typed == "*":
        return "*"
    if _ACCOUNT.fullmatch(typed):
        return {"AWS": f"arn:aws:iam::{typed}:root"}
    if _AWS_PRINCIPAL.fullmatch(typed):
        return {"AWS": typed}
    if _SERVICE.fullmatch(typed):
        return {"Service": typed}
    text = "The provided principal was invalid. Please check the principal and try again."
    raise ApiError("InvalidParameterValueException", text)
