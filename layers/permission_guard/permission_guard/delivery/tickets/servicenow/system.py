"""Maintain one incident for each finding in ServiceNow.

https://www.servicenow.com/docs/bundle/xanadu-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from permission_guard.delivery.http.api import JsonApi, require_https
from permission_guard.delivery.tickets.base import Mark, Ticket, mark_of
from permission_guard.delivery.tickets.servicenow import content as incidents
from permission_guard.errors import ConfigurationError, DeliveryError, DeliveryUnclearError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.http.api import Credentials
    from permission_guard.delivery.http.session import HttpSession
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

CREDENTIALS = ("user", "password")
"""The names in the secret: a user of the instance that may write incidents by the REST API."""

_TABLE = ("table", "incident")
_FIELDS = "sys_id,state,correlation_id,correlation_display"
_GONE = frozenset({404})
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class ServiceNowIncidents:
    """The incidents of one instance; a reference is a `sys_id`.

    `url` is the address of the incidents, such as `https://acme.service-now.com/incident`. ConfigurationError for
    another one.
    """

    def __init__(self, url: str, credentials: Credentials, session: HttpSession, *, name: str = "servicenow") -> None:
        self.name = name
        self._api = JsonApi("ServiceNow", _base_url(url), session, credentials, authorize=_authorization, words=_words)

    def begin(self) -> None:
        """Begin a delivery."""
        self._api.begin()

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return an incident, None if it was deleted, is not about this finding, or cannot be reopened with it."""
        if not _ID.fullmatch(reference):
            return None
        query = {"sysparm_fields": _FIELDS}
        return _ticket(_result(self._api.request("GET", *_TABLE, reference, query=query, accept=_GONE).content), about)

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the incident of this finding, None when there is none; of several, an open one and the newest.

        Each record is compared: ServiceNow ignores a condition of a query that it does not understand.
        """
        condition = f"correlation_id={incidents.correlation_id(about)}^ORDERBYDESCsys_created_on"
        query = {"sysparm_query": condition, "sysparm_fields": _FIELDS, "sysparm_limit": "50"}
        found = _result(self._api.request("GET", *_TABLE, query=query).content)
        if not isinstance(found, list):
            raise DeliveryError("ServiceNow did not accept the ticket: its response has no list of incidents")
        tickets = [ticket for record in found if (ticket := _ticket(record, about)) is not None]
        return min(tickets, key=lambda one: one.is_closed, default=None)

    def open(self, about: Ticketed) -> str:
        """Create the incident and return its `sys_id`."""
        created = _result(self._api.request("POST", *_TABLE, content=incidents.new_incident(about)).content)
        ticket = _ticket(created, about)
        if ticket is None:
            raise DeliveryUnclearError("ServiceNow did not accept the ticket: its response has no such incident")
        return ticket.reference

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the incident again, and keep its state."""
        self._write(ticket, about, mark_of(ticket, about), {})

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the incident again and resolve it. The state and the notes of whoever closed it stay."""
        self._write(ticket, about, Mark.of(about), {} if ticket.is_closed else incidents.closing(about))

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the incident again and set it to In Progress, as ServiceNow does."""
        self._write(ticket, about, Mark.of(about), {"state": incidents.IN_PROGRESS})

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Write the incident again together with a work note, in one request."""
        self._write(ticket, about, Mark.of(about, has_comment=True), {"work_notes": text})

    def _write(self, ticket: Ticket, about: Ticketed, mark: Mark, more: Mapping[str, JSON]) -> None:
        content = {**incidents.incident(about, mark), **more}
        # A PATCH whose response is lost is repeated: only a work note would then be there twice.
        self._api.request("PATCH", *_TABLE, ticket.reference, content=content)


def _base_url(url: str) -> str:
    require_https(url)
    parts = urlsplit(url)
    if parts.path.rstrip("/") not in ("/incident", "/incident_list.do"):
        raise ConfigurationError("TicketUrl must be https://<instance>/incident for TicketSystem=servicenow")
    return f"https://{parts.netloc.lower()}/api/now"


def _authorization(credentials: Mapping[str, str]) -> dict[str, str]:
    value = b64encode(f"{credentials['user']}:{credentials['password']}".encode()).decode()
    return {"Authorization": f"Basic {value}"}


def _result(content: JSON) -> JSON:
    return content.get("result") if isinstance(content, dict) else None


def _ticket(record: JSON, about: Ticketed) -> Ticket | None:
    """Return an incident as a ticket, None if it is about something else, or is final and the finding came back."""
    mark = incidents.marked(record, about)
    reference = str(record.get("sys_id")) if isinstance(record, dict) else ""
    if mark is None or not _ID.fullmatch(reference):
        return None
    came_back = about.status is Status.OPEN and mark.status is not Status.OPEN
    if came_back and record.get("state") in incidents.FINAL:
        return None
    return Ticket(reference=reference, is_closed=incidents.is_closed(record), mark=mark)


def _words(content: JSON) -> str:
    """Return ServiceNow's message and its detail."""
    error = content.get("error") if isinstance(content, dict) else None
    return f"{error.get('message') or ''}; {error.get('detail') or ''}".strip("; ") if isinstance(error, dict) else ""
