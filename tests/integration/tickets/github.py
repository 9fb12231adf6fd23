"""GitHub's issues as far as the bot uses them: https://docs.github.com/en/rest/issues/issues."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.integration.tickets.contract import Shown
from tests.integration.tickets.http_server import Answer, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.tickets.http_server import Request

TOKEN = "github_pat_11ABCDEFG0secretsecretsecret"
REPOSITORY = "https://github.com/acme/platform"
API = "https://api.github.com"

_ISSUES = "/repos/acme/platform/issues"


class GitHub:
    """The issues of one repository, and what a person sees and does there."""

    def __init__(self) -> None:
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[str]] = {}
        self.created = 0
        self.may_label = True
        self.vendor = Vendor(self.answer)

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Bad credentials"})
        for pattern, answer in self._routes():
            if found := re.fullmatch(pattern, f"{request.method} {request.path}"):
                return answer(request, *found.groups())
        return Answer(404, {"message": "Not Found"})

    def _routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        return [
            (f"GET {_ISSUES}", self._list),
            (f"POST {_ISSUES}", self._create),
            (rf"GET {_ISSUES}/(\d+)", self._get),
            (rf"PATCH {_ISSUES}/(\d+)", self._update),
            (rf"POST {_ISSUES}/(\d+)/comments", self._comment),
        ]

    def _list(self, request: Request) -> Answer:
        """List the issues that have all labels, the newest first."""
        query, wanted = request.query, set(request.query["labels"].split(","))
        assert query["state"] == "all"
        found = [issue for issue in self.issues.values() if wanted <= {one["name"] for one in issue["labels"]}]
        first = (int(query["page"]) - 1) * int(query["per_page"])
        return Answer(200, found[::-1][first : first + int(query["per_page"])])

    def _create(self, request: Request) -> Answer:
        new = request.content
        if not new["title"] or len(new["title"]) > 256 or len(new["body"]) > 65_536:
            return Answer(422, {"message": "Validation Failed", "errors": [{"field": "body", "code": "invalid"}]})
        self.created += 1
        number = str(self.created)
        labels = [{"name": name} for name in new["labels"] if 0 < len(name) <= 50]
        assert len(labels) == len(new["labels"])
        labels = labels if self.may_label else []  # GitHub drops them without an error
        self.issues[number] = {**new, "number": int(number), "state": "open", "state_reason": None, "labels": labels}
        self.comments[number] = []
        return Answer(201, self.issues[number])

    def _get(self, _request: Request, number: str) -> Answer:
        if number not in self.issues:
            return Answer(410 if int(number) <= self.created else 404, {"message": "This issue was deleted"})
        return Answer(200, self.issues[number])

    def _update(self, request: Request, number: str) -> Answer:
        if number not in self.issues:
            return Answer(404, {"message": "Not Found"})
        self.issues[number] |= request.content
        return Answer(200, self.issues[number])

    def _comment(self, request: Request, number: str) -> Answer:
        self.comments[number].append(request.content["body"])
        return Answer(201, {"id": 1, "body": request.content["body"]})

    def shown(self) -> list[Shown]:
        return [
            Shown(
                reference=number,
                is_open=issue["state"] == "open",
                text=f"{issue['title']}\n{issue['body']}",
                comments=tuple(self.comments[number]),
            )
            for number, issue in self.issues.items()
        ]

    def close(self, reference: str) -> None:
        self.issues[reference] |= {"state": "closed", "state_reason": "completed"}

    def delete(self, reference: str) -> None:
        del self.issues[reference]
