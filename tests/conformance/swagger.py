"""Requests of the Slack bot, held against Slack's Swagger document and a schema made from its type declarations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema

from tests.conformance.material import SPECS

if TYPE_CHECKING:
    from tests.integration.tickets.http_server import Request

BLOCKS: dict[str, Any] = json.loads((SPECS / "slack-block-kit.schema.json").read_text())
"""The schema of blocks: the Swagger document has them as text."""

_API: dict[str, Any] = json.loads((SPECS / "slack-web-api.swagger.json").read_text())


def check(request: Request) -> str:
    """Validate a request, its blocks included, and return its operation. ValidationError if it is not valid.

    The document describes a form. In JSON, the same names have the same values, but for the blocks and the token: the
    first are an array, and the second is the header `Authorization`.
    https://docs.slack.dev/apis/web-api/#methods_supporting_json
    """
    operation = _API["paths"][request.path.removeprefix("/api")][request.method.lower()]
    assert "application/json" in operation["consumes"]
    fields = [one for one in operation["parameters"] if one["in"] == "formData"]
    form = {
        "type": "object",
        "properties": {one["name"]: {"type": one["type"]} for one in fields},
        "required": [one["name"] for one in fields if one.get("required")],
        "additionalProperties": False,
    }
    jsonschema.validate({**request.content, "blocks": json.dumps(request.content["blocks"])}, form)
    jsonschema.validate({"blocks": request.content["blocks"]}, BLOCKS)
    assert request.headers["authorization"].startswith("Bearer xoxb-")
    return str(operation["operationId"])
