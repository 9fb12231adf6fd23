"""Jira Cloud as far as the bot uses it: https://developer.atlassian.com/cloud/jira/platform/rest/v3/."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from tests.integration.tickets.contract import Shown
from tests.integration.tickets.http_server import Answer, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.tickets.http_server import Request

EMAIL = "permission-guard@acme.example"
TOKEN = "ATATT3xFfGF0secretsecretsecret"
PROJECT = "https://acme.atlassian.net/projects/OPS"
API = "https://acme.atlassian.net/rest/api/3"

CATEGORIES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
RESOLUTION = {"required": True, "hasDefaultValue": False, "allowedValues": [{"name": "Won't Do"}, {"name": "Done"}]}
REVIEWER = {"customfield_10010": {"required": True, "hasDefaultValue": False}}


class Jira:
    """The issues of one project, and what a person sees and does there."""

    def __init__(self) -> None:
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[str]] = {}
        self.created = 0
        self.types = [
            {"id": "1", "name": "Sub-task", "subtask": True},
            {"id": "2", "name": "Story", "subtask": False},
            {"id": "3", "name": "Task", "subtask": False},
        ]
        self.transitions = [
            {"id": "11", "to": "Done", "fields": REVIEWER},
            {"id": "21", "to": "Done", "fields": {"resolution": RESOLUTION, "comment": {"required": False}}},
            {"id": "31", "to": "In Progress", "fields": {}},
            {"id": "41", "to": "To Do", "fields": {}},
        ]
        self.vendor = Vendor(self.answer)

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Basic {b64encode(f'{EMAIL}:{TOKEN}'.encode()).decode()}":
            return Answer(401, {"errorMessages": ["Client must be authenticated to access this resource."]})
        for pattern, answer in self._routes():
            if found := re.fullmatch(pattern, f"{request.method} {request.path}"):
                return answer(request, *found.groups())
        return Answer(404, {"errorMessages": ["Not found"], "errors": {}})

    def _routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        return [
            ("GET /issue/createmeta/OPS/issuetypes", lambda _request: Answer(200, {"issueTypes": self.types})),
            ("GET /search/jql", self._search),
            ("POST /issue", self._create),
            (r"GET /issue/(OPS-\d+)", self._get),
            (r"PUT /issue/(OPS-\d+)", self._update),
            (r"GET /issue/(OPS-\d+)/transitions", self._list_transitions),
            (r"POST /issue/(OPS-\d+)/transitions", self._transition),
            (r"POST /issue/(OPS-\d+)/comment", self._comment),
        ]

    def _search(self, request: Request) -> Answer:
        """Answer the one form of query that the bot sends."""
        found = re.fullmatch(r'project = "OPS" AND labels = "([\w-]+)" ORDER BY created DESC', request.query["jql"])
        assert found is not None
        keys = [key for key, issue in self.issues.items() if found[1] in issue["labels"]]
        return Answer(200, {"issues": [{"key": key} for key in reversed(keys)], "isLast": True})

    def _create(self, request: Request) -> Answer:
        fields = request.content["fields"]
        assert fields["project"] == {"key": "OPS"}
        assert fields["issuetype"] == {"id": "3"}
        if problem := _problem(fields):
            return problem
        self.created += 1
        key = f"OPS-{self.created}"
        self.issues[key] = {"labels": fields["labels"], "status": "To Do", "properties": {}}
        self.comments[key] = []
        self._set(key, request.content)
        return Answer(201, {"id": "10000", "key": key, "self": f"{API}/issue/10000"})

    def _set(self, key: str, content: dict[str, Any]) -> None:
        fields = content["fields"]
        self.issues[key] |= {name: fields[name] for name in ("summary", "description")}
        self.issues[key]["properties"] |= {one["key"]: one["value"] for one in content["properties"]}

    def _get(self, request: Request, key: str) -> Answer:
        if key not in self.issues:
            return Answer(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})
        issue = self.issues[key]
        status = {"name": issue["status"], "statusCategory": {"key": CATEGORIES[issue["status"]]}}
        properties = {name: value for name, value in issue["properties"].items() if name == request.query["properties"]}
        return Answer(200, {"key": key, "fields": {"status": status}, "properties": properties})

    def _update(self, request: Request, key: str) -> Answer:
        if problem := _problem(request.content["fields"]):
            return problem
        self._set(key, request.content)
        return Answer(204)

    def _list_transitions(self, request: Request, key: str) -> Answer:
        assert request.query == {"expand": "transitions.fields"}
        shown = [
            {**one, "to": {"name": one["to"], "statusCategory": {"key": CATEGORIES[str(one["to"])]}}}
            for one in self.transitions
            if one["to"] != self.issues[key]["status"]
        ]
        return Answer(200, {"transitions": shown})

    def _transition(self, request: Request, key: str) -> Answer:
        (chosen,) = [one for one in self.transitions if one["id"] == request.content["transition"]["id"]]
        if chosen["to"] == "Done" and request.content.get("fields") != {"resolution": {"name": "Done"}}:
            return Answer(400, {"errorMessages": [], "errors": {"resolution": "Resolution is required."}})
        self.issues[key]["status"] = chosen["to"]
        return Answer(204)

    def _comment(self, request: Request, key: str) -> Answer:
        self.comments[key].append(plain(request.content["body"]))
        return Answer(201, {"id": "1"})

    def shown(self) -> list[Shown]:
        return [
            Shown(
                reference=key,
                is_open=issue["status"] != "Done",
                text=f"{issue['summary']}\n{plain(issue['description'])}",
                comments=tuple(self.comments[key]),
            )
            for key, issue in self.issues.items()
        ]

    def close(self, reference: str) -> None:
        self.issues[reference]["status"] = "Done"

    def delete(self, reference: str) -> None:
        del self.issues[reference]


def _problem(fields: dict[str, Any]) -> Answer | None:
    """Return Jira's answer to invalid fields, None for valid ones."""
    check(fields["description"])
    if not 0 < len(fields["summary"]) <= 255 or "\n" in fields["summary"]:
        return Answer(400, {"errorMessages": [], "errors": {"summary": "Summary is invalid."}})
    if len(json.dumps(fields["description"])) > 32_767:
        return Answer(400, {"errorMessages": [], "errors": {"description": "The entered text is too long."}})
    return None


def check(node: dict[str, Any], parent: str = "") -> None:
    """Check a node of an ADF document: which nodes it may have in it, and that no text is empty.

    From https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/.
    """
    kind = node["type"]
    allowed = {"": {"doc"}, "doc": {"paragraph", "heading", "codeBlock"}}.get(parent, {"text"})
    assert kind in allowed, (kind, parent)
    if kind == "text":
        assert node.keys() <= {"type", "text", "marks"}
        assert node["text"]
        for mark in node.get("marks", ()):
            assert mark["type"] in {"strong", "link"}
            assert mark["type"] != "link" or mark["attrs"]["href"].startswith("https://")
        return
    assert kind != "doc" or node["version"] == 1
    for one in node["content"]:
        check(one, kind)


def plain(node: dict[str, Any]) -> str:
    """Return the text of a document."""
    return node["text"] if "text" in node else "\n".join(_texts(node))


def _texts(node: dict[str, Any]) -> Iterator[str]:
    for one in node.get("content", ()):
        yield plain(one)
