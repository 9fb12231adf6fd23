"""Event bus policies as on AWS, and PutEvents that is authorized by them.

MiniStack stores statements that allow, asks none, and has no `AWS::Events::EventBusPolicy`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region, json_response

from sandbox.server import authorization, inside
from sandbox.server.context import current_key
from sandbox.server.reply import ApiError, Response
from sandbox.server.resource_names import bus_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Statement = dict[str, Any]

EVENT_BUS_POLICY = "AWS::Events::EventBusPolicy"
_LIMIT = 10_240
_ACCOUNT = re.compile(r"\d{12}")
_STATEMENT_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DEFAULT = "default"


def wrap_iam_action(inner: Callable[..., str | None]) -> Callable[..., str | None]:
    """Authorize PutEvents for each of its events (`wrap_put_events`), not once for the call."""

    def extract_iam_action(*request: Any) -> str | None:
        action = inner(*request)
        return None if action == "events:PutEvents" else action

    return extract_iam_action


def wrap_put_events(inner: Callable[..., Response]) -> Callable[..., Response]:
    """Reject a call with an event that the caller may not put on its bus. Events of AWS services are not asked."""

    def put_events(data: Mapping[str, Any], allow_aws_source: bool = False) -> Response:
        if not allow_aws_source and current_key.get():
            try:
                for bus, keys in _events(data):
                    authorization.require_allowed("events:PutEvents", bus, keys)
            except ApiError as error:
                return error.response()
        return inner(data, allow_aws_source)

    return put_events


def _events(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the bus of each event, and its condition keys."""
    names = {"events:source": "Source", "events:detail-type": "DetailType"}
    for entry in data.get("Entries") or []:
        keys = {key: entry[name] for key, name in names.items() if entry.get(name)}
        yield bus_arn(str(entry.get("EventBusName") or _DEFAULT)), keys


def bus_arn(name_or_arn: str) -> str:
    """Return the ARN of the bus that MiniStack finds by a name or an ARN, which it accepts with another partition."""
    name, error = inside.bus_of_reference(name_or_arn)
    return name_or_arn if error else f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}"


def put_permission(data: Mapping[str, Any]) -> Response:
    """Handle PutPermission: one statement by its members, or a whole policy."""
    try:
        bus = _existing(data.get("EventBusName"))
        if data.get("Policy"):
            _store(bus, _statements(data["Policy"]))
        else:
            _put(bus, _statement(bus, data))
    except ApiError as error:
        return error.response()
    return json_response({})  # type: ignore[no-any-return]


def remove_permission(data: Mapping[str, Any]) -> Response:
    """Handle RemovePermission."""
    try:
        bus = _existing(data.get("EventBusName"))
        _remove(bus, None if data.get("RemoveAllPermissions") else str(data.get("StatementId", "")))
    except ApiError as error:
        return error.response()
    return json_response({})  # type: ignore[no-any-return]


def wrap_delete_bus(inner: Callable[[Mapping[str, Any]], Response]) -> Callable[[Mapping[str, Any]], Response]:
    """Delete a bus's policy with the bus."""

    def delete_event_bus(data: Mapping[str, Any]) -> Response:
        response = inner(data)
        if data.get("Name") not in inside.event_buses:
            inside.event_bus_policies.pop(data.get("Name"), None)
        return response

    return delete_event_bus


def _existing(name_or_arn: Any) -> str:
    bus = bus_name(str(name_or_arn or _DEFAULT))
    if bus != _DEFAULT and bus not in inside.event_buses:
        raise ApiError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    return bus


def _statement(bus: str, data: Mapping[str, Any]) -> Statement:
    """Return the statement of PutPermission's members. They allow an account, or everyone who meets a condition."""
    statement_id, principal = str(data.get("StatementId") or ""), str(data.get("Principal") or "")
    if not _STATEMENT_ID.fullmatch(statement_id):
        raise ApiError("ValidationException", "StatementId must match [a-zA-Z0-9-_]+ and have 1 to 64 characters.")
    if principal != "*" and not _ACCOUNT.fullmatch(principal):
        raise ApiError("ValidationException", "Principal must be an account ID or *.")
    if not str(data.get("Action") or "").startswith("events:"):
        raise ApiError("ValidationException", "Provided value in parameter 'action' is not supported.")
    condition = data.get("Condition")
    return {
        "Sid": statement_id,
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": data["Action"],
        "Resource": bus_arn(bus),
        **({"Condition": {condition["Type"]: {condition["Key"]: condition["Value"]}}} if condition else {}),
    }


