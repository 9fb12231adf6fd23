"""Requests and replies, and which service and operation a request is for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from botocore.session import get_session

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCOPE: Final = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
_MODELS: Final = {"tagging": "resourcegroupstaggingapi", "monitoring": "cloudwatch", "elasticloadbalancing": "elbv2"}
"""The names of services in botocore, where they differ from those that requests are signed with."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `target` is the path with the query, as sent. The names of `headers` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        found = parse_qs(self.target.partition("?")[2], keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    @property
    def form(self) -> dict[str, str]:
        """The first value of each parameter in the body of a query-protocol request."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """The service and operation of a request, and the parameters in its path."""

    service: str
    region: str
    operation: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def json_reply(content: Any) -> Reply:
    """Return a reply in JSON."""
    return Reply(json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def error_reply(status: int, code: str, **content: Any) -> Reply:
    """Return an error of a service with a JSON protocol."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return Reply(json.dumps({"__type": code, **content}).encode(), status, headers)


def call_of(request: Request) -> Call:
    """Return which operation a request calls. What cannot be named has its method and path as its operation."""
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    region, service = scope.groups() if scope else ("", "unsigned")
    target = request.headers.get("x-amz-target")
    if target:
        return Call(service, region, target.rpartition(".")[2])
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Call(service, region, request.form.get("Action", "?"))
    path = request.path.rstrip("/")
    for method, pattern, name in _routes(service):
        found = pattern.fullmatch(path) if method == request.method else None
        if found:
            return Call(service, region, name, {key: unquote(value) for key, value in found.groupdict().items()})
    return Call(service, region, f"{request.method} {path or '/'}")


@cache
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Return the method, path and name of each operation of a service with a REST protocol."""
    if service in ("unsigned", "s3"):  # An operation of S3 is told by its query.
        return ()
    try:
        model = get_session().get_service_model(_MODELS.get(service, service))
    except Exception:  # noqa: BLE001 - a service that botocore does not know has no names
        return ()
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = http.get("requestUri", "/").partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", _parameter, re.escape(path))
        found.append((http.get("method", "POST"), re.compile(pattern), name))
    return tuple(found)


def _parameter(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
