"""Incidents through Apprise, against the published specifications of PagerDuty and Opsgenie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from permission_guard.delivery.alerts.apprise.channel import AppriseChannel
from tests.conformance.material import SPECS
from tests.conformance.openapi import OpenApi
from tests.integration.alerts.apprise import URLS, AppriseServices
from tests.integration.alerts.contract import MESSAGES
from tests.integration.test_delivery_apprise import Urls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.tickets.http_server import Request

OPSGENIE: dict[str, Any] = json.loads((SPECS / "opsgenie-alerts.swagger.json").read_text())
PAGERDUTY = OpenApi("pagerduty-events-v2.openapi.json")


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppriseServices]:
    """Serve what the services send to."""
    with AppriseServices() as services:
        services.lead_here(monkeypatch)
        yield services


def check_opsgenie(request: Request) -> str:
    """Validate a request, and return what it does. The document has the lengths of no field."""
    is_close = request.path.endswith("/close")
    path = "/v2/alerts/{identifier}/close" if is_close else "/v2/alerts"
    operation = OPSGENIE["paths"][path]["post"]
    parameters = [_resolved(one) for one in operation["parameters"]]
    queries = {one["name"]: one for one in parameters if one["in"] == "query"}
    assert request.query.keys() <= queries.keys()
    for name, value in request.query.items():
        assert value in queries[name]["enum"]
    (body,) = [one for one in parameters if one["in"] == "body"]
    jsonschema.Draft4Validator({"definitions": OPSGENIE["definitions"], **body["schema"]}).validate(request.content)
    assert request.content.keys() <= _properties(body["schema"])
    assert request.headers["authorization"].startswith("GenieKey ")
    return str(operation["operationId"])


def _resolved(parameter: dict[str, Any]) -> dict[str, Any]:
    name = parameter.get("$ref", "").rpartition("/")[2]
    return OPSGENIE["parameters"][name] if name else parameter


def _properties(schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _properties(OPSGENIE["definitions"][schema["$ref"].rpartition("/")[2]])
    inner = [name for one in schema.get("allOf", ()) for name in _properties(one)]
    return {*schema.get("properties", {}), *inner}


@pytest.mark.parametrize("case", MESSAGES)
def test_every_alert_of_opsgenie_is_valid(peer: AppriseServices, case: str) -> None:
    """It is created, or closed by its alias."""
    message = MESSAGES[case]
    AppriseChannel(Urls(URLS["opsgenie"]), name="oncall").send(message, None)
    is_over = bool(message.findings) and message.severity is None
    assert {check_opsgenie(one) for one in peer.vendor.requests} == {"closeAlert" if is_over else "createAlert"}
    assert all(len(one.content.get("message", "")) <= 130 for one in peer.vendor.requests)


@pytest.mark.parametrize("case", MESSAGES)
def test_every_event_of_pagerduty_is_valid(peer: AppriseServices, case: str) -> None:
    """It triggers an alert, or resolves it."""
    AppriseChannel(Urls(URLS["pagerduty"]), name="oncall").send(MESSAGES[case], None)
    for request in peer.vendor.requests:
        assert request.path == "/v2/enqueue"
        local = type(request)("POST", "/enqueue", request.query, request.headers, request.content)
        assert PAGERDUTY.check(local) == "createV2Event"
        assert len(json.dumps(request.content).encode()) <= 512 * 1024
