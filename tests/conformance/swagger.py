"""Requests of the Slack bot, held against Slack's Swagger document and a schema made from its type declarations.

The document describes a form. In JSON, the same names have the same values, but for the blocks and the token: the first
are an array, and the second is the header `Authorization`. So Prism gets each request as the form that it is equal to.
https://docs.slack.dev/apis/web-api/#methods_supporting_json
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import jsonschema

from tests.conformance.material import SPECS
from tests.conformance.prism_server import PrismSession
from tests.integration.alerts.slack_api import CONVERSATION
from tests.integration.tickets.http_server import Answer

if TYPE_CHECKING:
    from tests.conformance.prism_server import Prism
    from tests.integration.tickets.http_server import Request

DOCUMENT: Final = "slack-web-api.swagger.json"
BLOCKS: dict[str, Any] = json.loads((SPECS / "slack-block-kit.schema.json").read_text())
"""The schema of blocks: the Swagger document has them as text."""

_API: dict[str, Any] = json.loads((SPECS / DOCUMENT).read_text())


def answer(request: Request) -> Answer:
    """Answer a form as the document wants it: Slack's own answer has more, which the document does not allow."""
    message = {"type": "message", "text": "x", "ts": "1700000000.000100"}
    whole = {"ok": True, "channel": CONVERSATION, "ts": message["ts"], "message": message}
    return Answer(200, {**whole, "text": "x"} if request.path == "/chat.update" else whole)


def check(request: Request, prism: Prism) -> str:
    """Validate a request, its blocks included, and return its operation.

    AssertionError or ValidationError if it is not valid. Prism does not refuse fields that an operation does not have.
    """
    scheme, _, token = request.headers["authorization"].partition(" ")
    assert (scheme, token[:5]) == ("Bearer", "xoxb-")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "token": token, **_authorization(request)}
    form = urlencode({name: _text(value) for name, value in request.content.items()}).encode()
    session = PrismSession("slack.com", prism)
    path = request.path.removeprefix("/api")  # Prism's paths are those of the document, without its `basePath`
    session.request(request.method, f"https://slack.com{path}", headers=headers, body=form, timeout=10)
    operation = _API["paths"][path][request.method.lower()]
    assert "application/json" in operation["consumes"]
    unknown = request.content.keys() - {one["name"] for one in operation["parameters"] if one["in"] == "formData"}
    assert not unknown, unknown
    jsonschema.validate({"blocks": request.content["blocks"]}, BLOCKS)
    return str(operation["operationId"])


def _authorization(request: Request) -> dict[str, str]:
    return {"Authorization": request.headers["authorization"]}


def _text(value: object) -> str:
    """Return a value as a form has it. AssertionError if it is not one that a field can have."""
    assert isinstance(value, str | bool | list), value
    return value if isinstance(value, str) else json.dumps(value)
