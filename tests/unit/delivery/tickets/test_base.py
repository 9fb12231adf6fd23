"""A finding's ticket is opened once, follows the finding, and is not set back to an older revision."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bootstrap.tickets import systems_for
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import TicketSettings
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.base import CLOSED_TOO_EARLY, Mark, Ticket, follow, mark_of, update_ticket
from permission_guard.errors import ConfigurationError, DeliveryError, DeliveryLimitError
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.verdicts import Severity
from tests.paths import FINDINGS
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.summary import Ticketed

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
NEWEST = replace(OPENED, revision=4)
OUTSIDE_AWS = {
    "github": "https://github.com/acme/platform",
    "jira": "https://acme.atlassian.net/projects/OPS",
    "servicenow": "https://acme.service-now.com/incident",
}
"""The systems outside AWS, with an address of each."""
RESOLVED = replace(OPENED, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)


LATER = "2026-12-01T00:00:00.000+00:00"
"""The time of a later opening."""


class Tickets:
    """A ticket system in a dictionary: whether each ticket is open, and its mark."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.held: dict[str, Ticket] = {}
        self.comments: list[str] = []
        self.writes: list[str] = []
        self.limit: DeliveryError | None = None

    @property
    def tickets(self) -> dict[str, str]:
        return {
            reference: f"{'resolved' if one.is_closed else 'open'}, revision {one.mark.revision}"
            for reference, one in self.held.items()
        }

    def begin(self) -> None:
        if self.limit is not None:
            raise self.limit

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        ticket = self.held.get(reference)
        return ticket if ticket and ticket.data["id"] == about.id else None

    def find(self, about: Ticketed) -> Ticket | None:
        return next((one for one in self.held.values() if one.data["id"] == about.id), None)

    def open(self, about: Ticketed) -> str:
        self.writes.append("open")
        reference = f"T-{len(self.held) + 1}"
        self.held[reference] = Ticket(reference=reference, is_closed=False, mark=Mark.of(about), data={"id": about.id})
        return reference

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        self.writes.append("update")
        self.held[ticket.reference] = replace(ticket, mark=mark_of(ticket, about))

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        self.writes.append("resolve")
        self.held[ticket.reference] = replace(ticket, is_closed=True, mark=Mark.of(about))

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        self.writes.append("reopen")
        self.held[ticket.reference] = replace(ticket, is_closed=False, mark=Mark.of(about))

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        self.writes.append("comment")
        self.comments.append(text)
        self.held[ticket.reference] = replace(ticket, mark=Mark.of(about, has_comment=True))

    def close(self, reference: str) -> None:
        """Close a ticket as a person does."""
        self.held[reference] = replace(self.held[reference], is_closed=True)


def states_after(*findings: Finding) -> dict[str, str]:
    """Return the tickets after some transitions, in the order in which their messages arrive."""
    ledger, tickets = MemoryLedger(), Tickets()
    for finding in findings:
        update_ticket(finding, lambda: NEWEST, tickets, ledger)
    return tickets.tickets


def test_a_finding_has_one_ticket_through_its_lifecycle() -> None:
    """The same ticket is opened, updated, resolved and reopened."""
    proposed = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    reopened = replace(OPENED, revision=4, transition=Transition.REOPENED)
    assert states_after(OPENED) == {"T-1": "open, revision 1"}
    assert states_after(OPENED, proposed) == {"T-1": "open, revision 2"}
    assert states_after(OPENED, proposed, replace(RESOLVED, revision=3)) == {"T-1": "resolved, revision 3"}
    assert states_after(OPENED, RESOLVED, reopened) == {"T-1": "open, revision 4"}


def test_a_message_that_arrives_twice_opens_one_ticket() -> None:
    """SQS delivers at least once."""
    assert states_after(OPENED, OPENED) == {"T-1": "open, revision 1"}


def test_a_stale_message_does_not_reopen_a_resolved_ticket() -> None:
    """Nor does it open a ticket for a resolved finding."""
    late = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    assert states_after(OPENED, replace(RESOLVED, revision=3), late) == {"T-1": "resolved, revision 3"}
    assert states_after(RESOLVED, OPENED) == {}


def test_the_next_event_makes_up_for_a_skipped_one() -> None:
    """The status decides: the ticket reopens although the event `Finding Reopened` was skipped."""
    proposed = replace(OPENED, revision=4, transition=Transition.FIX_PROPOSED)
    assert states_after(OPENED, RESOLVED, proposed) == {"T-1": "open, revision 4"}


def test_a_finding_that_is_not_open_gets_no_ticket() -> None:
    """A resolved or suppressed finding needs no work."""
    suppressed = replace(OPENED, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED)
    assert states_after(RESOLVED) == {}
    assert states_after(suppressed) == {}


def test_a_suppressed_finding_closes_its_ticket() -> None:
    """Someone decided that no work is needed."""
    suppressed = replace(OPENED, revision=2, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED)
    assert states_after(OPENED, suppressed) == {"T-1": "resolved, revision 2"}


