"""Above the limit the findings of a system wait, and have one ticket together: the summary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from permission_guard.config.document import TicketLimit
from permission_guard.delivery.formats.plain import text_within
from permission_guard.delivery.ledger import Claim, DeliveryOutcome, DeliveryResult
from permission_guard.delivery.tickets.base import CLOSED_SUMMARY_TOO_EARLY, channel_of, update_ticket
from permission_guard.delivery.tickets.review import review_ticket
from permission_guard.delivery.tickets.summaries import update_summary
from permission_guard.delivery.tickets.summary import MOST_SHOWN, Summary, WaitingEnd, WaitingForTicket, message_of
from permission_guard.delivery.tickets.titles import title, title_with_severity
from permission_guard.delivery.tickets.waiting_list import WaitingList
from permission_guard.errors import DeliveryBusyError, DeliveryError, DeliveryLimitError, DeliveryUnclearError
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.verdicts import Severity
from tests.unit.delivery.memory_ledger import MemoryLedger
from tests.unit.delivery.tickets.test_base import OPENED, Tickets

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
CHANNEL = "ticket:memory"


class Store:
    """A WaitingListStore of one channel in dictionaries."""

    def __init__(self, channel: str = CHANNEL) -> None:
        self.channel = channel
        self.opened: dict[object, set[str]] = {}
        self.held: dict[str, WaitingForTicket] = {}
        self.fails = False

    def take(self, channel: str, finding_id: str, limit: TicketLimit, now: datetime) -> bool:
        assert channel == self.channel
        taken = self.opened.setdefault(now.timestamp() // (limit.hours * 3_600), set())
        if finding_id not in taken and len(taken) >= limit.tickets:
            return False
        taken.add(finding_id)
        return True

    def begin(self, channel: str, waiting: WaitingForTicket) -> None:
        assert channel == self.channel
        held = self.held.get(waiting.finding_id)
        if held is None or held.end is not None:
            self.held[waiting.finding_id] = waiting

    def end(self, channel: str, finding_id: str, end: WaitingEnd, now: datetime) -> bool:
        assert channel == self.channel
        if self.fails:
            raise ConnectionError("no answer")
        held = self.held.get(finding_id)
        if held is None or held.end is not None:
            return False
        self.held[finding_id] = replace(held, end=end, changed_at=now.isoformat(timespec="milliseconds"))
        return True

    def findings(self, channel: str, now: datetime) -> Sequence[WaitingForTicket]:
        return list(self.held.values())


class World:
    """A ticket system with a limit of two tickets a day, its ledger and its waiting list."""

    def __init__(self) -> None:
        self.now = START
        self.tickets, self.ledger, self.store = Tickets(), MemoryLedger(), Store()
        self.requests = 0
        self.waiting = WaitingList(
            self.store, channel_of(self.tickets), TicketLimit(tickets=2), self._request, lambda: self.now
        )

    def _request(self) -> None:
        self.requests += 1

    def deliver(self, finding: Finding, **options: object) -> DeliveryResult:
        """Deliver a finding a minute later."""
        self.now += timedelta(minutes=1)
        return update_ticket(finding, lambda: finding, self.tickets, self.ledger, waiting=self.waiting, **options)[0]  # type: ignore[arg-type]

    def review(self, finding: Finding) -> DeliveryOutcome:
        """Review the ticket of a finding."""
        update = lambda: self.deliver(finding)  # noqa: E731 - a callback
        return review_ticket(finding, self.tickets, self.ledger, update, admit=self.waiting.admit).outcome

    def summarize(self, *, is_review: bool = False) -> list[DeliveryOutcome]:
        """Write the summary."""
        found = self.store.findings(CHANNEL, self.now)
        return [self.update(found, is_review=is_review).outcome] if found else []

    def update(self, found: Sequence[WaitingForTicket], *, is_review: bool = False) -> DeliveryResult:
        """Write the summary of what was read."""
        read = lambda: self.store.findings(CHANNEL, self.now)  # noqa: E731 - a callback
        clock = lambda: self.now  # noqa: E731 - as above
        return update_summary(found, self.tickets, self.ledger, current=read, is_review=is_review, clock=clock)

    @property
    def summary(self) -> Summary:
        return Summary.of(CHANNEL, self.store.findings(CHANNEL, self.now))

    def ticket_of_summary(self) -> str:
        """Return the state of the summary's ticket."""
        return next(
            "resolved" if one.is_closed else "open"
            for one in self.tickets.held.values()
            if one.data["id"] == self.summary.id
        )


