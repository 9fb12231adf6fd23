"""The ticket systems that a seed delivers to: the vendors' sides in memory, and people who close tickets there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from botocore.exceptions import BotoCoreError

from permission_guard.delivery.http.session import HttpError, HttpResponse
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.github import content as github_content
from permission_guard.delivery.tickets.jira import content as jira_content
from permission_guard.delivery.tickets.security_hub import content as asff
from permission_guard.delivery.tickets.servicenow import content as servicenow_content
from permission_guard.model.findings import Status
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.errors import RejectedError
from tests.in_memory.ops_items import OpsItems
from tests.in_memory.security_hub import SecurityHub
from tests.integration.tickets import github, jira, servicenow
from tests.integration.tickets.http_server import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from permission_guard.model.findings import Finding
    from tests.integration.tickets.http_server import Answer
    from tests.simulation.environments import Invocation

NAMED: Final = ("github", "jira", "servicenow")
OPS_ITEM: Final = ("opsitem",)
EVERYWHERE: Final = ("opsitem", "securityhub", *NAMED)
WITH_SECURITY_HUB: Final = ("securityhub", *NAMED)

SECRET: Final = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
"""What the ARN of a secret begins with. The name of the system follows, and six characters."""
SECRETS: Final[Mapping[str, Mapping[str, str]]] = {
    "github": {"url": github.REPOSITORY, "token": github.TOKEN},
    "jira": {"url": jira.PROJECT, "email": jira.EMAIL, "token": jira.TOKEN},
    "servicenow": {"url": servicenow.INCIDENTS, "user": servicenow.USER, "password": servicenow.PASSWORD},
}
_APIS: Final = {"github": github.API, "jira": jira.API, "servicenow": servicenow.API}
_RETRY_AFTER: Final = ("1", "30", "7200")
"""The seconds that a vendor asks to wait: less than a delivery may take, more, and longer than the queue's retries."""
_LONG: Final = "7200"


@dataclass(frozen=True, slots=True)
class Held:
    """A ticket as its system has it. `comments` counts those that stay: an OpsItem and Security Hub keep the last."""

    reference: str
    is_open: bool
    mark: Mark
    comments: int = 0


@dataclass(slots=True)
class Closing:
    """A ticket that a person closed while its finding was open.

    `commented_by` are the invocations that commented on it since. It `is_over` once the bot has written that the
    finding is not open any more: the next time it opens the ticket again.
    """

    system: str
    reference: str
    finding: Finding
    comments: int
    commented_by: list[Invocation | None] = field(default_factory=list)
    is_over: bool = False

    def __str__(self) -> str:
        return f"{self.reference} of {self.system}"


