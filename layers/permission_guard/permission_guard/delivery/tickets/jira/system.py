"""Maintain one issue for each finding in a Jira Cloud project.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from permission_guard.delivery.http.api import JsonApi, require_https
from permission_guard.delivery.tickets.base import Mark, Ticket, mark_of
from permission_guard.delivery.tickets.jira import content as issues
from permission_guard.errors import ConfigurationError, DeliveryError, DeliveryUnclearError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.delivery.http.api import Credentials
    from permission_guard.delivery.http.session import HttpSession
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

CREDENTIALS = ("email", "token")
"""The names in the secret: the e-mail address of an Atlassian account, and an API token of it."""

_DONE = "done"
_NOT_DONE = ("new", "indeterminate")
_GONE = frozenset({404})
_TYPES = ("Task", "Bug")
"""The types of issues to use if the project has them, else the first one that is no subtask."""
_RESOLUTIONS = ("Done", "Fixed")

_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[1-9]\d{0,17}", re.ASCII)
_PROJECT = re.compile(r"/(?:projects|browse)/([A-Z][A-Z0-9_]{0,254})(?:/|$)", re.ASCII)


class JiraIssues:
    """The issues of one project; a reference is an issue's key.

    `url` is the project's address, such as `https://acme.atlassian.net/projects/OPS`. ConfigurationError for another.
    """

    def __init__(self, url: str, credentials: Credentials, session: HttpSession, *, name: str = "jira") -> None:
        self.name = name
        base_url, self._project = _address(url)
        self._api = JsonApi("Jira", base_url, session, credentials, authorize=_authorization, words=_words)
        self._type: str | None = None

    def begin(self) -> None:
        """Begin a delivery."""
        self._api.begin()

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return an issue, None if it was deleted, or is not about this finding."""
        if not _KEY.fullmatch(reference):
            return None
        query = {"fields": "status", "properties": issues.PROPERTY}
        issue = self._api.request("GET", "issue", reference, query=query, accept=_GONE).content
        properties = _part(issue, "properties")
        mark = issues.marked(_part(properties, issues.PROPERTY), about)
        if mark is None:
            return None
        return Ticket(
            reference=_key(issue) or reference, is_closed=_category(_part(issue, "fields")) == _DONE, mark=mark
        )

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the issue of this finding, None when there is none; of several, an open one and the newest.

        JQL finds the keys. The issues are then read: the search may lag behind by seconds.
        """
        jql = f'project = "{self._project}" AND labels = "{issues.finding_label(about)}" ORDER BY created DESC'
        query = {"jql": jql, "fields": "status", "maxResults": "50"}
        found = _part(self._api.request("GET", "search", "jql", query=query).content, "issues")
        if not isinstance(found, list):
            raise DeliveryError("Jira did not accept the ticket: its response has no list of issues")
        tickets = [ticket for issue in found if (ticket := self.read(_key(issue), about)) is not None]
        return min(tickets, key=lambda one: one.is_closed, default=None)

    def open(self, about: Ticketed) -> str:
        """Create the issue and return its key."""
        fields = {
            "project": {"key": self._project},
            "issuetype": {"id": self._issue_type()},
            "labels": [issues.LABEL, issues.finding_label(about)],
        }
        new = _content(about, Mark.of(about))
        key = _key(self._api.request("POST", "issue", content={**new, "fields": new["fields"] | fields}).content)
        if not key:
            raise DeliveryUnclearError("Jira did not accept the ticket: its response has no key")
        return key

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the issue again, and keep its status."""
        self._write(ticket, about, mark_of(ticket, about))

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the issue again, then close it: a closed one may not be editable."""
        self._write(ticket, about, Mark.of(about))
        if not ticket.is_closed:
            self._transition(ticket, _DONE)

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Reopen the issue, then write it again: if that fails, the mark still says that the bot closed it."""
        self._transition(ticket, *_NOT_DONE)
        self._write(ticket, about, Mark.of(about))

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Write the issue, comment on it, then write that it has the comment: what cannot be written gets none."""
        self._write(ticket, about, mark_of(ticket, about))
        self._api.request("POST", "issue", ticket.reference, "comment", content={"body": issues.comment(text)})
        self._write(ticket, about, Mark.of(about, has_comment=True))

    def _write(self, ticket: Ticket, about: Ticketed, mark: Mark) -> None:
        self._api.request("PUT", "issue", ticket.reference, content=_content(about, mark))

    def _transition(self, ticket: Ticket, *categories: str) -> None:
        """Move the issue to a status of one of the categories, the first one if the workflow has such a transition."""
        path = ("issue", ticket.reference, "transitions")
        reply = self._api.request("GET", *path, query={"expand": "transitions.fields"}).content
        possible = [one for one in _list(reply, "transitions") if _fields(one) is not None]
        for category in categories:
            for one in possible:
                if _category(one, "to") == category:
                    change = {"transition": {"id": str(_part(one, "id"))}}
                    fields = _fields(one)
                    self._api.request("POST", *path, content=change | ({"fields": fields} if fields else {}))
                    return
        raise DeliveryError(
            f"Jira did not accept the ticket: the workflow of {ticket.reference} has no transition to a status of the "
            f"category {' or '.join(categories)} that the bot may make without more fields"
        )

    def _issue_type(self) -> str:
        if self._type is None:
            path = ("issue", "createmeta", self._project, "issuetypes")
            reply = self._api.request("GET", *path, query={"maxResults": "50"}).content
            types = [one for one in _list(reply, "issueTypes") if not _part(one, "subtask")]
            names = {str(_part(one, "name")): str(_part(one, "id")) for one in types}
            chosen = next((name for name in (*_TYPES, *names) if name in names), None)
            if chosen is None:
                raise DeliveryError(
                    "Jira did not accept the ticket: the credentials may create no issue in the project"
                )
            self._type = names[chosen]
        return self._type


def _address(url: str) -> tuple[str, str]:
    """Return the base URL of the API, and the project's key. ConfigurationError without one."""
    require_https(url)
    parts = urlsplit(url)
    project = _PROJECT.search(parts.path)
    if project is None:
        raise ConfigurationError("TicketUrl must be https://<site>.atlassian.net/projects/<KEY> for TicketSystem=jira")
    return f"https://{parts.netloc.lower()}/rest/api/3", project[1]


