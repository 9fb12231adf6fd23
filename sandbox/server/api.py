"""Parse an AWS request into its operation and parameters.

botocore's service models have the URIs and member locations of Lambda's REST API, and the flattened member names of
IAM's query API. This module does not import MiniStack, so that the unit tests can import it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

Params = Mapping[str, Any]
Query = Mapping[str, list[str]]

RESOURCE_POLICY_LIMIT = 20_480
_POLICY_PATH = "/2026-07-09/resource-policy/{ResourceArn}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an AWS API. `params` has the names of the API reference."""

    service: str
    operation: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` is decoded, `headers` have lower-case names."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: re.Pattern[str]
    query: str
    operation: str
    literals: int


@lru_cache
def service_model(service: str) -> ServiceModel:
    """Return botocore's model of a service, with Lambda's newest operations added if it lacks them."""
    document: dict[str, Any] = botocore.session.get_session().get_service_data(service)
    if service == "lambda" and "PutResourcePolicy" not in document["operations"]:
        document = _with_resource_policy(document)
    return ServiceModel(document, service)


def _with_resource_policy(document: Mapping[str, Any]) -> dict[str, Any]:
    """Add the resource policy operations of API version 2026-07-09, which botocore has since 1.44.5."""
    text, arn = {"shape": "String"}, {"shape": "String", "location": "uri", "locationName": "ResourceArn"}
    query_revision = {"shape": "String", "location": "querystring", "locationName": "RevisionId"}
    response = {"type": "structure", "members": {"Policy": text, "RevisionId": text}}
    shapes = {
        "PutResourcePolicyRequest": {
            "type": "structure",
            "required": ["ResourceArn", "Policy"],
            "members": {"ResourceArn": arn, "Policy": text, "RevisionId": text},
        },
        "PutResourcePolicyResponse": response,
        "GetResourcePolicyRequest": {
            "type": "structure",
            "required": ["ResourceArn"],
            "members": {"ResourceArn": arn},
        },
        "GetResourcePolicyResponse": response,
        "DeleteResourcePolicyRequest": {
            "type": "structure",
            "required": ["ResourceArn"],
            "members": {"ResourceArn": arn, "RevisionId": query_revision},
        },
    }
    operations: dict[str, Any] = {}
    for verb, method in (("Put", "PUT"), ("Get", "GET"), ("Delete", "DELETE")):
        name = f"{verb}ResourcePolicy"
        operations[name] = {
            "name": name,
            "http": {"method": method, "requestUri": _POLICY_PATH},
            "input": {"shape": f"{name}Request"},
        }
        if f"{name}Response" in shapes:
            operations[name]["output"] = {"shape": f"{name}Response"}
    return {
        **document,
        "operations": {**document["operations"], **operations},
        "shapes": {**document["shapes"], **shapes},
    }


def operation_model(call: Call) -> OperationModel:
    """Return the model of a call's operation."""
    return service_model(call.service).operation_model(call.operation)


def parse(service: str, request: Request) -> Call | None:
    """Return the call of a request, None if the service does not have the operation."""
    if service_model(service).metadata["protocol"] == "rest-json":
        return parse_rest(service, request)
    if service == "iam":
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        return parse_form(service, {**request.query, **form})
    return parse_json(service, request.headers.get("x-amz-target", ""), request.body)


def match(service: str, method: str, path: str, query: Query | None = None) -> tuple[str, dict[str, str]] | None:
    """Return the operation of a REST path and the values of its path parameters."""
    wanted = path.rstrip("/") or "/"
    for route in _routes(service):
        found = route.path.fullmatch(wanted) if route.method == method else None
        if found and (not route.query or _has_query(route.query, query or {})):
            return route.operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None


def _has_query(wanted: str, query: Query) -> bool:
    name, _, value = wanted.partition("=")
    return value in query.get(name, [])


@lru_cache
def _routes(service: str) -> tuple[_Route, ...]:
    model = service_model(service)
    routes = [_route(model.operation_model(name)) for name in model.operation_names]
    return tuple(sorted(routes, key=lambda route: (bool(route.query), route.literals), reverse=True))


def _route(operation: OperationModel) -> _Route:
    uri, _, query = operation.http["requestUri"].partition("?")
    uri = uri.rstrip("/")
    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", re.escape(uri))
    literals = len(re.sub(r"\{[^}]*\}", "", uri))
    return _Route(operation.http["method"], re.compile(pattern), query, operation.name, literals)


def parse_rest(service: str, request: Request) -> Call | None:
    """Return the call of a REST-JSON request."""
    query = request.query
    found = match(service, request.method, request.path, query)
    if found is None:
        return None
    operation, in_path = found
    shape = service_model(service).operation_model(operation).input_shape
    if not isinstance(shape, StructureShape):
        return Call(service, operation)
    document = {} if "payload" in shape.serialization else _json_object(request.body)
    params: dict[str, Any] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if location == "uri" and wire_name in in_path:
            params[name] = in_path[wire_name]
        elif location == "querystring" and wire_name in query:
            params[name] = _from_query(member, query[wire_name])
        elif location is None and document.get(wire_name) is not None:
            params[name] = document[wire_name]
    return Call(service, operation, params)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body) if body else {}
    except ValueError:  # not JSON: the service rejects it, and AWS records nothing
        return {}
    return document if isinstance(document, dict) else {}


def _from_query(shape: Shape, values: list[str]) -> Any:
    if isinstance(shape, ListShape):
        return [_scalar(shape.member, value) for value in values]
    return _scalar(shape, values[0])


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text.lower() == "true",
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
}


def _scalar(shape: Shape, text: str) -> Any:
    try:
        return _SCALARS.get(shape.type_name, str)(text)
    except ValueError:  # a malformed number stays as sent
        return text


def parse_form(service: str, form: Query) -> Call | None:
    """Return the call of a query-protocol request; `form` has the query string and the form body."""
    operation = form.get("Action", [""])[0]
    model = service_model(service)
    if operation not in model.operation_names:
        return None
    shape = model.operation_model(operation).input_shape
    flat = {name: values[0] for name, values in form.items()}
    params = _unflatten(shape, flat, "") if shape is not None else {}
    return Call(service, operation, params or {})


def _unflatten(shape: Shape, flat: Mapping[str, str], prefix: str) -> Any:
    """Rebuild a value from names such as `Tags.member.1.Key`; None if the request has nothing under `prefix`."""
    if isinstance(shape, StructureShape):
        value = {}
        for name, member in shape.members.items():
            wire_name = member.serialization.get("name", name)
            found = _unflatten(member, flat, f"{prefix}.{wire_name}" if prefix else wire_name)
            if found is not None:
                value[name] = found
        return value or None
    if isinstance(shape, ListShape):
        wrapper = "" if shape.serialization.get("flattened") else ".member"
        items: list[Any] = []
        while (item := _unflatten(shape.member, flat, f"{prefix}{wrapper}.{len(items) + 1}")) is not None:
            items.append(item)
        return items or None
    if isinstance(shape, MapShape):
        entries: dict[str, Any] = {}
        while (key := flat.get(f"{prefix}.entry.{len(entries) + 1}.key")) is not None:
            entries[key] = _unflatten(shape.value, flat, f"{prefix}.entry.{len(entries) + 1}.value")
        return entries or None
    return None if prefix not in flat else _scalar(shape, flat[prefix])


def parse_json(service: str, target: str, body: bytes) -> Call | None:
    """Return the call of a JSON-protocol request. The `X-Amz-Target` header has the operation."""
    operation = target.rpartition(".")[2]
    if operation not in service_model(service).operation_names:
        return None
    return Call(service, operation, _json_object(body))
