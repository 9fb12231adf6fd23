"""Requests of the bot's clients, held against a vendor's OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema

from tests.conformance.material import SPECS

if TYPE_CHECKING:
    from tests.integration.tickets.http_server import Request


class OpenApi:
    """A vendor's API."""

    def __init__(self, name: str) -> None:
        self._document: dict[str, Any] = json.loads((SPECS / name).read_text())

    def check(self, request: Request) -> str:
        """Validate a request and return its operation. AssertionError or ValidationError if it is not valid."""
        path, operation = self._operation(request)
        parameters = [self._resolved(one) for one in (*path.get("parameters", ()), *operation.get("parameters", ()))]
        queries = {one["name"]: one for one in parameters if one["in"] == "query"}
        assert request.query.keys() <= queries.keys(), request
        for name, value in request.query.items():
            self._validate(_typed(value, self._resolved(queries[name]["schema"])), queries[name]["schema"])
        assert all(name in request.query for name, one in queries.items() if one.get("required")), request
        body = self._resolved(operation.get("requestBody", {}))
        if request.content is None:
            assert not body.get("required"), request
        else:
            self._validate(request.content, body["content"]["application/json"]["schema"])
        return str(operation["operationId"])

    def _operation(self, request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
        for template, path in self._document["paths"].items():
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, request.path) and request.method.lower() in path:
                return path, path[request.method.lower()]
        raise AssertionError(f"no operation: {request.method} {request.path}")

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in value:
            return value
        found: Any = self._document
        for key in value["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return self._resolved(found)

    def _validate(self, value: Any, schema: dict[str, Any]) -> None:
        whole = {"components": self._document["components"], **_with_null(schema)}
        jsonschema.Draft202012Validator(whole).validate(value)


def _typed(text: str, schema: dict[str, Any]) -> Any:
    """Return the value of a query parameter in the type of its schema."""
    if schema.get("type") == "array":
        return text.split(",")
    return int(text) if schema.get("type") == "integer" else text


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of OpenAPI 3.0 whose `nullable` JSON Schema understands, at its top."""
    return {"anyOf": [schema, {"type": "null"}]} if schema.get("nullable") else schema
