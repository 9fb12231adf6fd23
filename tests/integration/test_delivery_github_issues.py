"""Tickets in GitHub: the client against a server that responds as GitHub does, and as broken servers do."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.tickets.base import Mark, follow
from permission_guard.delivery.tickets.github.content import body
from permission_guard.delivery.tickets.github.system import GitHubIssues
from permission_guard.errors import ConfigurationError, DeliveryError
from tests.integration.tickets.contract import APPLIED, OPENED, RESOLVED, SUPPRESSED
from tests.integration.tickets.github import API, REPOSITORY, TOKEN, GitHub
from tests.integration.tickets.http_contract import HttpTicketSystemContract
from tests.integration.tickets.http_server import Answer, LoopbackSession, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.tickets.http_server import Vendor


@pytest.fixture
def secret() -> Secret:
    """Return the token."""
    return Secret(token=TOKEN)


@pytest.fixture
def peer() -> Iterator[GitHub]:
    """Serve an empty repository."""
    github = GitHub()
    with github.vendor:
        yield github


@pytest.fixture
def vendor(peer: GitHub) -> Vendor:
    """Return the server."""
    return peer.vendor


@pytest.fixture
def system(peer: GitHub, secret: Secret) -> GitHubIssues:
    """Return the ticket system under test."""
    return GitHubIssues(REPOSITORY, secret, LoopbackSession(API, peer.vendor))


class TestGitHubIssues(HttpTicketSystemContract):
    def test_the_labels_are_set_once(self, peer: GitHub, system: GitHubIssues) -> None:
        """What people add or change later stays."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        assert [one["name"] for one in peer.issues[reference]["labels"]] == ["permission-guard", "orders"]
        follow(system, APPLIED, reference)
        assert "labels" not in peer.vendor.requests[-1].content

    def test_the_issue_of_a_suppressed_finding_is_closed_as_not_planned(
        self, peer: GitHub, system: GitHubIssues
    ) -> None:
        """The reason of a person who closed it before stays."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        follow(system, SUPPRESSED, reference)
        assert peer.issues[reference]["state_reason"] == "not_planned"
        peer.issues[reference]["state_reason"] = "duplicate"
        follow(system, replace(RESOLVED, revision=8), reference)
        assert peer.issues[reference]["state_reason"] == "duplicate"

    def test_an_issue_is_found_on_a_later_page(self, peer: GitHub, system: GitHubIssues) -> None:
        """A function may have had many findings."""
        first = follow(system, OPENED, None)
        other = {**peer.issues["1"], "body": body(replace(OPENED, id="f" * 32), Mark.of(OPENED))}
        peer.issues |= {str(number): {**other, "number": number} for number in range(2, 67)}
        assert follow(system, APPLIED, None) == first

    def test_a_pull_request_and_a_foreign_issue_are_no_tickets(self, peer: GitHub, system: GitHubIssues) -> None:
        """Even if they have the labels."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.issues[reference]["pull_request"] = {}
        second = follow(system, OPENED, reference)
        assert second != reference
        assert second is not None
        peer.issues[second]["body"] = body(replace(OPENED, id="f" * 32), Mark.of(OPENED))
        assert follow(system, OPENED, second) not in (reference, second)

    @pytest.mark.parametrize("text", [None, "Fixed by hand", '<!-- permission-guard {"x": ' + "[" * 20_000 + "} -->"])
    def test_an_issue_whose_body_a_person_wrote_is_kept(
        self, peer: GitHub, system: GitHubIssues, text: str | None
    ) -> None:
        """It gets its body again. A second issue would leave this one open for ever."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.issues[reference]["body"] = text
        assert follow(system, APPLIED, reference) == reference
        ticket = system.read(reference, APPLIED)
        assert ticket is not None
        assert ticket.mark == Mark.of(APPLIED)
        assert len(peer.issues) == 1

    def test_an_issue_without_its_body_and_its_labels_is_not_overwritten(
        self, peer: GitHub, system: GitHubIssues
    ) -> None:
        """The reference comes from a table."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.issues[reference] |= {"body": "mine", "labels": [{"name": "permission-guard"}]}
        assert follow(system, OPENED, reference) != reference
        assert peer.issues[reference]["body"] == "mine"

    def test_githubs_own_words_are_in_the_error(self, system: GitHubIssues, vendor: Vendor) -> None:
        """Markup is removed."""
        errors = [{"resource": "Issue", "field": "labels", "code": "invalid"}, "text"]
        vendor.failures = [Answer(422, {"message": "<b>Validation</b> Failed", "errors": errors})]
        with pytest.raises(DeliveryError, match=r"HTTP 422 b Validation /b Failed; labels invalid$"):
            follow(system, OPENED, None)

    def test_a_secondary_limit_is_a_limit(self, system: GitHubIssues, vendor: Vendor, waits: list[float]) -> None:
        """GitHub answers 403 for it, with the time to wait."""
        vendor.failures = [Answer(403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "3"})]
        follow(system, OPENED, None)
        assert waits == [3.0]

    def test_the_primary_limit_ends_at_a_time(self, system: GitHubIssues, vendor: Vendor, waits: list[float]) -> None:
        """GitHub sends the time in seconds since 1970."""
        limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 4)}
        vendor.failures = [Answer(403, {"message": "API rate limit exceeded"}, limit)]
        follow(system, OPENED, None)
        assert len(waits) == 1
        assert 2 <= waits[0] <= 4

    def test_a_creation_without_its_issue_is_a_failed_delivery(self, system: GitHubIssues, vendor: Vendor) -> None:
        """There is no reference to record."""
        vendor.failures, vendor.fails = [Answer(201, {"number": 1})], lambda request: request.method == "POST"
        with pytest.raises(DeliveryError, match="its response has no such issue"):
            follow(system, OPENED, None)

    def test_an_issue_whose_labels_github_drops_is_a_failed_delivery(self, peer: GitHub, system: GitHubIssues) -> None:
        """It would not be found again. It does not stay open."""
        peer.may_label = False
        with pytest.raises(DeliveryError, match=r"dropped the labels\. Give the account of the token the role Write"):
            follow(system, OPENED, None)
        assert [one["state"] for one in peer.issues.values()] == ["closed"]
        peer.may_label = True
        assert follow(system, OPENED, None) == "2"

    def test_githubs_case_of_a_label_is_kept(self, peer: GitHub, system: GitHubIssues, vendor: Vendor) -> None:
        """A label that differs only in its case is the same one for GitHub."""
        number = follow(system, OPENED, None)
        assert number is not None
        created = peer.issues[number] | {"labels": [{"name": "Permission-Guard"}, "ORDERS"]}
        peer.delete(number)
        vendor.failures, vendor.fails = [Answer(201, created)], lambda request: request.method == "POST"
        assert follow(system, OPENED, None) == number

    @pytest.mark.parametrize("reference", ["0", "x", "../../user", "1/comments", "9" * 20])
    def test_a_reference_that_is_not_a_number_is_not_requested(self, system: GitHubIssues, reference: str) -> None:
        """It comes from a table."""
        assert system.read(reference, OPENED) is None


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("https://github.com/acme/platform", "https://api.github.com"),
        ("https://GitHub.com/acme/platform.git/", "https://api.github.com"),
        ("https://acme.ghe.com/acme/platform", "https://api.acme.ghe.com"),
        ("https://github.acme.example/acme/platform", "https://github.acme.example/api/v3"),
    ],
)
def test_the_address_of_the_repository_says_where_the_api_is(
    peer: GitHub, secret: Secret, url: str, base_url: str
) -> None:
    """GitHub, GitHub Enterprise Cloud with data residency, and GitHub Enterprise Server."""
    system = GitHubIssues(url, secret, LoopbackSession(base_url, peer.vendor))
    if base_url.endswith("/api/v3"):
        assert system._api._base_url == base_url
    else:
        assert follow(system, OPENED, None) == "1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://github.com/acme/platform",
        "https://github.com/acme",
        "https://github.com/acme/platform/issues",
        "https://github.com/acme/..",
        "https://github.com/acme/a%2Fb",
        "https://user@github.com/acme/platform",
        "https://github.com:8443/acme/platform",
        "https://github.com/acme/platform?x=1",
        "https://github.com/acme/platform#x",
        "https://github.com\\@evil.example/acme/platform",
        "https://localhost/acme/platform",
        "https://[::1/acme/platform",
    ],
)
def test_another_address_is_a_configuration_error(secret: Secret, peer: GitHub, url: str) -> None:
    """The token is sent to the host of the address, over TLS only."""
    with pytest.raises(ConfigurationError, match="TicketUrl"):
        GitHubIssues(url, secret, LoopbackSession(API, peer.vendor))


def test_a_marker_from_aws_does_not_count(peer: GitHub, system: GitHubIssues) -> None:
    """The bot's own marker comes first."""
    forged = f"<!-- permission-guard {json.dumps({'finding': 'f' * 32, 'revision': '999'})} -->"
    finding = replace(OPENED, title=forged, reason=forged, evidence={forged: forged})
    reference = follow(system, finding, None)
    assert follow(system, replace(finding, revision=2), reference) == reference
    assert follow(system, replace(OPENED, id="f" * 32), None) != reference
