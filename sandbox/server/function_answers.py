"""Correct Lambda's responses on URLs, new versions and asynchronous invocations.

The ARNs have the alias or the version, where MiniStack's have only the function. UpdateFunctionEventInvokeConfig, which
MiniStack lacks, is added.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region

from sandbox.server import api, inside
from sandbox.server.reply import Response, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    InvokeConfigWriter = Callable[[str, str | None, dict[str, Any]], Response]
    UrlWriter = Callable[[str, dict[str, Any], str | None], Response]


def wrap_create_url(inner: UrlWriter) -> UrlWriter:
    """Return the ARN of the URL's alias."""

    def create_url(func_name: str, data: dict[str, Any], qualifier: str | None) -> Response:
        response = inner(func_name, data, qualifier)
        if response[0] != HTTPStatus.CREATED or qualifier in (None, "$LATEST"):
            return response
        kept = inside.function_urls[f"{func_name}:{qualifier}"]
        kept["FunctionArn"] = f"{kept['FunctionArn']}:{qualifier}"
        return _with_arn(response, kept["FunctionArn"])

    return create_url


def wrap_list_urls(inner: Callable[[str, Any], Response]) -> Callable[[str, Any], Response]:
    """Reject a function that does not exist."""

    def list_urls(func_name: str, query_params: Any) -> Response:
        if func_name not in inside.functions:
            arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{func_name}"
            return json_error("ResourceNotFoundException", f"Function does not exist: {arn}", HTTPStatus.NOT_FOUND)
        return inner(func_name, query_params)

    return list_urls


def wrap_update_code(
    inner: Callable[[str, Mapping[str, Any]], Response],
) -> Callable[[str, Mapping[str, Any]], Response]:
    """Return the ARN of the version that was published with the code."""

    def update_code(name: str, data: Mapping[str, Any]) -> Response:
        response = inner(name, data)
        if response[0] != HTTPStatus.OK or not data.get("Publish"):
            return response
        config = json.loads(response[2])
        return _with_arn(response, f"{config['FunctionArn']}:{config['Version']}")

    return update_code


def wrap_put_invoke_config(inner: InvokeConfigWriter) -> InvokeConfigWriter:
    """Return the ARN of the version, $LATEST by default."""

    def put_invoke_config(func_name: str, qualifier: str | None, data: dict[str, Any]) -> Response:
        response = inner(func_name, qualifier, data)
        if response[0] != HTTPStatus.OK or qualifier:
            return response
        kept = inside.functions[func_name]["event_invoke_configs"][""]
        kept["FunctionArn"] = f"{kept['FunctionArn']}:$LATEST"
        return _with_arn(response, kept["FunctionArn"])

    return put_invoke_config


def wrap_handle_request(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Handle UpdateFunctionEventInvokeConfig: merge the changes into the current configuration."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: Mapping[str, list[str]]
    ) -> Response:
        found = api.match("lambda", method, path)
        if found is None or found[0] != "UpdateFunctionEventInvokeConfig":
            response: Response = await inner(method, path, headers, body, query_params)
            return response
        present: Response = await inner("GET", path, headers, b"", query_params)
        if present[0] != HTTPStatus.OK:
            return present
        changed: Response = await inner(
            "PUT", path, headers, json.dumps({**json.loads(present[2]), **json.loads(body)}).encode(), query_params
        )
        return changed

    return handle_request


def _with_arn(response: Response, arn: str) -> Response:
    status, headers, body = response
    return status, headers, json.dumps({**json.loads(body), "FunctionArn": arn}).encode()