def numbered(number: int, **changes: object) -> Finding:
    """Return one of many findings."""
    return replace(OPENED, id=f"{number:032x}", title=f"problem {number}", **changes)  # type: ignore[arg-type]


def resolved(number: int, revision: int = 2) -> Finding:
    """Return one of them at its end."""
    return numbered(number, revision=revision, status=Status.RESOLVED, transition=Transition.RESOLVED)


def a_flood(count: int) -> World:
    """Return the world after a number of findings, with their summary."""
    world = World()
    for number in range(count):
        world.deliver(numbered(number))
    world.summarize()
    return world


def test_above_the_limit_there_is_one_summary() -> None:
    """A hundred findings are two tickets and one summary, which was requested for each of the others."""
    world = a_flood(100)
    assert len(world.tickets.held) == 3
    assert world.requests == 98
    assert world.summary.title == "98 findings have no ticket of their own: a limit is reached"
    assert world.ticket_of_summary() == "open"


def test_nothing_is_written_twice() -> None:
    """The sweep hands over each finding again, and a request may arrive twice."""
    world = a_flood(5)
    world.tickets.writes.clear()
    outcomes = [world.deliver(numbered(number)).outcome for number in range(5)]
    assert outcomes == [DeliveryOutcome.ALREADY_DELIVERED] * 2 + [DeliveryOutcome.LIMIT_REACHED] * 3
    assert world.summarize() == [DeliveryOutcome.ALREADY_DELIVERED]
    assert world.summarize(is_review=True) == [DeliveryOutcome.UP_TO_DATE]
    assert world.tickets.writes == []


def test_later_findings_are_added_and_resolved_ones_are_shown() -> None:
    """Each change is one update of the same ticket."""
    world = a_flood(4)
    world.tickets.writes.clear()
    world.deliver(numbered(7))
    world.deliver(resolved(2))
    assert world.summarize() == [DeliveryOutcome.DELIVERED]
    assert world.tickets.writes == ["update"]
    text = text_within(message_of(world.summary), 10_000)
    assert "2 findings have no ticket" in text
    assert f"PG201 123456789012 {numbered(7).id} problem 7\n" in text
    assert "No longer waiting: 1" in text
    assert f"PG201 123456789012 {numbered(2).id} problem 2 is resolved" in text


