"""The requests for tickets, against the vendors' own OpenAPI documents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jsonschema
import pytest

from permission_guard.delivery.tickets.base import follow
from permission_guard.delivery.tickets.github.system import GitHubIssues
from permission_guard.delivery.tickets.jira.system import JiraIssues
from tests.conformance.openapi import OpenApi
from tests.integration.tickets import github, jira
from tests.integration.tickets.contract import APPLIED, HOSTILE, OPENED, PROPOSED, REOPENED, RESOLVED, later
from tests.integration.tickets.http_server import LoopbackSession, Request, Secret

if TYPE_CHECKING:
    from permission_guard.delivery.tickets.base import TicketSystem
    from tests.integration.tickets.contract import Peer


def test_every_request_to_github_is_one_of_its_api() -> None:
    """The life of two tickets, one with hostile names, one that a person closed."""
    api, peer = OpenApi("github-issues.openapi.json"), github.GitHub()
    with peer.vendor as vendor:
        session = LoopbackSession(github.API, vendor)
        live(GitHubIssues(github.REPOSITORY, Secret(token=github.TOKEN), session), peer)
        assert {api.check(request) for request in vendor.requests} == {
            "issues/list-for-repo",
            "issues/create",
            "issues/get",
            "issues/update",
            "issues/create-comment",
        }


def test_every_request_to_jira_is_one_of_its_api() -> None:
    """Jira's document leaves the fields of an issue open: what it does not say is in our own server."""
    api, peer = OpenApi("jira-cloud-v3-issues.openapi.json"), jira.Jira()
    with peer.vendor as vendor:
        secret = Secret(email=jira.EMAIL, token=jira.TOKEN)
        live(JiraIssues(jira.PROJECT, secret, LoopbackSession(jira.API, vendor)), peer)
        requests = [replace(request, path=f"/rest/api/3{request.path}") for request in vendor.requests]
        assert {api.check(request) for request in requests} == {
            "addComment",
            "createIssue",
            "doTransition",
            "editIssue",
            "getCreateIssueMetaIssueTypes",
            "getIssue",
            "getTransitions",
            "searchAndReconsileIssuesUsingJql",
        }


def live(system: TicketSystem, peer: Peer) -> None:
    """Have two tickets opened, updated, closed, reopened and commented."""
    hostile = replace(OPENED, id="f" * 32, title=HOSTILE, reason=HOSTILE, subject=HOSTILE)
    for first in (OPENED, hostile):
        reference = follow(system, first, None)
        assert reference is not None
        for finding in (PROPOSED, APPLIED, RESOLVED, REOPENED):
            follow(system, replace(finding, id=first.id, title=first.title, reason=first.reason), reference)
        peer.close(reference)
        follow(system, later(first, 7), reference)


GITHUB, JIRA = "github-issues.openapi.json", "jira-cloud-v3-issues.openapi.json"


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        (GITHUB, Request("POST", "/repos/acme/platform/issues", {}, {}, {"body": "no title"})),
        (GITHUB, Request("PATCH", "/repos/acme/platform/issues/1", {}, {}, {"state": "done"})),
        (GITHUB, Request("GET", "/repos/acme/platform/issues", {"state": "maybe"}, {}, None)),
        (GITHUB, Request("GET", "/repos/acme/platform/issues", {"label": "x"}, {}, None)),
        (GITHUB, Request("DELETE", "/repos/acme/platform/issues/1", {}, {}, None)),
        (JIRA, Request("PUT", "/rest/api/3/issue/OPS-1", {}, {}, {"fields": "x"})),
        (JIRA, Request("PUT", "/rest/api/3/issue/OPS-1", {}, {}, {"properties": [{"name": "x"}]})),
        (JIRA, Request("GET", "/rest/api/3/search/jql", {"maxResults": "all"}, {}, None)),
    ],
)
def test_a_wrong_request_is_found(name: str, request_: Request) -> None:
    """Otherwise the tests above would prove nothing."""
    with pytest.raises((AssertionError, ValueError, jsonschema.ValidationError)):
        OpenApi(name).check(request_)