def _authorization(credentials: Mapping[str, str]) -> dict[str, str]:
    value = b64encode(f"{credentials['email']}:{credentials['token']}".encode()).decode()
    return {"Authorization": f"Basic {value}"}


def _content(about: Ticketed, mark: Mark) -> dict[str, JSON]:
    return {
        "fields": {"summary": issues.summary(about), "description": issues.description(about)},
        "properties": [{"key": issues.PROPERTY, "value": issues.property_value(about, mark)}],
    }


def _part(value: JSON, name: str) -> JSON:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: JSON, name: str) -> list[JSON]:
    found = _part(value, name)
    return found if isinstance(found, list) else []


def _key(issue: JSON) -> str:
    """Return the key of an issue, empty without a valid one."""
    key = str(_part(issue, "key"))
    return key if _KEY.fullmatch(key) else ""


def _category(value: JSON, name: str = "status") -> str:
    """Return the category of a status: `new`, `indeterminate` or `done`, whatever the status is called."""
    return str(_part(_part(_part(value, name), "statusCategory"), "key"))


def _fields(transition: JSON) -> dict[str, JSON] | None:
    """Return the fields that a transition requires, None if the bot does not know what to set."""
    fields: dict[str, JSON] = {}
    for name, field in (_part(transition, "fields") or {}).items():
        if not _part(field, "required") or _part(field, "hasDefaultValue"):
            continue
        values = [str(_part(one, "name")) for one in _list(field, "allowedValues")]
        if name != "resolution" or not values:
            return None
        fields[name] = {"name": next((one for one in _RESOLUTIONS if one in values), values[0])}
    return fields


def _words(content: JSON) -> str:
    """Return Jira's messages, and the fields that it names."""
    return "; ".join(_messages(content))


def _messages(content: JSON) -> Iterator[str]:
    yield from map(str, _list(content, "errorMessages"))
    errors = _part(content, "errors")
    yield from (f"{name} {text}" for name, text in errors.items()) if isinstance(errors, dict) else ()
