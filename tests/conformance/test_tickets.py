"""The requests for tickets, held by Prism against the vendors' own OpenAPI documents.

Prism is a proxy before the server that answers as the vendor does, and the answers of that server are held against the
document, too. ServiceNow publishes no document of its Table API: what its server accepts is only in our own words, in
`tests/integration/tickets/servicenow.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from permission_guard.delivery.tickets.base import follow
from permission_guard.delivery.tickets.github.system import GitHubIssues
from permission_guard.delivery.tickets.jira.system import JiraIssues
from permission_guard.records import record
from tests.conformance.openapi import OpenApi
from tests.conformance.prism_server import Prism, PrismSession
from tests.integration.tickets import github, jira
from tests.integration.tickets.contract import APPLIED, HOSTILE, OPENED, PROPOSED, REOPENED, RESOLVED, later
from tests.integration.tickets.http_server import Answer, Request, Secret, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.delivery.tickets.base import TicketSystem
    from tests.integration.tickets.contract import Peer

GITHUB, JIRA = "github-issues.openapi.json", "jira-cloud-v3-issues.openapi.json"
JIRA_BASE = "/rest/api/3"
GITHUB_ISSUES = "https://api.github.com/repos/acme/platform/issues"

GITHUB_ISSUE = {
    **dict.fromkeys(("url", "repository_url", "comments_url", "events_url", "labels_url"), "https://api.github.com/x"),
    **dict.fromkeys(("created_at", "updated_at"), "2026-12-01T00:00:00Z"),
    **dict.fromkeys(("assignee", "closed_at", "milestone", "user")),
    "id": 1,
    "node_id": "I_1",
    "html_url": "https://github.com/acme/platform/issues/1",
    "comments": 0,
    "locked": False,
}
"""What an issue must have, and no client of the bot reads."""

GITHUB_COMMENT = {
    **dict.fromkeys(("url", "html_url", "issue_url"), "https://api.github.com/x"),
    **dict.fromkeys(("created_at", "updated_at"), "2026-12-01T00:00:00Z"),
    "node_id": "IC_1",
    "user": None,
}

JIRA_FIELD = {"key": "x", "name": "x", "operations": ["set"], "schema": {"type": "string"}}
"""What the field of a transition must have, likewise."""


@record
class Side:
    """The other side of a client: Prism, and behind it the server, which has the requests that Prism let through."""

    prism: Prism
    vendor: Vendor
    peer: Peer


@pytest.fixture(scope="module")
def github_side() -> Iterator[Side]:
    """Make the answers of our own server whole."""
    peer = github.GitHub()

    def answer(request: Request) -> Answer:
        given = peer.answer(request)
        whole = GITHUB_COMMENT if request.path.endswith("/comments") else GITHUB_ISSUE
        if isinstance(given.content, list):
            return replace(given, content=[{**whole, **one} for one in given.content])
        return replace(given, content={**whole, **given.content}) if given.status < 300 else given

    with Vendor(answer) as vendor, Prism(GITHUB, vendor.url) as prism:
        yield Side(prism, vendor, peer)


@pytest.fixture(scope="module")
def jira_side() -> Iterator[Side]:
    """Likewise. Jira declares JSON for HTTP 204, so Prism wants the media type of a body that is not there."""
    peer = jira.Jira()

    def answer(request: Request) -> Answer:
        given = peer.answer(replace(request, path=request.path.removeprefix(JIRA_BASE)))
        for transition in (given.content or {}).get("transitions", ()):
            transition["fields"] = {name: {**JIRA_FIELD, **one} for name, one in transition["fields"].items()}
        return replace(given, headers={"Content-Type": "application/json"})

    with Vendor(answer) as vendor, Prism(JIRA, vendor.url) as prism:
        yield Side(prism, vendor, peer)


def test_every_request_to_github_is_one_of_its_api(github_side: Side) -> None:
    """The life of two tickets, one with hostile names; a person closes and deletes them."""
    session = PrismSession("api.github.com", github_side.prism)
    system = GitHubIssues(github.REPOSITORY, Secret(token=github.TOKEN), session)
    assert lived(system, session, github_side, OpenApi(GITHUB)) == {
        "issues/list-for-repo",
        "issues/create",
        "issues/get",
        "issues/update",
        "issues/create-comment",
    }


def test_every_request_to_jira_is_one_of_its_api(jira_side: Side) -> None:
    """Jira's document leaves the fields of an issue open: what it does not say is in our own server."""
    session = PrismSession("acme.atlassian.net", jira_side.prism)
    system = JiraIssues(jira.PROJECT, Secret(email=jira.EMAIL, token=jira.TOKEN), session)
    assert lived(system, session, jira_side, OpenApi(JIRA)) == {
        "addComment",
        "createIssue",
        "doTransition",
        "editIssue",
        "getCreateIssueMetaIssueTypes",
        "getIssue",
        "getTransitions",
        "searchAndReconsileIssuesUsingJql",
    }


