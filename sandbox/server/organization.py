"""Organizations for an account without one until it creates one. MiniStack creates one on every call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.server import inside
from sandbox.server.reply import Response, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def wrap_handle_request(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Reject every call of an account without an organization, except to create one."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: Mapping[str, list[str]]
    ) -> Response:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation == "CreateOrganization":
            return _create(body)
        if "self" not in inside.organizations:
            text = "Your account is not a member of an organization."
            return json_error("AWSOrganizationsNotInUseException", text)
        response: Response = await inner(method, path, headers, body, query_params)
        return response

    return handle_request


def _create(body: bytes) -> Response:
    if "self" in inside.organizations:
        text = "The AWS account is already a member of an organization."
        return json_error("AlreadyInOrganizationException", text)
    inside.make_organization()
    made = {**inside.organizations["self"], "FeatureSet": json.loads(body or b"{}").get("FeatureSet", "ALL")}
    inside.organizations["self"] = made
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"Organization": made}).encode()
