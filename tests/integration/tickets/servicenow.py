"""ServiceNow's table of incidents as far as the bot uses it.

There is no published specification to check against. From the documentation:
https://www.servicenow.com/docs/bundle/xanadu-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from tests.integration.tickets.contract import Shown
from tests.integration.tickets.http_server import Answer, Vendor

if TYPE_CHECKING:
    from tests.integration.tickets.http_server import Request

USER = "permission.guard"
PASSWORD = "secret-Zx9Q-secret"
INCIDENTS = "https://acme.service-now.com/incident"
API = "https://acme.service-now.com/api/now"

LENGTHS = {
    "short_description": 160,
    "description": 4_000,
    "close_notes": 4_000,
    "work_notes": 4_000,
    "correlation_id": 100,
    "correlation_display": 100,
}
CHOICES = {"state": {"1", "2", "3", "6", "7", "8"}, "urgency": {"1", "2", "3"}, "impact": {"1", "2", "3"}}
FIELDS = {"sys_id", "number", "close_code", *LENGTHS, *CHOICES}


class ServiceNow:
    """The incidents of one instance, and what a person sees and does there."""

    def __init__(self) -> None:
        self.incidents: dict[str, dict[str, str]] = {}
        self.notes: dict[str, list[str]] = {}
        self.created = 0
        self.vendor = Vendor(self.answer)

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}":
            return _error(401, "User Not Authenticated")
        if request.path == "/table/incident":
            return self._create(request) if request.method == "POST" else self._list(request)
        found = re.fullmatch(r"/table/incident/([0-9a-f]{32})", request.path)
        if found is None or found[1] not in self.incidents:
            return _error(404, "No Record found")
        if request.method == "GET":
            return Answer(200, {"result": self._shown(found[1], request)})
        return self._update(found[1], request)

    def _list(self, request: Request) -> Answer:
        """Answer the one form of query that the bot sends, the newest first."""
        condition = re.fullmatch(r"correlation_id=([\w-]+)\^ORDERBYDESCsys_created_on", request.query["sysparm_query"])
        assert condition is not None
        keys = [key for key, one in self.incidents.items() if one["correlation_id"] == condition[1]]
        return Answer(200, {"result": [self._shown(key, request) for key in reversed(keys)]})

    def _shown(self, key: str, request: Request) -> dict[str, str]:
        """Return the requested fields: a field without a value is an empty text."""
        return {name: self.incidents[key].get(name, "") for name in request.query["sysparm_fields"].split(",")}

    def _create(self, request: Request) -> Answer:
        self.created += 1
        key = f"{self.created:032x}"
        self.incidents[key] = {"sys_id": key, "number": f"INC{self.created:07}", "state": "1"}
        self.notes[key] = []
        self._set(key, request.content)
        return Answer(201, {"result": self.incidents[key]})

    def _update(self, key: str, request: Request) -> Answer:
        if self.incidents[key]["state"] in ("7", "8") and "state" in request.content:
            return _error(403, "Operation Failed")
        self._set(key, request.content)
        return Answer(200, {"result": self.incidents[key]})

    def _set(self, key: str, content: dict[str, Any]) -> None:
        """Set fields. A resolved incident has a code and notes."""
        assert content.keys() <= FIELDS
        assert all(len(content[name]) <= length for name, length in LENGTHS.items() if name in content)
        assert all(content[name] in choices for name, choices in CHOICES.items() if name in content)
        assert content.get("state") != "6" or (content["close_code"] and content["close_notes"])
        if note := content.get("work_notes"):
            self.notes[key].append(note)
        self.incidents[key] |= {name: value for name, value in content.items() if name != "work_notes"}

    def shown(self) -> list[Shown]:
        return [
            Shown(
                reference=key,
                is_open=one["state"] in ("1", "2", "3"),
                text=f"{one['short_description']}\n{one['description']}",
                comments=tuple(self.notes[key]),
            )
            for key, one in self.incidents.items()
        ]

    def close(self, reference: str) -> None:
        self.incidents[reference] |= {"state": "6", "close_code": "User error", "close_notes": "Not a problem."}

    def delete(self, reference: str) -> None:
        del self.incidents[reference]


def _error(status: int, message: str) -> Answer:
    return Answer(status, {"error": {"message": message, "detail": "ACL"}, "status": "failure"})