def lived(system: TicketSystem, session: PrismSession, side: Side, api: OpenApi) -> set[str]:
    """Have two tickets opened, updated, closed, reopened, commented and opened again; return the operations of it."""
    system._api._clock = lambda: 0.0  # type: ignore[attr-defined] # no time limit: see `PrismSession`
    before = len(side.vendor.requests)
    hostile = replace(OPENED, id="f" * 32, title=HOSTILE, reason=HOSTILE, subject=HOSTILE)
    for first in (OPENED, hostile):
        reference = follow(system, first, None)
        assert reference is not None
        for finding in (PROPOSED, APPLIED, RESOLVED, REOPENED):
            follow(system, replace(finding, id=first.id, title=first.title, reason=first.reason), reference)
        side.peer.close(reference)
        follow(system, later(first, 7), reference)
        side.peer.delete(reference)
        assert follow(system, later(first, 8), reference) != reference
    received = side.vendor.requests[before:]
    assert len(received) == session.requests
    return {api.operation(request) for request in received}


@pytest.mark.parametrize(
    ("method", "path", "content", "finds"),
    [
        ("POST", "", {"body": "no title"}, "'title'"),
        ("POST", "", {"title": "x", "labels": "permission-guard"}, "body.labels"),
        ("PATCH", "/1", {"state": "done"}, "body.state"),
        ("POST", "/1/comments", {"text": "x"}, "'body'"),
        ("GET", "?state=maybe", None, "query.state"),
        ("DELETE", "/1", None, "no method"),
        ("POST", "/1/watchers", {}, "no path matched"),
    ],
)
def test_a_wrong_request_to_github_is_found(
    github_side: Side, method: str, path: str, content: Mapping[str, Any] | None, finds: str
) -> None:
    """Otherwise the tests above would prove nothing. The server does not get it."""
    assert_found(github_side, (method, f"{GITHUB_ISSUES}{path}", content), finds)


@pytest.mark.parametrize(
    ("method", "path", "content", "finds"),
    [
        ("PUT", "/issue/OPS-1", {"fields": "x"}, "body.fields"),
        ("PUT", "/issue/OPS-1", {"properties": [{"name": "x"}]}, "body.properties.0"),
        ("POST", "/issue/OPS-1/transitions", {"transition": "11"}, "body.transition"),
        ("GET", "/search/jql?maxResults=all", None, "query.maxresults"),
        ("POST", "/issue/OPS-1/comments", {}, "no path matched"),
    ],
)
def test_a_wrong_request_to_jira_is_found(
    jira_side: Side, method: str, path: str, content: Mapping[str, Any] | None, finds: str
) -> None:
    """Likewise."""
    assert_found(jira_side, (method, f"{jira.API}{path}", content), finds)


def assert_found(side: Side, request: tuple[str, str, Mapping[str, Any] | None], finds: str) -> None:
    """Send a request as the clients do; Prism refuses it."""
    before, (method, url, content) = len(side.vendor.requests), request
    headers = {"Content-Type": "application/json"} if content is not None else {}
    body = json.dumps(content).encode() if content is not None else None
    session = PrismSession(urlsplit(url).netloc, side.prism)
    with pytest.raises(AssertionError, match=re.escape(finds)):
        session.request(method, url, headers=headers, body=body, timeout=10)
    assert len(side.vendor.requests) == before


def test_an_answer_that_is_not_the_vendors_is_found(github_side: Side) -> None:
    """So our own server says of an issue what GitHub says."""
    session = PrismSession("api.github.com", github_side.prism)
    github_side.vendor.failures = [Answer(200, [{"number": "one"}])]
    with pytest.raises(AssertionError, match=r"response\.body\.0\.number"):
        session.request("GET", GITHUB_ISSUES, headers={}, body=None, timeout=10)


def test_a_query_parameter_that_an_operation_does_not_have_is_found() -> None:
    """Prism ignores those."""
    with pytest.raises(AssertionError, match="label"):
        OpenApi(GITHUB).operation(Request("GET", "/repos/acme/platform/issues", {"label": "x"}, {}, None))
