"""Maintain one issue for each finding in a GitHub repository.

https://docs.github.com/en/rest/issues/issues
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from permission_guard.delivery.http.api import JsonApi, require_https
from permission_guard.delivery.tickets.base import Mark, Ticket, mark_of
from permission_guard.delivery.tickets.github import content as issues
from permission_guard.errors import ConfigurationError, DeliveryError, DeliveryUnclearError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.delivery.http.api import Credentials
    from permission_guard.delivery.http.session import HttpSession
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

CREDENTIALS = ("token",)
"""The names in the secret: a fine-grained personal access token that may read and write the repository's issues."""

_PAGE = 30
_PAGES = 20
_GONE = frozenset({301, 404, 410})
"""An issue that was deleted, or transferred to another repository."""

_NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)
_NUMBER = re.compile(r"[1-9]\d{0,17}", re.ASCII)


class GitHubIssues:
    """The issues of one repository; a reference is an issue's number.

    `url` is the repository's address, such as `https://github.com/acme/platform`. ConfigurationError for another one.
    """

    def __init__(self, url: str, credentials: Credentials, session: HttpSession, *, name: str = "github") -> None:
        self.name = name
        base_url, self._owner, self._repository = _repository(url)
        self._api = JsonApi("GitHub", base_url, session, credentials, authorize=_authorization, words=_words)

    def begin(self) -> None:
        """Begin a delivery."""
        self._api.begin()

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return an issue, None if it was deleted, was transferred, or is not about this finding.

        If a person wrote another body without a marker, the issue is known by this reference and its labels.
        """
        if not _NUMBER.fullmatch(reference):
            return None
        reply = self._api.request("GET", *self._path(reference), accept=_GONE)
        if reply.status in _GONE:
            return None
        is_rewritten = _has_labels(reply.content, about) and not issues.has_marker(_body(reply.content))
        return _ticket(reply.content, about, Mark() if is_rewritten else None)

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the issue of this finding, None when there is none; of several, an open one and the newest.

        It is listed by the label of its function: the list is up to date at once, unlike GitHub's search. Only who may
        write to the repository can set a label.
        """
        tickets = [ticket for issue in self._labelled(about) if (ticket := _ticket(issue, about)) is not None]
        return min(tickets, key=lambda one: (one.is_closed, -int(one.reference)), default=None)

    def open(self, about: Ticketed) -> str:
        """Create the issue and return its number.

        GitHub drops the labels without an error if the token's account may not set them, and the issue is not found
        again. It is then closed, and the delivery fails.
        """
        new = {
            "title": issues.title(about),
            "body": issues.body(about, Mark.of(about)),
            "labels": issues.labels(about),
        }
        created = self._api.request("POST", *self._path(), content=new).content
        ticket = _ticket(created, about)
        if ticket is None:
            raise DeliveryUnclearError("GitHub did not accept the ticket: its response has no such issue")
        if not _has_labels(created, about):
            self._api.request("PATCH", *self._path(ticket.reference), content=_state("closed", "not_planned"))
            raise DeliveryError(
                "GitHub did not accept the ticket: it dropped the labels. Give the account of the token the role Write "
                "in the repository"
            )
        return ticket.reference

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the issue again, and keep its state."""
        self._write(ticket, about, mark_of(ticket, about))

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the issue again and close it. The issue of a suppressed finding is closed as not planned."""
        reason = "completed" if about.status is Status.RESOLVED else "not_planned"
        # The reason of whoever closed it stays.
        self._write(ticket, about, Mark.of(about), {} if ticket.is_closed else _state("closed", reason))

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the issue again and reopen it."""
        self._write(ticket, about, Mark.of(about), _state("open", "reopened"))

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Write the issue, comment on it, then write that it has the comment: what cannot be written gets none."""
        self._write(ticket, about, mark_of(ticket, about))
        self._api.request("POST", *self._path(ticket.reference, "comments"), content={"body": text})
        self._write(ticket, about, Mark.of(about, has_comment=True))

    def _write(self, ticket: Ticket, about: Ticketed, mark: Mark, state: Mapping[str, str] | None = None) -> None:
        change = {"title": issues.title(about), "body": issues.body(about, mark), **(state or {})}
        self._api.request("PATCH", *self._path(ticket.reference), content=change)

    def _labelled(self, about: Ticketed) -> Iterator[JSON]:
        query = {"labels": ",".join(issues.labels(about)), "state": "all", "per_page": str(_PAGE)}
        for page in range(1, _PAGES + 1):
            found = self._api.request("GET", *self._path(), query={**query, "page": str(page)}).content
            if not isinstance(found, list):
                raise DeliveryError("GitHub did not accept the ticket: its response has no list of issues")
            yield from found
            if len(found) < _PAGE:
                return

    def _path(self, *more: str) -> tuple[str, ...]:
        return ("repos", self._owner, self._repository, "issues", *more)


def _repository(url: str) -> tuple[str, str, str]:
    """Return the base URL of the API, the owner and the repository. ConfigurationError without one."""
    require_https(url)
    parts = urlsplit(url)
    names = parts.path.strip("/").removesuffix(".git").split("/")
    if len(names) != 2 or not all(_NAME.fullmatch(name) and name.strip(".") for name in names):  # noqa: PLR2004
        raise ConfigurationError("TicketUrl must be https://github.com/<owner>/<repository> for TicketSystem=github")
    host = parts.netloc.lower()
    if host in ("github.com", "www.github.com"):
        base_url = "https://api.github.com"
    elif host.endswith(".ghe.com"):
        base_url = f"https://api.{host}"
    else:
        base_url = f"https://{host}/api/v3"  # GitHub Enterprise Server
    return base_url, names[0], names[1]


def _authorization(credentials: Mapping[str, str]) -> dict[str, str]:
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {credentials['token']}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def _state(state: str, reason: str) -> dict[str, str]:
    return {"state": state, "state_reason": reason}


def _ticket(issue: JSON, about: Ticketed, unmarked: Mark | None = None) -> Ticket | None:
    """Return an issue as a ticket, None if it is a pull request, or not about the finding.

    `unmarked` is the mark of an issue that is about the finding although its body does not say so.
    """
    if not isinstance(issue, dict) or "pull_request" in issue:
        return None
    mark = issues.marked(_body(issue), about) or unmarked
    number = str(issue.get("number", ""))
    if mark is None or not _NUMBER.fullmatch(number):
        return None
    return Ticket(reference=number, is_closed=issue.get("state") == "closed", mark=mark)


def _body(issue: JSON) -> str:
    return str(issue.get("body") or "") if isinstance(issue, dict) else ""


def _has_labels(issue: JSON, about: Ticketed) -> bool:
    """Return whether an issue has the labels to find it by. GitHub ignores case, and keeps that of the first use."""
    found = issue.get("labels") if isinstance(issue, dict) else None
    names = [one.get("name") if isinstance(one, dict) else one for one in (found if isinstance(found, list) else ())]
    return {one.casefold() for one in issues.labels(about)} <= {str(name).casefold() for name in names}


def _words(content: JSON) -> str:
    """Return GitHub's message, and the fields that it names."""
    if not isinstance(content, dict):
        return ""
    errors = content.get("errors")
    fields = [f"{one.get('field')} {one.get('code')}" for one in errors or () if isinstance(one, dict)]
    return "; ".join([str(content.get("message", "")), *fields])
