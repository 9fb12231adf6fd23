"""Lambda's answers about URLs and new versions, which name an alias or a version where MiniStack names the function."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region

from sandbox import inside
from sandbox.reply import Response, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    UrlWriter = Callable[[str, dict[str, Any], str | None], Response]


def wrap_create_url(inner: UrlWriter) -> UrlWriter:
    """Name the alias that the URL is of."""

    def create_url(func_name: str, data: dict[str, Any], qualifier: str | None) -> Response:
        response = inner(func_name, data, qualifier)
        if response[0] != HTTPStatus.CREATED or qualifier in (None, "$LATEST"):
            return response
        kept = inside.function_urls[f"{func_name}:{qualifier}"]
        kept["FunctionArn"] = f"{kept['FunctionArn']}:{qualifier}"
        return _with_arn(response, kept["FunctionArn"])

    return create_url


def wrap_list_urls(inner: Callable[[str, Any], Response]) -> Callable[[str, Any], Response]:
    """Refuse to list the URLs of a function that does not exist."""

    def list_urls(func_name: str, query_params: Any) -> Response:
        if func_name not in inside.functions:
            arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{func_name}"
            return json_error("ResourceNotFoundException", f"Function does not exist: {arn}", HTTPStatus.NOT_FOUND)
        return inner(func_name, query_params)

    return list_urls


def wrap_update_code(
    inner: Callable[[str, Mapping[str, Any]], Response],
) -> Callable[[str, Mapping[str, Any]], Response]:
    """Name the version that was published with the code."""

    def update_code(name: str, data: Mapping[str, Any]) -> Response:
        response = inner(name, data)
        if response[0] != HTTPStatus.OK or not data.get("Publish"):
            return response
        answer = json.loads(response[2])
        return _with_arn(response, f"{answer['FunctionArn']}:{answer['Version']}")

    return update_code


def _with_arn(response: Response, arn: str) -> Response:
    status, headers, body = response
    return status, headers, json.dumps({**json.loads(body), "FunctionArn": arn}).encode()