def _statements(policy: Any) -> list[Statement]:
    try:
        document = json.loads(policy)
    except ValueError:
        document = None
    statements = document.get("Statement") if isinstance(document, dict) else None
    listed = [statements] if isinstance(statements, dict) else statements
    if not isinstance(listed, list) or not listed or not all(_is_statement(one) for one in listed):
        raise ApiError("ValidationException", "This policy contains invalid Json or an invalid statement.")
    return listed


def _is_statement(statement: Any) -> bool:
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in {"Allow", "Deny"}
        and any(name in statement for name in ("Principal", "NotPrincipal"))
        and any(name in statement for name in ("Action", "NotAction"))
        and any(name in statement for name in ("Resource", "NotResource"))
    )


def _put(bus: str, statement: Statement) -> None:
    """Store a statement in place of the one with its id."""
    _store(bus, [*(one for one in _stored(bus) if one.get("Sid") != statement["Sid"]), statement])


def _remove(bus: str, statement_id: str | None) -> None:
    """Remove a statement, or with None all of them."""
    present = _stored(bus)
    if statement_id is None:
        _store(bus, [])
        return
    if not present:
        raise ApiError("ResourceNotFoundException", "EventBus does not have a policy.")
    left = [one for one in present if one.get("Sid") != statement_id]
    if len(left) == len(present):
        raise ApiError("ResourceNotFoundException", "Statement with the provided id does not exist.")
    _store(bus, left)


def _stored(bus: str) -> list[Statement]:
    policy = inside.event_bus_policies.get(bus) or {}
    return list(policy.get("Statement", []))


def _store(bus: str, statements: list[Statement]) -> None:
    policy = {"Version": "2012-10-17", "Statement": statements}
    if len(json.dumps(policy)) > _LIMIT:
        raise ApiError("PolicyLengthExceededException", f"The policy is longer than {_LIMIT} characters.")
    if statements:
        inside.event_bus_policies[bus] = policy
    else:
        inside.event_bus_policies.pop(bus, None)


def create_resource(_logical_id: str, props: Mapping[str, Any], _stack_name: str) -> tuple[str, dict[str, Any]]:
    """Create an `AWS::Events::EventBusPolicy`, which is one statement. Return its physical ID and attributes."""
    try:
        bus = _existing(props.get("EventBusName"))
        _put(bus, _declared(bus, props))
    except ApiError as error:
        text = f'Resource handler returned message: "{error.message} (Service: EventBridge, Status Code: 400)"'
        raise ValueError(text) from error
    return f"{bus}|{props['StatementId']}", {}


def update_resource(
    physical_id: str, _old: Mapping[str, Any], new: Mapping[str, Any], stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Store the statement; another bus or statement id replaces the resource."""
    made = create_resource("", new, stack_name)
    if made[0] != physical_id:
        delete_resource(physical_id, {})
    return made


def delete_resource(physical_id: str, _props: Mapping[str, Any]) -> None:
    """Remove the statement, unless it or its bus is gone already."""
    bus, _, statement_id = physical_id.partition("|")
    _store(bus, [one for one in _stored(bus) if one.get("Sid") != statement_id])


def _declared(bus: str, props: Mapping[str, Any]) -> Statement:
    if "Statement" not in props:
        return _statement(bus, props)
    if not props.get("StatementId"):
        raise ApiError("ValidationException", "StatementId is required.")
    return {**_statements(json.dumps({"Statement": props["Statement"]}))[0], "Sid": props["StatementId"]}


RESOURCE_HANDLERS = {"create": create_resource, "update": update_resource, "delete": delete_resource}
