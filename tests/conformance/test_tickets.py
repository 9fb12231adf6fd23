"""The requests for tickets, against the vendors' own OpenAPI documents."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest

from permission_guard.delivery.tickets.base import follow
from permission_guard.delivery.tickets.github.system import GitHubIssues
from tests.conformance.openapi import OpenApi
from tests.integration.tickets.contract import APPLIED, HOSTILE, OPENED, PROPOSED, REOPENED, RESOLVED, later
from tests.integration.tickets.github import API, REPOSITORY, TOKEN, GitHub
from tests.integration.tickets.http_server import LoopbackSession, Request, Secret


def test_every_request_to_github_is_one_of_its_api() -> None:
    """The life of two tickets, one with hostile names, one that a person closed."""
    api, github = OpenApi("github-issues.openapi.json"), GitHub()
    with github.vendor as vendor:
        system = GitHubIssues(REPOSITORY, Secret(token=TOKEN), LoopbackSession(API, vendor))
        live(system, github)
        assert {api.check(request) for request in vendor.requests} == {
            "issues/list-for-repo",
            "issues/create",
            "issues/get",
            "issues/update",
            "issues/create-comment",
        }


def live(system: GitHubIssues, peer: GitHub) -> None:
    """Have two tickets opened, updated, closed, reopened and commented."""
    hostile = replace(OPENED, id="f" * 32, title=HOSTILE, reason=HOSTILE, subject=HOSTILE)
    for first in (OPENED, hostile):
        reference = follow(system, first, None)
        assert reference is not None
        for finding in (PROPOSED, APPLIED, RESOLVED, REOPENED):
            follow(system, replace(finding, id=first.id, title=first.title, reason=first.reason), reference)
        peer.close(reference)
        follow(system, later(first, 7), reference)


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/repos/acme/platform/issues", {}, {}, {"body": "no title"}),
        Request("PATCH", "/repos/acme/platform/issues/1", {}, {}, {"state": "done"}),
        Request("GET", "/repos/acme/platform/issues", {"state": "maybe"}, {}, None),
        Request("GET", "/repos/acme/platform/issues", {"label": "x"}, {}, None),
        Request("DELETE", "/repos/acme/platform/issues/1", {}, {}, None),
    ],
)
def test_a_wrong_request_is_found(request_: Request) -> None:
    """Otherwise the test above would prove nothing."""
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        OpenApi("github-issues.openapi.json").check(request_)
