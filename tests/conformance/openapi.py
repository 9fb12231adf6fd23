"""What Prism does not say of a request: which operation it is, and whether the operation knows its query parameters."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.conformance.material import SPECS

if TYPE_CHECKING:
    from tests.integration.tickets.http_server import Request


class OpenApi:
    """A vendor's API."""

    def __init__(self, name: str) -> None:
        self._document: dict[str, Any] = json.loads((SPECS / name).read_text())

    def operation(self, request: Request) -> str:
        """Return the id of a request's operation. AssertionError if it has none, or not all of its parameters."""
        path, operation = self._operation(request)
        parameters = [self._resolved(one) for one in (*path.get("parameters", ()), *operation.get("parameters", ()))]
        assert request.query.keys() <= {one["name"] for one in parameters if one["in"] == "query"}, request
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
