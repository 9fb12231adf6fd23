"""A finding has a ticket in each ticket system that it is routed to, and keeps those that it had."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from permission_guard.config.destinations import Route
from permission_guard.config.document import TicketLimit
from permission_guard.delivery.announcements import no_baseline
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.delivery.tickets.routed import NamedSystem, RoutedTickets
from permission_guard.delivery.tickets.summary import WaitingEnd
from permission_guard.delivery.tickets.waiting_list import WaitingList
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.verdicts import Severity
from tests.paths import FINDINGS
from tests.unit.delivery.memory_ledger import MemoryLedger, unread
from tests.unit.delivery.tickets.test_base import Tickets
from tests.unit.delivery.tickets.test_summary import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.summary import WaitingForTicket

OPENED: Final = replace(
    Finding.from_document(json.loads((FINDINGS / "opened.json").read_text())), severity=Severity.HIGH
)
RESOLVED: Final = replace(OPENED, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)
SHOP: Final = Route(id="shop", severities=(Severity.HIGH,), tickets=("shop",))


class Stores:
    """What waits in each ticket system."""

    def __init__(self, *names: str) -> None:
        self.of = {f"ticket:{name}": Store(f"ticket:{name}") for name in names}

    def take(self, channel: str, finding_id: str, limit: TicketLimit, now: datetime) -> bool:
        return self.of[channel].take(channel, finding_id, limit, now)

    def begin(self, channel: str, waiting: WaitingForTicket) -> None:
        self.of[channel].begin(channel, waiting)

    def end(self, channel: str, finding_id: str, end: WaitingEnd, now: datetime) -> bool:
        return self.of[channel].end(channel, finding_id, end, now)

    def findings(self, channel: str, now: datetime) -> Sequence[WaitingForTicket]:
        return self.of[channel].findings(channel, now)


class Deployment:
    """A deployment with the ticket system `own`, and the named systems `all` and `shop`."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.systems = {name: Tickets(name) for name in ("own", "all", "shop")}
        self.broken: str | None = None
        self.store = Stores(*self.systems)
        self.requests: list[str] = []

    def tickets(self, *routes: Route, min_severity: Severity = Severity.LOW) -> RoutedTickets:
        """Return the tickets with these routes."""
        return RoutedTickets(
            systems=[NamedSystem(name, lambda name=name: self._made(name)) for name in self.systems],  # type: ignore[misc]
            default=("own",),
            routes=routes,
            ledger=self.ledger,
            min_severity=min_severity,
            baseline=no_baseline,
            store=self.store,
            waiting={name: self._waiting(name) for name in self.systems},
        )

    def update(self, finding: Finding, *routes: Route) -> dict[str, DeliveryOutcome]:
        """Write the tickets of a finding; return the outcome at each system that was tried."""
        results = self.tickets(*routes).update(finding, unread)
        return {result.channel: result.outcome for result in results}

    def open_tickets(self) -> dict[str, dict[str, str]]:
        """Return the tickets of each system that has some."""
        return {name: system.tickets for name, system in self.systems.items() if system.tickets}

    def _waiting(self, name: str) -> WaitingList:
        return WaitingList(self.store, f"ticket:{name}", TicketLimit(tickets=1), lambda: self.requests.append(name))

    def _made(self, name: str) -> TicketSystem:
        if name == self.broken:
            raise ConfigurationError(f"the secret of {name} cannot be read")
        return self.systems[name]


def test_a_finding_has_a_ticket_in_the_default_system_and_in_that_of_its_route() -> None:
    """Each with its own record in the ledger."""
    deployment = Deployment()
    outcomes = deployment.update(OPENED, SHOP)
    assert outcomes == dict.fromkeys(("ticket:own", "ticket:shop"), DeliveryOutcome.DELIVERED)
    assert deployment.open_tickets() == {name: {"T-1": "open, revision 1"} for name in ("own", "shop")}
    assert {channel for _, channel in deployment.ledger.held} == {"ticket:own", "ticket:shop"}


