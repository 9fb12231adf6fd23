"""A test ticket is opened and closed at once, and the result says what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.tickets.base import Mark, Ticket
from permission_guard.delivery.tickets.routed import NamedSystem
from permission_guard.delivery.tickets.sample import TicketSample
from permission_guard.delivery.tickets.samples import open_samples
from permission_guard.delivery.tickets.summary import message_of
from permission_guard.delivery.tickets.titles import title, title_with_severity
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.destinations import Destination, DestinationKind
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import FINDING_ID
from tests.inline_pool import InlinePool
from tests.unit.delivery.memory_ledger import MemoryLedger
from tests.unit.delivery.tickets.test_base import Tickets

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.delivery.tickets.summary import Ticketed

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
TEST = AlertTest(id="0" * 32, by=JANE, at="2026-11-20T09:30:00+00:00", account="123456789012", region="us-east-1")


class Unreadable(Tickets):
    """A system whose search and reads do not show a new ticket yet."""

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        return None

    def find(self, about: Ticketed) -> Ticket | None:
        return None

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        super().resolve(replace(ticket, data=self.held[ticket.reference].data), about)


class NotClosing(Tickets):
    """A system whose workflow does not allow the bot to close a ticket, until it does."""

    closes = False

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        if not self.closes:
            raise DeliveryError("the workflow has no transition")
        super().resolve(ticket, about)


def tried(ledger: MemoryLedger, **systems: Callable[[], Tickets]) -> list[tuple[str, str, str, str]]:
    """Open test tickets; return each destination with its outcome, reference and reason."""
    named = [
        (Destination(name=name, type="jira", kind=DestinationKind.TICKETS), NamedSystem(name, make))
        for name, make in systems.items()
    ]
    results = open_samples(TEST, named, ledger, InlinePool)
    return [(one.destination.name, str(one.outcome), one.reference, one.reason) for one in results]


def test_a_test_ticket_is_opened_and_closed_once() -> None:
    """The same request again is answered without another ticket."""
    shop, ledger = Tickets(), MemoryLedger()
    assert tried(ledger, shop=lambda: shop) == [("shop", "opened and closed", "T-1", "")]
    assert shop.tickets == {"T-1": "resolved, revision 2"}
    assert tried(ledger, shop=lambda: shop) == [("shop", "already sent", "T-1", "")]
    assert shop.writes == ["open", "resolve"]


def test_a_ticket_that_is_not_readable_yet_is_closed() -> None:
    """Security Hub takes seconds to show what was written."""
    shop = Unreadable()
    assert tried(MemoryLedger(), shop=lambda: shop) == [("shop", "opened and closed", "T-1", "")]
    assert shop.tickets == {"T-1": "resolved, revision 2"}


def test_a_ticket_that_cannot_be_closed_is_named_with_the_reason() -> None:
    """The same request again finds it, and closes it: there is no second one."""
    shop, ledger = NotClosing(), MemoryLedger()
    result = ("shop", "opened, but not closed", "T-1", "the workflow has no transition")
    assert tried(ledger, shop=lambda: shop) == [result]
    shop.closes = True
    assert tried(ledger, shop=lambda: shop) == [("shop", "opened and closed", "T-1", "")]
    assert shop.writes == ["open", "resolve"]


def test_a_system_that_cannot_be_made_fails_alone() -> None:
    """Its secret has no valid address, for example."""

    def broken() -> Tickets:
        raise ConfigurationError("the secret has no valid address")

    shop, full = Tickets(), Tickets()
    full.limit = DeliveryError("HTTP 401")
    results = tried(MemoryLedger(), broken=broken, full=lambda: full, shop=lambda: shop)
    assert results == [
        ("broken", "failed", "", "the secret has no valid address"),
        ("full", "failed", "", "HTTP 401"),
        ("shop", "opened and closed", "T-1", ""),
    ]


def test_a_test_ticket_says_that_it_is_one() -> None:
    """It can be deleted, and no finding has its id."""
    sample = TicketSample(TEST)
    message = message_of(sample)
    assert title(sample, 200) == title_with_severity(sample, 200) == "[TEST] Permission Guard: test ticket"
    assert "This is a test ticket. There is no finding." in message.happened
    assert "It can be deleted." in message.happened
    assert "It can be deleted." in message_of(TicketSample(TEST, Status.RESOLVED)).happened
    assert FINDING_ID.fullmatch(sample.id)
    assert sample.id != TicketSample(replace(TEST, id="1" * 32)).id != TEST.id
    assert Mark.of(sample).revision < Mark.of(TicketSample(TEST, Status.RESOLVED)).revision