def test_a_ticket_that_is_not_in_the_ledger_is_found_and_closed() -> None:
    """The function crashed after it opened the ticket and before it recorded it."""
    ledger, tickets = MemoryLedger(), Tickets()
    tickets.open(OPENED)
    (result,) = update_ticket(RESOLVED, unread, tickets, ledger)
    assert tickets.tickets == {"T-1": "resolved, revision 2"}
    assert (result.outcome, result.reference) == (DeliveryOutcome.DELIVERED, "T-1")
    assert list(ledger.held) == [(OPENED.id, "ticket:memory")]


def settings(system: str, **more: Any) -> TicketSettings:
    """Return the settings of a deployment with a ticket system."""
    return TicketSettings("findings", "deliveries", system, **more)


def own_system(settings: TicketSettings, client: Callable[[str], Any]) -> TicketSystem | None:
    """Make the stack's own ticket system, None without one."""
    return next((one.make() for one in systems_for(settings, GuardConfig(), client)), None)


def test_the_parameter_names_the_system() -> None:
    """`none` means no tickets, and makes no client. A system outside AWS reads its credentials when it needs them."""
    clients: list[str] = []
    assert own_system(settings("none"), clients.append) is None
    assert clients == []
    system = own_system(settings("opsitem"), clients.append)
    assert system is not None
    assert system.name == "opsitem"
    assert clients == ["ssm"]


@pytest.mark.parametrize(("name", "url"), OUTSIDE_AWS.items())
def test_a_system_outside_aws_has_an_address_and_a_secret(name: str, url: str) -> None:
    """Without the one or the other there is no ticket, and the log says which parameter is missing."""
    clients: list[str] = []
    system = own_system(settings(name, ticket_url=url, ticket_secret_arn="arn"), clients.append)
    assert system is not None
    assert system.name == name
    assert clients == ["secretsmanager"]
    with pytest.raises(ConfigurationError, match="TicketUrl must be https"):
        own_system(settings(name, ticket_secret_arn="arn"), clients.append)
    with pytest.raises(ConfigurationError, match=f"TicketSystem={name} needs TicketSecretArn"):
        own_system(settings(name, ticket_url=url), clients.append)


def test_an_unknown_system_is_a_configuration_error() -> None:
    """The message lists the valid names."""
    with pytest.raises(ConfigurationError, match="TicketSystem is 'jurassic'; it can be none, opsitem, github"):
        own_system(settings("jurassic"), lambda _service: None)


def test_below_the_severity_threshold_no_ticket_is_opened() -> None:
    """Nor is one closed that does not exist."""
    ledger, tickets = MemoryLedger(), Tickets()
    low = replace(OPENED, severity=Severity.LOW)
    (result,) = update_ticket(low, lambda: low, tickets, ledger, min_severity=Severity.HIGH)
    assert result.outcome is DeliveryOutcome.BELOW_THRESHOLD
    update_ticket(replace(RESOLVED, severity=Severity.LOW), unread, tickets, ledger, min_severity=Severity.HIGH)
    assert tickets.tickets == {}


def test_a_ticket_that_exists_is_updated_and_closed_below_the_threshold() -> None:
    """The threshold came later."""
    ledger, tickets = MemoryLedger(), Tickets()
    update_ticket(OPENED, unread, tickets, ledger, min_severity=Severity.LOW)
    reopened = replace(OPENED, revision=2, severity=Severity.LOW)
    update_ticket(reopened, unread, tickets, ledger, min_severity=Severity.HIGH)
    assert tickets.tickets == {"T-1": "open, revision 2"}
    update_ticket(
        replace(RESOLVED, revision=3, severity=Severity.LOW), unread, tickets, ledger, min_severity=Severity.HIGH
    )
    assert tickets.tickets == {"T-1": "resolved, revision 3"}


def test_a_ticket_is_opened_when_the_severity_rises() -> None:
    """The same transition is published again."""
    ledger, tickets = MemoryLedger(), Tickets()
    low = replace(OPENED, severity=Severity.LOW)
    update_ticket(low, lambda: low, tickets, ledger, min_severity=Severity.HIGH)
    update_ticket(low, lambda: OPENED, tickets, ledger, min_severity=Severity.HIGH)
    assert tickets.tickets == {"T-1": "open, revision 1"}


def test_a_ticket_that_a_person_closed_gets_one_comment_and_stays_closed() -> None:
    """No reopening war, and no comment for each revision."""
    tickets = Tickets()
    reference = follow(tickets, OPENED, None)
    tickets.close("T-1")
    for revision in (2, 3, 4):
        follow(tickets, replace(OPENED, revision=revision, transition=Transition.FIX_PROPOSED), reference)
    assert tickets.tickets == {"T-1": "resolved, revision 4"}
    assert tickets.comments == [CLOSED_TOO_EARLY]