def test_a_ticket_is_closed_after_its_route_was_removed() -> None:
    """A system that never had one opens none."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    assert deployment.update(RESOLVED) == {
        "ticket:own": DeliveryOutcome.DELIVERED,
        "ticket:all": DeliveryOutcome.NOT_ANNOUNCED,
        "ticket:shop": DeliveryOutcome.DELIVERED,
    }
    assert deployment.open_tickets() == {name: {"T-1": "resolved, revision 2"} for name in ("own", "shop")}
    assert deployment.systems["all"].writes == []


def test_an_open_ticket_is_updated_after_its_route_was_removed() -> None:
    """At every revision, not only at the end: it would show an old state."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    proposed = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    deployment.update(proposed)
    assert deployment.open_tickets()["shop"] == {"T-1": "open, revision 2"}


def test_a_route_that_was_added_opens_a_ticket_of_an_open_finding() -> None:
    """At the next sweep, which hands over each open finding again."""
    deployment = Deployment()
    deployment.update(OPENED)
    proposed = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    deployment.update(proposed)
    assert deployment.update(proposed, SHOP) == {
        "ticket:own": DeliveryOutcome.ALREADY_DELIVERED,
        "ticket:all": DeliveryOutcome.NOT_ANNOUNCED,
        "ticket:shop": DeliveryOutcome.DELIVERED,
    }
    assert deployment.open_tickets()["shop"] == {"T-1": "open, revision 2"}


def test_only_the_named_system_has_a_ticket_if_the_route_says_so() -> None:
    """The default one has none."""
    deployment = Deployment()
    deployment.update(OPENED, replace(SHOP, only=True))
    assert list(deployment.open_tickets()) == ["shop"]


def test_a_system_that_fails_keeps_the_others_from_nothing() -> None:
    """The retry writes only the ticket that is missing."""
    deployment = Deployment()
    deployment.broken = "own"
    with pytest.raises(DeliveryError, match="not delivered: own: the secret of own cannot be read"):
        deployment.update(OPENED, SHOP)
    assert list(deployment.open_tickets()) == ["shop"]
    deployment.broken = None
    assert deployment.update(OPENED, SHOP) == {
        "ticket:own": DeliveryOutcome.DELIVERED,
        "ticket:shop": DeliveryOutcome.ALREADY_DELIVERED,
    }
    assert deployment.systems["shop"].writes == ["open"]


@pytest.mark.parametrize("is_review", [False, True])
def test_a_ticket_is_not_reopened_after_its_route_was_removed(*, is_review: bool) -> None:
    """It ended there. With the route again, the finding reopens it, and nobody gets a comment."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    deployment.update(RESOLVED)
    shop = deployment.systems["shop"]
    reopened = replace(OPENED, revision=3, transition=Transition.REOPENED)
    deployment.update(reopened)
    if is_review:
        shop.writes.clear()
        results = deployment.tickets().review(reopened, unread)
        assert {result.channel: result.outcome for result in results}["ticket:shop"] is DeliveryOutcome.UP_TO_DATE
        assert shop.writes == []
    assert deployment.open_tickets() == {"own": {"T-1": "open, revision 3"}, "shop": {"T-1": "resolved, revision 2"}}
    if is_review:
        deployment.tickets(SHOP).review(reopened, unread)
    else:
        deployment.update(replace(reopened, revision=4), SHOP)
    assert shop.tickets == {"T-1": f"open, revision {3 if is_review else 4}"}
    assert shop.comments == []


@pytest.mark.parametrize("is_below", [False, True])
def test_a_deleted_ticket_is_not_opened_again_after_its_route_was_removed(*, is_below: bool) -> None:
    """Neither by a transition nor by a review; nor below the severity threshold."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    shop = deployment.systems["shop"]
    shop.held.clear()
    tickets = deployment.tickets(SHOP, min_severity=Severity.CRITICAL) if is_below else deployment.tickets()
    proposed = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    for act in (tickets.update, tickets.review):
        act(proposed, lambda: proposed)
        assert shop.held == {}
    deployment.tickets(SHOP).review(proposed, unread)
    assert shop.tickets == {"T-1": "open, revision 2"}