def keys_of(ticket_systems: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a configuration in which a route leads to every system that is not the stack's own."""
    named = {f"team-{one}": {"type": one, "secret": f"{SECRET}{one}-AbCdEf"} for one in ticket_systems if one in NAMED}
    return {"tickets": {"systems": named}, "routes": [{"id": "tickets", "tickets": [*named]}]} if named else {}


class TicketSystems:
    """The systems. `current` is the invocation that calls them."""

    def __init__(self, current: Callable[[], Invocation | None]) -> None:
        self.ops_items, self.security_hub = OpsItems(), SecurityHub()
        self.github, self.jira, self.servicenow = github.GitHub(), jira.Jira(), servicenow.ServiceNow()
        self.closings: list[Closing] = []
        self._current = current

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a call to a system, None for any other. The parameter of a system outside AWS is the request."""
        reply: dict[str, Any] | None = None
        if service in _APIS:
            reply = {"answer": getattr(self, service).answer(params["request"])}
        elif service == "ssm" and operation in self.ops_items.operations:
            service, reply = "opsitem", self.ops_items.answer(operation, params)
        elif service == "securityhub" and operation in self.security_hub.operations:
            reply = self.security_hub.answer(operation, params)
        if reply is not None:
            self._note(service)
        return reply

    def tickets(self, system: str, finding: Finding) -> list[Held]:
        """Return the tickets of a finding in a system."""
        return list(getattr(self, f"_in_{system}")(finding))

    def close(self, systems: Iterable[str], finding: Finding) -> None:
        """Close the open tickets of a finding, as a person does."""
        for system in systems:
            for ticket in self.tickets(system, finding):
                if ticket.is_open:
                    self._close(system, ticket.reference)
                    self.closings.append(Closing(system, ticket.reference, finding, ticket.comments))

    def is_closed_by_a_person(self, system: str, reference: str) -> bool:
        """Return whether a person closed a ticket, and the bot may not open it again."""
        found = [one for one in self.closings if (one.system, one.reference) == (system, reference)]
        return bool(found) and not found[-1].is_over

    def _note(self, system: str) -> None:
        """Note what a call has done to the tickets that a person closed."""
        for closing in self.closings:
            if closing.system != system or closing.is_over:
                continue
            for ticket in self.tickets(system, closing.finding):
                if ticket.reference == closing.reference:
                    closing.commented_by += [self._current()] * (ticket.comments - closing.comments)
                    closing.comments = ticket.comments
                    closing.is_over = ticket.mark.status is not Status.OPEN

    def _close(self, system: str, reference: str) -> None:
        if system == "opsitem":
            self.ops_items.items[reference]["Status"] = "Resolved"
        elif system == "securityhub":
            self.security_hub.findings[reference]["Workflow"] = {"Status": "RESOLVED"}
        else:
            getattr(self, system).close(reference)

    def _in_opsitem(self, finding: Finding) -> Iterator[Held]:
        for reference, item in self.ops_items.items.items():
            data = {key: value["Value"] for key, value in item["OperationalData"].items()}
            if data["finding_id"] == finding.id:
                yield Held(reference, item["Status"] in ("Open", "InProgress"), Mark.read(data))

    def _in_securityhub(self, finding: Finding) -> Iterator[Held]:
        for reference, one in self.security_hub.findings.items():
            mark = asff.marked(one, finding)
            if mark is not None:
                is_active = one["RecordState"] == "ACTIVE" and one["Workflow"]["Status"] in ("NEW", "NOTIFIED")
                yield Held(reference, is_active, mark)

    def _in_github(self, finding: Finding) -> Iterator[Held]:
        for number, issue in self.github.issues.items():
            mark = github_content.marked(issue["body"], finding)
            if mark is not None:
                yield Held(number, issue["state"] == "open", mark, len(self.github.comments[number]))

    def _in_jira(self, finding: Finding) -> Iterator[Held]:
        for key, issue in self.jira.issues.items():
            mark = jira_content.marked(issue["properties"].get(jira_content.PROPERTY), finding)
            if mark is not None:
                yield Held(key, issue["status"] != "Done", mark, len(self.jira.comments[key]))

    def _in_servicenow(self, finding: Finding) -> Iterator[Held]:
        for key, one in self.servicenow.incidents.items():
            mark = servicenow_content.marked(one, finding)
            if mark is not None:
                yield Held(key, one["state"] in ("1", "2", "3"), mark, len(self.servicenow.notes[key]))


class SimulatedSession:
    """The HTTP session: each request is a call of the world, which the seed can let fail.

    `pick` decides how long a vendor whose limit is reached asks to wait, and `postponed` is called if that is long.
    """

    def __init__(
        self,
        call: Callable[[str, str, dict[str, Any]], dict[str, Any]],
        pick: Callable[[tuple[str, ...]], str],
        postponed: Callable[[], None],
    ) -> None:
        self._call, self._pick, self._postponed = call, pick, postponed

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """Send a request to the vendor whose API has this address."""
        system, api = next((name, api) for name, api in _APIS.items() if url.startswith(f"{api}/"))
        parts = urlsplit(url.removeprefix(api))
        names = {name.lower(): value for name, value in headers.items()}
        content = None if body is None else json.loads(body)
        request = Request(method, unquote(parts.path), dict(parse_qsl(parts.query)), names, content)
        try:
            answer: Answer = self._call(system, f"{method} {parts.path}", {"request": request})["answer"]
        except RejectedError as error:
            return self._failure(error)
        except BotoCoreError:
            failed = "ReadTimeout"
        else:
            sent = b"" if answer.content is None else json.dumps(answer.content).encode()
            return HttpResponse(answer.status, {}, sent)
        raise HttpError(failed)

    def _failure(self, error: RejectedError) -> HttpResponse:
        if error.status >= 500:
            return HttpResponse(error.status, {}, b"")
        seconds = self._pick(_RETRY_AFTER)
        if seconds == _LONG:
            self._postponed()
        return HttpResponse(429, {"retry-after": seconds}, b"")
