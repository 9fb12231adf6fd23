"""Operations that MiniStack lacks, with a store in the sandbox.

Requests are validated and responses serialized with botocore's model of the service. MiniStack has authorized the call
before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator
from ministack.core.responses import get_account_id, get_region

from sandbox.server import api
from sandbox.server.reply import ApiError, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Item = dict[str, Any]


class OwnService:
    """Some operations of one service, with a store for every account and region."""

    service: str
    rejects_with = "ValidationException"
    """The code of the error for an invalid request."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, Item]] = {}
        self._operations = self.operations()

    def operations(self) -> Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return the handler of each operation. It gets valid parameters, and returns the members of the response."""
        raise NotImplementedError

    def is_ours(self, call: api.Call) -> bool:
        """Return whether this class handles a call."""
        return call.operation in self._operations

    def wrap_handle_request(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Handle these operations, and leave the others of the service to MiniStack."""

        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: Mapping[str, list[str]]
        ) -> Response:
            call = api.parse(self.service, api.Request(method, path, query_params, headers, body))
            if call is not None and self.is_ours(call):
                return self.response_to(call)
            response: Response = await inner(method, path, headers, body, query_params)
            return response

        return handle_request

    def response_to(self, call: api.Call) -> Response:
        """Return the response to a call."""
        model = api.operation_model(call)
        try:
            require_valid(call.params, model.input_shape, self.rejects_with)
            reply = self._operations[call.operation](call.params)
        except ApiError as error:
            return error.response()
        body = json.dumps(serialised(model.output_shape, reply) if model.output_shape else {})
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, body.encode()

    def reset(self) -> None:
        """Remove everything."""
        self._kept.clear()

    def here(self) -> dict[str, Item]:
        """Return the items of the account and region of the request."""
        return self._kept.setdefault((get_account_id(), get_region()), {})


def require_valid(params: Mapping[str, Any], shape: StructureShape | None, code: str) -> None:
    """Validate a request with the model: types, required members, ranges, enumerations, lengths."""
    if shape is None:
        return
    report = ParamValidator().validate(dict(params), shape)
    if report.has_errors():
        raise ApiError(code, report.generate_report())
    for name, member in shape.members.items():
        value = params.get(name)
        allowed = getattr(member, "enum", [])
        longest = member.metadata.get("max")
        if allowed and value is not None and value not in allowed:
            text = f"Value '{value}' at '{name}' must satisfy enum value set: {', '.join(allowed)}"
            raise ApiError(code, text)
        if longest and isinstance(value, str) and len(value) > longest:
            text = f"Value at '{name}' must have length less than or equal to {longest}"
            raise ApiError(code, text)


def serialised(shape: Shape, value: Any) -> Any:
    """Return the members of a value that its shape has."""
    if isinstance(shape, StructureShape):
        return {
            name: serialised(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [serialised(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: serialised(shape.value, item) for key, item in value.items()}
    return value