def test_a_ticket_that_a_person_closed_gets_no_comment_after_its_route_was_removed() -> None:
    """The comment would say that the ticket reopens with its finding. With the route again, that is right."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    shop = deployment.systems["shop"]
    shop.close("T-1")
    proposed = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    deployment.update(proposed)
    deployment.tickets().review(proposed, unread)
    assert (shop.writes, shop.tickets) == (["open", "update"], {"T-1": "resolved, revision 2"})
    deployment.tickets(SHOP).review(proposed, unread)
    assert len(shop.comments) == 1


def test_a_system_that_fails_and_has_nothing_to_do_fails_nothing() -> None:
    """Its secret was deleted: only the findings that are routed to it, or have a ticket in it, need it."""
    deployment = Deployment()
    deployment.update(OPENED)
    deployment.broken = "shop"
    results = [deployment.update(RESOLVED), deployment.tickets().review(RESOLVED, unread)]
    assert [len(one) for one in results] == [3, 3]
    assert deployment.open_tickets() == {"own": {"T-1": "resolved, revision 2"}}
    reopened = replace(OPENED, revision=3, transition=Transition.REOPENED)
    for act in (deployment.update, lambda one, *routes: deployment.tickets(*routes).review(one, unread)):
        with pytest.raises(DeliveryError, match="not delivered: shop: the secret of shop cannot be read"):
            act(reopened, SHOP)
    deployment.broken = None
    assert deployment.update(reopened, SHOP)["ticket:shop"] is DeliveryOutcome.DELIVERED
    deployment.broken = "shop"
    assert deployment.update(reopened, SHOP)["ticket:shop"] is DeliveryOutcome.ALREADY_DELIVERED


def test_a_summary_that_was_written_needs_no_system() -> None:
    """A change in one system has the summaries of all of them written."""
    deployment = Deployment()
    for finding in (OPENED, SECOND):
        deployment.update(finding, SHOP)
    deployment.tickets(SHOP).summarize(is_review=False)
    deployment.broken = "shop"
    results = deployment.tickets(SHOP).summarize(is_review=False)
    assert {result.outcome for result in results} == {DeliveryOutcome.ALREADY_DELIVERED}


def test_a_review_reads_the_tickets_of_all_systems_and_opens_none_where_no_route_is() -> None:
    """Also the ticket whose route was removed."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    results = deployment.tickets().review(OPENED, unread)
    assert {result.channel: result.outcome for result in results} == {
        "ticket:own": DeliveryOutcome.UP_TO_DATE,
        "ticket:all": DeliveryOutcome.NOT_ANNOUNCED,
        "ticket:shop": DeliveryOutcome.UP_TO_DATE,
    }
    assert list(deployment.open_tickets()) == ["own", "shop"]


def test_the_severity_threshold_applies_to_every_system() -> None:
    """A route does not lower it."""
    deployment = Deployment()
    results = deployment.tickets(SHOP, min_severity=Severity.CRITICAL).update(OPENED, lambda: OPENED)
    assert [result.outcome for result in results] == [DeliveryOutcome.BELOW_THRESHOLD] * 2
    assert deployment.open_tickets() == {}


SECOND: Final = replace(OPENED, id="0123456789abcdef0123456789abcdef")


def test_each_system_has_its_own_limit_and_its_own_summary() -> None:
    """The named system is full, and the default one, which is full too, has another list. One that fails is alone."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    assert set(deployment.update(SECOND, SHOP).values()) == {DeliveryOutcome.LIMIT_REACHED}
    assert deployment.requests == ["own", "shop"]
    deployment.broken = "own"
    with pytest.raises(DeliveryError, match="the summary of the findings without a ticket was not delivered: own: "):
        deployment.tickets(SHOP).summarize(is_review=False)
    assert (len(deployment.systems["own"].held), len(deployment.systems["shop"].held)) == (1, 2)
    deployment.broken = None
    results = deployment.tickets(SHOP).summarize(is_review=False)
    assert {result.channel: result.outcome for result in results} == {
        "ticket:own": DeliveryOutcome.DELIVERED,
        "ticket:shop": DeliveryOutcome.ALREADY_DELIVERED,
    }


@pytest.mark.parametrize("revision", [1, 2])
def test_a_finding_does_not_wait_for_a_ticket_after_its_route_was_removed(revision: int) -> None:
    """The next transition or the daily review ends that, also if the limit was reached at a later revision."""
    deployment = Deployment()
    deployment.update(OPENED, SHOP)
    waiting = replace(SECOND, revision=revision)
    deployment.update(waiting, SHOP)
    deployment.tickets().review(waiting, unread)
    held = deployment.store.of["ticket:shop"].held[SECOND.id]
    assert held.end is WaitingEnd.WITHHELD
    assert deployment.store.of["ticket:own"].held[SECOND.id].end is None