def test_a_finding_that_is_resolved_as_soon_as_the_lock_is_released_does_not_wait() -> None:
    """It would wait for ever: nothing follows its end."""
    world = a_flood(2)
    complete = world.ledger.complete

    def complete_and_resolve(claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        complete(claim, reference, expires_at)
        if claim.revision == 0:
            world.deliver(resolved(5))

    world.ledger.complete = complete_and_resolve  # type: ignore[method-assign]
    assert world.deliver(numbered(5)).outcome is DeliveryOutcome.LIMIT_REACHED
    assert world.store.held[numbered(5).id].end is WaitingEnd.RESOLVED


def test_what_no_longer_waits_requests_the_summary_once() -> None:
    """Otherwise it would be shown as waiting until the next flood. A finding that never waited requests nothing."""
    world = a_flood(3)
    requests = world.requests
    world.deliver(resolved(2))
    world.deliver(resolved(2, revision=3))
    world.deliver(resolved(0))
    assert world.requests == requests + 1


def test_with_room_again_each_finding_gets_its_ticket_and_the_summary_is_resolved() -> None:
    """By the daily review, two a day."""
    world = a_flood(5)
    for _ in range(2):
        world.now += timedelta(days=1)
        for number in range(5):
            world.review(numbered(number))
        world.summarize()
    assert world.summary.waiting == ()
    assert world.ticket_of_summary() == "resolved"
    assert len(world.tickets.held) == 6
    assert world.store.held[numbered(4).id].end is WaitingEnd.TICKET
    assert text_within(message_of(world.summary), 10_000).startswith("No finding waits for a ticket of its own")


def test_the_next_flood_reopens_the_summary() -> None:
    """Reopening needs no room in a quota of new tickets."""
    world = a_flood(3)
    world.deliver(resolved(2))
    world.summarize()
    assert world.ticket_of_summary() == "resolved"
    world.deliver(numbered(2, revision=3, transition=Transition.REOPENED))
    world.summarize()
    assert world.ticket_of_summary() == "open"
    assert len(world.tickets.held) == 3


def test_a_flood_that_is_over_before_its_summary_was_written_has_none() -> None:
    """Nobody has to act."""
    world = World()
    for number in range(3):
        world.deliver(numbered(number))
    world.deliver(resolved(2))
    world.summarize()
    assert len(world.tickets.held) == 2


def test_without_findings_that_wait_nothing_is_called() -> None:
    """The daily review asks each time."""
    world = a_flood(2)
    world.tickets.limit = DeliveryError("HTTP 500")
    assert world.summarize(is_review=True) == []


def test_a_summary_that_a_person_closed_gets_one_comment() -> None:
    """As the ticket of a finding."""
    world = a_flood(3)
    (reference,) = [one.reference for one in world.tickets.held.values() if one.data["id"] == world.summary.id]
    world.tickets.close(reference)
    assert world.summarize() == [DeliveryOutcome.ALREADY_DELIVERED]
    assert [*world.summarize(is_review=True), *world.summarize(is_review=True)] == [
        DeliveryOutcome.CORRECTED,
        DeliveryOutcome.UP_TO_DATE,
    ]
    assert world.tickets.comments == [CLOSED_SUMMARY_TOO_EARLY]
    assert "suppress" not in CLOSED_SUMMARY_TOO_EARLY


def test_a_summary_that_a_limit_keeps_from_being_opened_is_tried_again() -> None:
    """The findings are postponed as before, and nothing fails."""
    world = World()
    world.tickets.limit = DeliveryLimitError("the monthly quota is reached")
    assert world.deliver(numbered(1)).outcome is DeliveryOutcome.LIMIT_REACHED
    assert world.summarize() == [DeliveryOutcome.LIMIT_REACHED]
    assert world.tickets.held == {}
    world.tickets.limit = None
    assert world.summarize() == [DeliveryOutcome.DELIVERED]
    assert world.ticket_of_summary() == "open"


def test_a_summary_that_fails_is_written_by_the_next_try() -> None:
    """SQS delivers the request again."""
    world = World()
    for number in range(3):
        world.deliver(numbered(number))
    world.tickets.limit = DeliveryError("HTTP 500")
    with pytest.raises(DeliveryError, match="HTTP 500"):
        world.summarize()
    world.tickets.limit = None
    assert world.summarize() == [DeliveryOutcome.DELIVERED]


def test_a_summary_that_may_have_been_opened_keeps_its_lock() -> None:
    """The next change would not find it yet, and open another one."""
    world = World()
    for number in range(3):
        world.deliver(numbered(number))
    world.tickets.limit = DeliveryUnclearError("no response")
    with pytest.raises(DeliveryUnclearError):
        world.summarize()
    world.tickets.limit = None
    with pytest.raises(DeliveryBusyError):
        world.summarize()


def test_two_invocations_do_not_open_two_summaries() -> None:
    """The ledger locks the summary's id."""
    world = World()
    for number in range(3):
        world.deliver(numbered(number))
    claim = world.ledger.claim(world.summary.id, CHANNEL, world.summary.revision, datetime.now(UTC))
    assert isinstance(claim, Claim)
    with pytest.raises(DeliveryBusyError):
        world.summarize()
    world.ledger.complete(claim, "T-3", None)
    assert world.summarize() == [DeliveryOutcome.ALREADY_DELIVERED]


def test_a_limit_of_the_other_side_counts_as_well() -> None:
    """OpsCenter's monthly quota, for example. The findings wait for room there."""
    world = World()
    world.tickets.limit = DeliveryLimitError("the monthly quota is reached")
    world.deliver(numbered(1))
    world.tickets.limit = None
    world.summarize()
    assert world.deliver(numbered(1)).outcome is DeliveryOutcome.DELIVERED
    world.summarize()
    assert world.ticket_of_summary() == "resolved"


def test_a_finding_with_a_ticket_does_not_wait_at_a_limit() -> None:
    """Only its text is late."""
    world = a_flood(1)
    world.tickets.limit = DeliveryLimitError("1,000 requests an hour")
    assert world.deliver(numbered(0, revision=2)).outcome is DeliveryOutcome.LIMIT_REACHED
    assert world.store.held == {}


def test_a_finding_below_the_threshold_no_longer_waits() -> None:
    """A person raised the threshold because of the flood."""
    world = a_flood(3)
    world.deliver(numbered(2), min_severity=Severity.CRITICAL)
    assert world.store.held[numbered(2).id].end is WaitingEnd.WITHHELD
    world.summarize()
    assert world.ticket_of_summary() == "resolved"


def test_a_finding_that_could_not_be_taken_off_the_list_is_delivered_again() -> None:
    """Otherwise it would wait for ever. The second try finds its ticket."""
    world = a_flood(3)
    world.now += timedelta(days=1)
    world.store.fails = True
    with pytest.raises(ConnectionError):
        world.deliver(numbered(2))
    world.store.fails = False
    assert world.deliver(numbered(2)).outcome is DeliveryOutcome.DELIVERED
    assert world.store.held[numbered(2).id].end is WaitingEnd.TICKET
    assert len(world.tickets.held) == 4


def test_a_deleted_ticket_is_not_opened_again_above_the_limit() -> None:
    """It counts as a new one; the next review tries again."""
    world = a_flood(3)
    del world.tickets.held["T-1"]
    world.store.opened = {key: {"x", "y"} for key in world.store.opened}
    assert world.review(numbered(0)) is DeliveryOutcome.LIMIT_REACHED
    world.now += timedelta(days=1)
    assert world.review(numbered(0)) is DeliveryOutcome.OPENED_AGAIN


def waiting(number: int, **changes: object) -> WaitingForTicket:
    """Return a finding that waits."""
    return replace(WaitingForTicket.of(numbered(number), START), **changes)  # type: ignore[arg-type]


def test_the_same_findings_have_the_same_revision() -> None:
    """In any order; each change has a higher one, and each system has its own summary."""
    first, second = waiting(1), waiting(2, changed_at="2026-11-20T09:00:00.250+00:00")
    both = Summary.of(CHANNEL, [first, second])
    assert Summary.of(CHANNEL, [second, first]).revision == both.revision
    assert Summary.of(CHANNEL, [first]).revision == both.revision - 250
    assert Summary.of(CHANNEL, [first]).id == both.id
    assert Summary.of("ticket:shop", [first]).id != both.id
    assert Summary.of(CHANNEL, [replace(first, region="eu-west-1")]).id != both.id


def test_findings_are_listed_by_severity_rule_and_account() -> None:
    """The worst first; the title has the worst severity of those that wait."""
    ended = waiting(1, severity=Severity.CRITICAL, end=WaitingEnd.SUPPRESSED)
    found = [waiting(2, severity=Severity.LOW), waiting(3, rule_id="PG202"), waiting(4, rule_id="PG103"), ended]
    summary = Summary.of(CHANNEL, found)
    assert [one.title for one in message_of(summary).sections[1:]] == ["High: 2", "Low: 1", "No longer waiting: 1"]
    assert [line[:5] for line in message_of(summary).sections[1].text.splitlines()] == ["PG103", "PG202"]
    expected = "[HIGH] 3 findings have no ticket of their own: a limit is reached"
    assert title_with_severity(summary, 100) == expected
    assert title(summary, 10) == "3 finding…"
    assert title(Summary.of(CHANNEL, [waiting(1)]), 100).startswith("1 finding has no ticket of its own:")
    assert title_with_severity(Summary.of(CHANNEL, [ended]), 100) == "No finding waits for a ticket of its own"


def test_names_of_others_do_not_act_in_a_summary() -> None:
    """Each finding is one line of what is visible."""
    hostile = waiting(1, title="x\r\nPG999 \u202eforged", account="1\n2", end=None)
    text = message_of(Summary.of(CHANNEL, [hostile])).sections[1].text
    assert "\u202e" not in text
    assert len(text.splitlines()) == 1


def test_a_summary_says_that_there_are_more() -> None:
    """It counts and shows a bounded number."""
    summary = Summary.of(CHANNEL, [waiting(number) for number in range(MOST_SHOWN + 1)])
    assert len(summary.findings) == MOST_SHOWN
    assert summary.title.startswith("More than 1,000 findings have no ticket")
    assert sum(len(one.text) for one in message_of(summary).sections) < 20_000
