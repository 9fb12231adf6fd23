"""Tickets in Jira Cloud: the client against a server that responds as Jira does, and as broken servers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.tickets.base import follow
from permission_guard.delivery.tickets.jira.system import JiraIssues
from permission_guard.errors import ConfigurationError, DeliveryError
from tests.integration.tickets.contract import APPLIED, OPENED, REOPENED, RESOLVED
from tests.integration.tickets.http_contract import HttpTicketSystemContract
from tests.integration.tickets.http_server import Answer, LoopbackSession, Secret
from tests.integration.tickets.jira import API, EMAIL, PROJECT, TOKEN, Jira

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.tickets.http_server import Vendor


@pytest.fixture
def secret() -> Secret:
    """Return the e-mail address and the token."""
    return Secret(email=EMAIL, token=TOKEN)


@pytest.fixture
def peer() -> Iterator[Jira]:
    """Serve an empty project."""
    jira = Jira()
    with jira.vendor:
        yield jira


@pytest.fixture
def vendor(peer: Jira) -> Vendor:
    """Return the server."""
    return peer.vendor


@pytest.fixture
def system(peer: Jira, secret: Secret) -> JiraIssues:
    """Return the ticket system under test."""
    return JiraIssues(PROJECT, secret, LoopbackSession(API, peer.vendor))


class TestJiraIssues(HttpTicketSystemContract):
    def test_the_labels_are_set_once(self, peer: Jira, system: JiraIssues) -> None:
        """What people add or change later stays. The mark is in a property that they do not see."""
        reference = follow(system, OPENED, None)
        assert reference == "OPS-1"
        assert peer.issues[reference]["labels"] == ["permission-guard", f"permission-guard-{OPENED.id}"]
        follow(system, APPLIED, reference)
        assert peer.vendor.requests[-1].content["fields"].keys() == {"summary", "description"}
        assert peer.issues[reference]["properties"]["permission-guard"]["revision"] == "3"

    def test_the_status_of_a_person_is_kept(self, peer: Jira, system: JiraIssues) -> None:
        """As long as the issue is open."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.issues[reference]["status"] = "In Progress"
        follow(system, APPLIED, reference)
        assert peer.issues[reference]["status"] == "In Progress"

    def test_the_type_of_issue_is_read_once(self, peer: Jira, system: JiraIssues) -> None:
        """A project without `Task` gets its first type that is no subtask."""
        follow(system, OPENED, None)
        peer.delete("OPS-1")
        follow(system, OPENED, None)
        assert [request.path for request in peer.vendor.requests].count("/issue/createmeta/OPS/issuetypes") == 1
        peer.types = peer.types[:2]
        other = JiraIssues(PROJECT, Secret(email=EMAIL, token=TOKEN), LoopbackSession(API, peer.vendor))
        assert other._issue_type() == "2"

    def test_a_project_without_types_is_a_failed_delivery(self, peer: Jira, system: JiraIssues) -> None:
        """The account may create no issue there."""
        peer.types = peer.types[:1]
        with pytest.raises(DeliveryError, match="may create no issue in the project"):
            follow(system, OPENED, None)

    def test_an_issue_that_seemed_not_to_reopen_is_reopened_by_the_retry(
        self, peer: Jira, system: JiraIssues, vendor: Vendor
    ) -> None:
        """It is not taken for one that a person closed."""
        reference = follow(system, OPENED, None)
        follow(system, RESOLVED, reference)
        vendor.failures, vendor.fails = [Answer(409)], lambda request: request.method == "POST"
        with pytest.raises(DeliveryError, match="HTTP 409"):
            follow(system, REOPENED, reference)
        follow(system, REOPENED, reference)
        (ticket,) = peer.shown()
        assert (ticket.is_open, ticket.comments) == (True, ())

    def test_without_a_transition_the_delivery_fails(self, peer: Jira, system: JiraIssues) -> None:
        """One that requires a field which the bot does not know is not made."""
        reference = follow(system, OPENED, None)
        del peer.transitions[1]
        with pytest.raises(
            DeliveryError, match="the workflow of OPS-1 has no transition to a status of the category done"
        ):
            follow(system, RESOLVED, reference)

    def test_another_category_is_used_if_the_first_one_has_no_transition(self, peer: Jira, system: JiraIssues) -> None:
        """A workflow may lead from done to in progress only."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        follow(system, RESOLVED, reference)
        del peer.transitions[3]
        follow(system, REOPENED, reference)
        assert peer.issues[reference]["status"] == "In Progress"

    def test_jiras_own_words_are_in_the_error(self, system: JiraIssues, vendor: Vendor) -> None:
        """With the field that it wants."""
        errors = {"errorMessages": ["Invalid."], "errors": {"customfield_10010": "Team is required."}}
        vendor.failures = [Answer(400, errors)]
        with pytest.raises(DeliveryError, match=r"HTTP 400 Invalid\.; customfield_10010 Team is required\.$"):
            follow(system, OPENED, None)

    @pytest.mark.parametrize("answer", [Answer(201, {}), Answer(201, {"key": "../x"}), Answer(201, [])])
    def test_a_creation_without_a_key_is_a_failed_delivery(
        self, system: JiraIssues, vendor: Vendor, answer: Answer
    ) -> None:
        """There is no reference to record."""
        vendor.failures, vendor.fails = [answer], lambda request: request.method == "POST"
        with pytest.raises(DeliveryError, match="its response has no key"):
            follow(system, OPENED, None)

    @pytest.mark.parametrize("reference", ["1", "ops-1", "OPS-0", "OPS-1/comment", "../myself"])
    def test_a_reference_that_is_not_a_key_is_not_requested(self, system: JiraIssues, reference: str) -> None:
        """It comes from a table."""
        assert system.read(reference, OPENED) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.atlassian.net/projects/OPS",
        "https://acme.atlassian.net/browse/OPS/",
        "https://Acme.atlassian.net/jira/software/projects/OPS/boards/1",
    ],
)
def test_the_address_of_the_project_is_copied_from_the_browser(peer: Jira, secret: Secret, url: str) -> None:
    """Its forms lead to the same project."""
    assert follow(JiraIssues(url, secret, LoopbackSession(API, peer.vendor)), OPENED, None) == "OPS-1"


@pytest.mark.parametrize(
    "url", ["", "http://acme.atlassian.net/projects/OPS", "https://acme.atlassian.net/OPS", "https://a.b/projects/o ps"]
)
def test_another_address_is_a_configuration_error(secret: Secret, peer: Jira, url: str) -> None:
    """The token is sent to the host of the address, over TLS only."""
    with pytest.raises(ConfigurationError, match="TicketUrl"):
        JiraIssues(url, secret, LoopbackSession(API, peer.vendor))
