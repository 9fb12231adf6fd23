"""Tickets in ServiceNow: the client against a server that responds as ServiceNow does, and as broken servers do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.tickets.base import follow
from permission_guard.delivery.tickets.servicenow.system import ServiceNowIncidents
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.verdicts import Severity
from tests.integration.tickets.contract import APPLIED, OPENED, PROPOSED, REOPENED, RESOLVED, SUPPRESSED
from tests.integration.tickets.http_contract import HttpTicketSystemContract
from tests.integration.tickets.http_server import Answer, LoopbackSession, Secret
from tests.integration.tickets.servicenow import API, INCIDENTS, PASSWORD, USER, ServiceNow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.findings import Finding
    from tests.integration.tickets.http_server import Vendor


@pytest.fixture
def secret() -> Secret:
    """Return the user and the password."""
    return Secret(user=USER, password=PASSWORD)


@pytest.fixture
def peer() -> Iterator[ServiceNow]:
    """Serve an empty instance."""
    servicenow = ServiceNow()
    with servicenow.vendor:
        yield servicenow


@pytest.fixture
def vendor(peer: ServiceNow) -> Vendor:
    """Return the server."""
    return peer.vendor


@pytest.fixture
def system(peer: ServiceNow, secret: Secret) -> ServiceNowIncidents:
    """Return the ticket system under test."""
    return ServiceNowIncidents(INCIDENTS, secret, LoopbackSession(API, peer.vendor))


class TestServiceNow(HttpTicketSystemContract):
    def test_an_incident_has_the_fields_for_integrations(self, peer: ServiceNow, system: ServiceNowIncidents) -> None:
        """The finding's id and the mark. Urgency and impact are set once: people may change them."""
        reference = follow(system, replace(OPENED, severity=Severity.CRITICAL), None)
        assert reference is not None
        incident = peer.incidents[reference]
        assert incident["correlation_id"] == OPENED.id
        assert incident["correlation_display"] == f"permission-guard 1 {OPENED.opened_at} open false"
        assert (incident["urgency"], incident["impact"]) == ("1", "1")
        follow(system, APPLIED, reference)
        assert peer.vendor.requests[-1].content.keys().isdisjoint({"urgency", "impact", "state"})

    @pytest.mark.parametrize(
        ("finding", "code"), [(RESOLVED, "Solution provided"), (SUPPRESSED, "No resolution provided")]
    )
    def test_a_resolved_incident_has_a_code_and_notes(
        self, peer: ServiceNow, system: ServiceNowIncidents, finding: Finding, code: str
    ) -> None:
        """ServiceNow wants both. Those of a person stay."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        follow(system, finding, reference)
        assert peer.incidents[reference]["close_code"] == code
        peer.close(reference)
        follow(system, replace(finding, revision=9), reference)
        assert peer.incidents[reference]["close_code"] == "User error"

    def test_a_closed_incident_is_final(self, peer: ServiceNow, system: ServiceNowIncidents) -> None:
        """ServiceNow closes resolved incidents after some days. A finding that comes back gets another one."""
        first = follow(system, OPENED, None)
        assert first is not None
        follow(system, RESOLVED, first)
        peer.incidents[first]["state"] = "7"
        second = follow(system, REOPENED, first)
        assert second != first
        assert [ticket.is_open for ticket in peer.shown()] == [False, True]
        assert follow(system, replace(REOPENED, revision=8), None) == second

    def test_an_incident_that_a_person_canceled_gets_one_note(
        self, peer: ServiceNow, system: ServiceNowIncidents
    ) -> None:
        """And no successor, while the finding is open."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.incidents[reference]["state"] = "8"
        for finding in (PROPOSED, APPLIED):
            assert follow(system, finding, reference) == reference
        assert len(peer.notes[reference]) == 1

    def test_a_mark_that_a_person_changed_counts_as_missing(
        self, peer: ServiceNow, system: ServiceNowIncidents
    ) -> None:
        """The incident is still the one of the finding."""
        reference = follow(system, PROPOSED, None)
        assert reference is not None
        peer.incidents[reference]["correlation_display"] = "changed"
        assert follow(system, APPLIED, None) == reference
        assert peer.incidents[reference]["correlation_display"].startswith("permission-guard 3 ")

    def test_an_incident_of_something_else_is_not_used(self, system: ServiceNowIncidents, vendor: Vendor) -> None:
        """ServiceNow ignores a condition of a query that it does not understand, and lists all incidents."""
        other = {"sys_id": "0" * 32, "state": "1", "correlation_id": "other", "correlation_display": ""}
        vendor.failures, vendor.fails = [Answer(200, {"result": [other]})], lambda request: request.method == "GET"
        assert follow(system, OPENED, None) == f"{1:032x}"

    def test_html_in_a_name_is_not_rendered(self, peer: ServiceNow, system: ServiceNowIncidents) -> None:
        """ServiceNow renders what stands between code tags in some fields."""
        html = "[code]<b>x</b>[/CODE]"
        reference = follow(system, replace(OPENED, title=html, reason=html), None)
        follow(system, replace(RESOLVED, resolution=html), reference)
        assert reference is not None
        incident = peer.incidents[reference]
        for name in ("short_description", "description", "close_notes"):
            assert "[code]" not in incident[name].lower()
            assert "[/code]" not in incident[name].lower()

    def test_half_a_command_is_not_shown(self, peer: ServiceNow, system: ServiceNowIncidents) -> None:
        """A description has 4,000 characters."""
        remedies = tuple(replace(OPENED.remedies[0], text=f"command {number} " + "x" * 1_500) for number in range(4))
        follow(system, replace(OPENED, remedies=remedies), None)
        (ticket,) = peer.shown()
        shown = [line for line in ticket.text.splitlines() if line.startswith("command ")]
        assert 0 < len(shown) < 4
        assert {len(line) for line in shown} == {1_510}
        assert f"See permission-guard findings show {OPENED.id}." in ticket.text

    def test_servicenows_own_words_are_in_the_error(self, system: ServiceNowIncidents, vendor: Vendor) -> None:
        """With the detail."""
        vendor.failures = [Answer(403, {"error": {"message": "Operation Failed", "detail": "ACL Exception"}})]
        with pytest.raises(DeliveryError, match=r"HTTP 403 Operation Failed; ACL Exception$"):
            follow(system, OPENED, None)

    def test_a_creation_without_its_incident_is_a_failed_delivery(
        self, system: ServiceNowIncidents, vendor: Vendor
    ) -> None:
        """There is no reference to record."""
        vendor.failures, vendor.fails = [Answer(201, {"result": {}})], lambda request: request.method == "POST"
        with pytest.raises(DeliveryError, match="its response has no such incident"):
            follow(system, OPENED, None)

    @pytest.mark.parametrize("reference", ["INC0000001", "../sys_user", "0" * 31])
    def test_a_reference_that_is_not_an_id_is_not_requested(self, system: ServiceNowIncidents, reference: str) -> None:
        """It comes from a table."""
        assert system.read(reference, OPENED) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://acme.service-now.com/incident",
        "https://acme.service-now.com/problem",
        "https://acme.service-now.com:8443/incident",
        "https://x@acme.service-now.com/incident",
    ],
)
def test_another_address_is_a_configuration_error(secret: Secret, peer: ServiceNow, url: str) -> None:
    """The password is sent to the host of the address, over TLS only."""
    with pytest.raises(ConfigurationError, match="TicketUrl"):
        ServiceNowIncidents(url, secret, LoopbackSession(API, peer.vendor))
