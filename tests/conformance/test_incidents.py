"""The events and alerts that Apprise sends to PagerDuty and Opsgenie, held by Prism against their documents."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from permission_guard.delivery.alerts.apprise import transport
from permission_guard.delivery.alerts.apprise.channel import AppriseChannel
from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Transition
from permission_guard.model.verdicts import Severity
from permission_guard.records import record
from tests.conformance.material import SPECS
from tests.conformance.prism_server import Prism, violations
from tests.integration.alerts.contract import MESSAGES
from tests.integration.tickets.http_server import Answer, Request, Vendor
from tests.unit.delivery.examples import OPENED, RESOLVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.delivery.message import Message

OPSGENIE_DOCUMENT: Final = "opsgenie-alerts.swagger.json"
OPSGENIE: Final[dict[str, Any]] = json.loads((SPECS / OPSGENIE_DOCUMENT).read_text())
PAGERDUTY_URL: Final = f"pagerduty://{'k' * 32}@{'a' * 20}"
OPSGENIE_URL: Final = "opsgenie://a1b2c3d4-a1b2-a1b2-a1b2-a1b2c3d4e5f6"


@record
class Service:
    """A service behind Prism: `host` is its own one, `base` what its document leaves out of the paths.

    `check` requires of a request what its document does not say, or Prism does not check.
    """

    url: str
    host: str
    base: str
    prism: Prism
    vendor: Vendor
    check: Callable[[Request], None]


class Urls:
    """One URL of Apprise."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self) -> tuple[str, ...]:
        return (self._url,)

    def forget(self) -> None:
        raise AssertionError("the service accepts its key")


class PrismAdapter(HTTPAdapter):
    """Sends to Prism what is for a service, and keeps what Prism finds: a channel raises no error of a library."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self.found: list[str] = []

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        if (parts.scheme, parts.netloc) != ("https", self._service.host):
            self.found.append(f"another address: {parts.netloc}")
            raise requests.ConnectionError
        path = parts._replace(scheme="", netloc="", path=parts.path.removeprefix(self._service.base)).geturl()
        request.url = f"{self._service.prism.url}{path}"
        response = super().send(request, *arguments, **options)
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.found += violations(headers, response.content)
        return response


@pytest.fixture(scope="module")
def pagerduty() -> Iterator[Service]:
    """https://developer.pagerduty.com/docs/send-alert-event."""

    def answer(request: Request) -> Answer:
        return Answer(202, {"status": "success", "message": "x", "dedup_key": request.content.get("dedup_key", "x")})

    with Vendor(answer) as vendor, Prism("pagerduty-events-v2.openapi.json", vendor.url) as prism:
        yield Service(PAGERDUTY_URL, "events.pagerduty.com", "/v2", prism, vendor, _check_event)


@pytest.fixture(scope="module")
def opsgenie() -> Iterator[Service]:
    """https://docs.opsgenie.com/docs/alert-api."""
    accepted = Answer(202, {"result": "Request will be processed", "took": 0.1, "requestId": "x"})
    with Vendor(lambda _request: accepted) as vendor, Prism(OPSGENIE_DOCUMENT, vendor.url) as prism:
        yield Service(OPSGENIE_URL, "api.opsgenie.com", "", prism, vendor, _check_alert)


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """Return the service that a test names."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Service)
    return found


@pytest.fixture
def adapter(service: Service, monkeypatch: pytest.MonkeyPatch) -> PrismAdapter:
    """Lead Apprise's requests to Prism, with the time that a busy machine needs."""
    made = PrismAdapter(service)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda _session, url: made)
    monkeypatch.setattr(transport, "TIMEOUT", 60.0)
    monkeypatch.setattr(transport, "MAX_SECONDS", 300.0)
    return made


BOTH = pytest.mark.parametrize("service", ["pagerduty", "opsgenie"], indirect=True)
SERIOUS: Final[dict[str, Message]] = {str(one): compose(replace(OPENED, severity=one)) for one in Severity}


@BOTH
@pytest.mark.parametrize("case", [*MESSAGES, *SERIOUS])
def test_every_message_is_one_of_the_api(service: Service, adapter: PrismAdapter, case: str) -> None:
    """Of every kind and severity, with hostile text and very long text."""
    before = len(service.vendor.requests)
    AppriseChannel(Urls(service.url), name="oncall").send({**MESSAGES, **SERIOUS}[case], None)
    assert adapter.found == []
    received = service.vendor.requests[before:]
    assert received
    for request in received:
        service.check(request)


@BOTH
def test_the_life_of_a_finding_opens_and_ends_one_incident(service: Service, adapter: PrismAdapter) -> None:
    """All requests are about the finding's id."""
    before = len(service.vendor.requests)
    channel = AppriseChannel(Urls(service.url), name="oncall")
    for finding in (OPENED, RESOLVED, replace(OPENED, revision=5, transition=Transition.REOPENED)):
        channel.send(compose(replace(finding, id=OPENED.id)), None)
    assert adapter.found == []
    received = service.vendor.requests[before:]
    assert [_action(one) for one in received] == ["open", "end", "open"]
    assert {_key(one) for one in received} == {OPENED.id}


@BOTH
def test_a_wrong_request_is_found(service: Service, adapter: PrismAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests above would prove nothing. The service does not get it, and the delivery fails."""
    original, before = requests.Session.request, len(service.vendor.requests)

    def broken(session: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        return original(session, method, url, **{**options, "data": '{"payload": {"severity": "warn"}, "priority": 1}'})

    monkeypatch.setattr(requests.Session, "request", broken)
    with pytest.raises(DeliveryError):
        AppriseChannel(Urls(service.url), name="oncall").send(compose(OPENED), None)
    assert any("required" in one for one in adapter.found), adapter.found
    assert len(service.vendor.requests) == before


def _check_event(request: Request) -> None:
    """Require the size: https://developer.pagerduty.com/docs/send-alert-event."""
    assert len(json.dumps(request.content).encode()) <= 512 * 1024


def _check_alert(request: Request) -> None:
    """Require the key, known fields, and the lengths of https://docs.opsgenie.com/docs/alert-api."""
    assert request.headers["authorization"].startswith("GenieKey ")
    schema = "CloseAlertPayload" if request.path.endswith("/close") else "CreateAlertPayload"
    assert request.content.keys() <= _properties({"$ref": schema})
    assert len(request.content.get("message", "")) <= 130
    assert len(request.content.get("alias", "")) <= 512


def _properties(schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _properties(OPSGENIE["definitions"][schema["$ref"].rpartition("/")[2]])
    inner = [name for one in schema.get("allOf", ()) for name in _properties(one)]
    return {*schema.get("properties", {}), *inner}


def _action(request: Request) -> str:
    if request.path.startswith("/v2/alerts"):
        return "end" if request.path.endswith("/close") else "open"
    return {"trigger": "open", "resolve": "end"}[request.content["event_action"]]


def _key(request: Request) -> str:
    """Return what an incident is found by."""
    if request.path.endswith("/close"):
        assert request.query["identifierType"] == "alias"
        return request.path.split("/")[-2]
    return str(request.content.get("dedup_key") or request.content["alias"])
