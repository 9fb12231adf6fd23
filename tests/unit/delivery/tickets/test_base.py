"""A finding's ticket is opened once, follows the finding, and is not set back to an older revision."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from permission_guard.bootstrap.tickets import TICKET_SYSTEMS, ticket_system
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.base import update_ticket
from permission_guard.errors import ConfigurationError
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.verdicts import Severity
from tests.paths import FINDINGS
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
NEWEST = replace(OPENED, revision=4)
RESOLVED = replace(OPENED, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)


class Tickets:
    """A ticket system in a dictionary."""

    name = "memory"

    def __init__(self) -> None:
        self.tickets: dict[str, str] = {}

    def open(self, finding: Finding) -> str:
        reference = f"T-{len(self.tickets) + 1}"
        self.tickets[reference] = f"open, revision {finding.revision}"
        return reference

    def update(self, reference: str, finding: Finding) -> str:
        self.tickets[reference] = f"open, revision {finding.revision}"
        return reference

    def resolve(self, reference: str, finding: Finding) -> str:
        self.tickets[reference] = f"resolved, revision {finding.revision}"
        return reference

    def find(self, finding: Finding) -> str | None:
        return next((reference for reference, state in self.tickets.items() if state.startswith("open")), None)


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


def test_the_parameter_names_the_system() -> None:
    """`none` means no tickets, and makes no client."""
    clients: list[str] = []
    assert ticket_system("none", clients.append) is None
    assert clients == []
    system = ticket_system("opsitem", clients.append)
    assert system is not None
    assert system.name == "opsitem"
    assert clients == ["ssm"]


def test_an_unknown_system_is_a_configuration_error() -> None:
    """The message lists the valid names."""
    with pytest.raises(ConfigurationError, match="TicketSystem is 'jira'; it can be none, opsitem"):
        ticket_system("jira", lambda _service: None)
    assert list(TICKET_SYSTEMS) == ["none", "opsitem"]


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