def test_a_reopened_finding_reopens_a_ticket_that_a_person_closed_once() -> None:
    """A person who closes it again is not overruled until the finding reopens again."""
    tickets = Tickets()
    follow(tickets, OPENED, None)
    tickets.close("T-1")
    follow(tickets, RESOLVED, "T-1")
    reopened = replace(OPENED, revision=3, transition=Transition.REOPENED)
    follow(tickets, reopened, "T-1")
    assert tickets.tickets == {"T-1": "open, revision 3"}
    tickets.close("T-1")
    follow(tickets, replace(reopened, revision=4), "T-1")
    follow(tickets, replace(reopened, revision=5), "T-1")
    assert tickets.tickets == {"T-1": "resolved, revision 5"}
    assert len(tickets.comments) == 1


@pytest.mark.parametrize("has_comment", [False, True])
def test_a_ticket_that_a_person_closed_reopens_if_the_end_of_its_finding_arrives_late(*, has_comment: bool) -> None:
    """A comment would say that the problem still exists since then. The late end changes nothing."""
    ledger, tickets = MemoryLedger(), Tickets()
    update_ticket(OPENED, unread, tickets, ledger)
    tickets.close("T-1")
    revision = 2
    if has_comment:
        update_ticket(replace(OPENED, revision=2), unread, tickets, ledger)
        revision = 3
    reopened = replace(OPENED, revision=revision + 1, transition=Transition.REOPENED, opened_at=LATER)
    update_ticket(reopened, unread, tickets, ledger)
    (late,) = update_ticket(replace(RESOLVED, revision=revision), lambda: reopened, tickets, ledger)
    assert late.outcome is DeliveryOutcome.SUPERSEDED
    assert tickets.tickets == {"T-1": f"open, revision {revision + 1}"}
    assert len(tickets.comments) == has_comment
    tickets.close("T-1")
    follow(tickets, replace(reopened, revision=revision + 2), "T-1")
    assert tickets.tickets == {"T-1": f"resolved, revision {revision + 2}"}


def test_a_closed_ticket_without_a_mark_stays_closed() -> None:
    """A person removed it. Nothing shows that the finding has ended since."""
    tickets = Tickets()
    follow(tickets, OPENED, None)
    tickets.close("T-1")
    tickets.held["T-1"] = replace(tickets.held["T-1"], mark=Mark())
    follow(tickets, replace(OPENED, revision=2), "T-1")
    assert tickets.writes == ["open", "comment"]


def test_a_lost_table_makes_no_second_ticket() -> None:
    """The ticket has the finding's id. In the new table revisions start at one again."""
    tickets = Tickets()
    follow(tickets, replace(OPENED, revision=7), None)
    follow(tickets, replace(OPENED, opened_at=LATER), None)
    assert tickets.tickets == {"T-1": "open, revision 1"}


@pytest.mark.parametrize(
    ("revision", "is_newer"), [("2", True), ("1", False), ("", False), ("x", False), ("\N{SUPERSCRIPT TWO}", False)]
)
def test_a_mark_with_a_newer_revision_is_not_overwritten(revision: str, *, is_newer: bool) -> None:
    """Even if the ledger's record has expired. A person can write anything into a ticket."""
    assert Mark.read({"revision": revision, "opened_at": OPENED.opened_at}).is_newer_than(OPENED) is is_newer
    assert not Mark.read({"revision": revision, "opened_at": "2025-01-01T00:00:00.000+00:00"}).is_newer_than(OPENED)
    assert not Mark.read({"revision": "9" * 5_000, "opened_at": OPENED.opened_at}).is_newer_than(OPENED)


def test_a_mark_is_read_as_it_was_written() -> None:
    """A status that a person invented counts as open."""
    mark = Mark.of(RESOLVED, has_comment=True)
    assert Mark.read(mark.values()) == mark
    assert Mark.read({"status": "done"}) == Mark()


def test_a_limit_postpones_the_ticket_of_an_open_finding_to_the_next_sweep() -> None:
    """The sweep hands over every open finding. The message does not go to the dead-letter queue."""
    ledger, tickets = MemoryLedger(), Tickets()
    tickets.limit = DeliveryLimitError("the monthly quota is reached")
    (result,) = update_ticket(OPENED, unread, tickets, ledger)
    assert result.outcome is DeliveryOutcome.LIMIT_REACHED
    assert tickets.tickets == {}
    tickets.limit = None
    (result,) = update_ticket(OPENED, unread, tickets, ledger)
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert tickets.tickets == {"T-1": "open, revision 1"}


def test_a_limit_does_not_drop_the_end_of_a_finding() -> None:
    """The sweep does not hand over what is not open: the message stays in its queue."""
    ledger, tickets = MemoryLedger(), Tickets()
    update_ticket(OPENED, unread, tickets, ledger)
    tickets.limit = DeliveryLimitError("the monthly quota is reached")
    with pytest.raises(DeliveryLimitError):
        update_ticket(RESOLVED, unread, tickets, ledger)
    tickets.limit = None
    update_ticket(RESOLVED, unread, tickets, ledger)
    assert tickets.tickets == {"T-1": "resolved, revision 2"}
