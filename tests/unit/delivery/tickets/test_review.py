"""A review reads a ticket, and writes only what a person changed and the bot must correct."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from permission_guard.bus.ticket_reviews import TicketReview
from permission_guard.delivery.ledger import Claim, Delivery, DeliveryOutcome, DeliveryResult
from permission_guard.delivery.tickets.base import CLOSED_TOO_EARLY, Mark, Ticket, is_up_to_date, update_ticket
from permission_guard.delivery.tickets.review import review_finding, review_ticket
from permission_guard.errors import DeliveryBusyError, DeliveryError, DeliveryLimitError, DeliveryUnclearError
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.verdicts import Severity
from tests.unit.delivery.memory_ledger import MemoryLedger, unread
from tests.unit.delivery.test_announcements import CLOSED, after
from tests.unit.delivery.tickets.test_base import OPENED, RESOLVED, Tickets

CHANNEL = "ticket:memory"
SUPPRESSED = replace(OPENED, revision=2, status=Status.SUPPRESSED, transition=Transition.SUPPRESSED)


class Reviewed:
    """A ticket system with a ledger, and the reviews of a finding."""

    def __init__(self, *delivered: Finding) -> None:
        self.ledger, self.tickets = MemoryLedger(), Tickets()
        for finding in delivered:
            self.deliver(finding)
        self.tickets.writes.clear()

    def deliver(self, finding: Finding) -> None:
        update_ticket(finding, unread, self.tickets, self.ledger)

    def review(self, finding: Finding = OPENED, **options: object) -> DeliveryOutcome:
        def update() -> DeliveryResult:
            return update_ticket(finding, lambda: RESOLVED, self.tickets, self.ledger, **options)[0]  # type: ignore[arg-type]

        return review_ticket(finding, self.tickets, self.ledger, update).outcome


@pytest.mark.parametrize("delivered", [(OPENED,), (OPENED, RESOLVED), (OPENED, SUPPRESSED)])
def test_a_ticket_that_nobody_changed_is_not_written(delivered: tuple[Finding, ...]) -> None:
    """A daily review must not write each ticket each day."""
    world = Reviewed(*delivered)
    before = dict(world.ledger.held)
    assert [world.review(delivered[-1]) for _ in range(3)] == [DeliveryOutcome.UP_TO_DATE] * 3
    assert world.tickets.writes == []
    assert world.ledger.held == before


def test_a_ticket_that_a_person_closed_gets_its_one_comment() -> None:
    """The next reviews leave it alone."""
    world = Reviewed(OPENED)
    world.tickets.close("T-1")
    assert world.review() is DeliveryOutcome.CORRECTED
    assert [world.review() for _ in range(3)] == [DeliveryOutcome.UP_TO_DATE] * 3
    assert world.tickets.comments == [CLOSED_TOO_EARLY]
    assert world.tickets.writes == ["comment"]


def test_a_ticket_that_is_open_again_may_get_another_comment() -> None:
    """The mark forgets the comment, which costs one write."""
    world = Reviewed(OPENED)
    world.tickets.close("T-1")
    world.review()
    world.tickets.held["T-1"] = replace(world.tickets.held["T-1"], is_closed=False)
    assert [world.review() for _ in range(2)] == [DeliveryOutcome.CORRECTED, DeliveryOutcome.UP_TO_DATE]
    world.tickets.close("T-1")
    world.review()
    assert world.tickets.writes == ["comment", "update", "comment"]


@pytest.mark.parametrize("over", [RESOLVED, SUPPRESSED])
def test_a_ticket_that_a_person_reopened_stays_open(over: Finding) -> None:
    """The bot closed it once: no war about it."""
    world = Reviewed(OPENED, over)
    world.tickets.held["T-1"] = replace(world.tickets.held["T-1"], is_closed=False)
    assert world.review(over) is DeliveryOutcome.UP_TO_DATE
    assert world.tickets.writes == []


def test_a_deleted_ticket_is_opened_again_once() -> None:
    """A person who deletes it again is not overruled until the finding changes."""
    world = Reviewed(OPENED)
    del world.tickets.held["T-1"]
    assert world.review() is DeliveryOutcome.OPENED_AGAIN
    assert world.ledger.held[OPENED.id, CHANNEL] == Delivery(revision=1, reference="T-1")
    assert world.review() is DeliveryOutcome.UP_TO_DATE
    world.tickets.held.clear()
    assert [world.review() for _ in range(2)] == [DeliveryOutcome.LEFT_DELETED] * 2
    proposed = replace(OPENED, revision=2, transition=Transition.FIX_PROPOSED)
    world.deliver(proposed)
    assert world.tickets.tickets == {"T-1": "open, revision 2"}


def test_a_deleted_ticket_of_a_suppressed_finding_is_not_opened_again() -> None:
    """Nobody has to act."""
    world = Reviewed(OPENED, SUPPRESSED)
    world.tickets.held.clear()
    assert world.review(SUPPRESSED) is DeliveryOutcome.UP_TO_DATE
    assert world.tickets.writes == []


def test_a_ticket_that_replaced_the_recorded_one_is_recorded() -> None:
    """A person deleted one of two: the other one has the finding's id as well."""
    world = Reviewed(OPENED)
    world.tickets.held["T-7"] = replace(world.tickets.held.pop("T-1"), reference="T-7")
    assert world.review() is DeliveryOutcome.UP_TO_DATE
    assert world.ledger.held[OPENED.id, CHANNEL] == Delivery(revision=1, reference="T-7")


def test_a_ticket_that_a_limit_postponed_is_opened() -> None:
    """The review delivers what was not delivered."""
    world = Reviewed()
    world.tickets.limit = DeliveryLimitError("the monthly quota is reached")
    assert world.review() is DeliveryOutcome.LIMIT_REACHED
    world.tickets.limit = None
    assert world.review() is DeliveryOutcome.DELIVERED
    assert world.tickets.tickets == {"T-1": "open, revision 1"}


def test_a_finding_that_has_no_ticket_on_purpose_gets_none() -> None:
    """It is below the threshold, or the digest of the first sweep reports it."""
    world = Reviewed()
    assert world.review(min_severity=Severity.CRITICAL) is DeliveryOutcome.BELOW_THRESHOLD
    (of_baseline,) = after([Transition.OPENED], baseline=True)
    outcomes = [world.review(of_baseline, baseline=lambda: CLOSED) for _ in range(2)]
    assert outcomes == [DeliveryOutcome.IN_DIGEST, DeliveryOutcome.ALREADY_DELIVERED]
    assert world.tickets.writes == []


def test_a_limit_while_reading_leaves_the_ticket_to_the_next_review() -> None:
    """The message is not delivered again, and the lock is released."""
    world = Reviewed(OPENED)
    before = dict(world.ledger.held)
    world.tickets.limit = DeliveryLimitError("1,000 requests an hour")
    assert world.review() is DeliveryOutcome.LIMIT_REACHED
    assert world.ledger.held == before


def test_an_error_releases_the_lock() -> None:
    """SQS delivers the message again."""
    world = Reviewed(OPENED)
    before = dict(world.ledger.held)
    world.tickets.limit = DeliveryError("HTTP 500")
    with pytest.raises(DeliveryError, match="HTTP 500"):
        world.review()
    assert world.ledger.held == before


def test_an_unclear_creation_keeps_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery right after the review would not find the new ticket, and open another one."""

    def unclear(_about: object) -> str:
        raise DeliveryUnclearError("no response")

    world = Reviewed(OPENED)
    world.tickets.held.clear()
    monkeypatch.setattr(world.tickets, "open", unclear)
    with pytest.raises(DeliveryUnclearError):
        world.review()
    with pytest.raises(DeliveryBusyError):
        world.ledger.claim(OPENED.id, CHANNEL, 2, datetime.now(UTC))


def test_a_review_does_not_run_beside_a_delivery() -> None:
    """The delivery writes the ticket anyway."""
    world = Reviewed(OPENED)
    claim = world.ledger.claim(OPENED.id, CHANNEL, 2, datetime.now(UTC))
    assert isinstance(claim, Claim)
    world.tickets.close("T-1")
    assert world.review() is DeliveryOutcome.BEING_DELIVERED
    assert world.tickets.writes == []


def test_a_delivery_does_not_run_beside_a_review(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits until the review has released the lock."""
    world, seen = Reviewed(OPENED), []

    def while_reading(*_names: object) -> Ticket | None:
        held = world.ledger.held[OPENED.id, CHANNEL]
        seen.append(held.locked_until is not None and held.locked_until > datetime.now(UTC) + timedelta(seconds=30))
        return world.tickets.held["T-1"]

    monkeypatch.setattr(world.tickets, "read", while_reading)
    world.review()
    assert seen == [True]


def test_a_revision_that_was_delivered_meanwhile_is_not_set_back() -> None:
    """The review read the finding before."""
    world = Reviewed(OPENED)

    def overtaken() -> DeliveryResult:
        result = update_ticket(OPENED, unread, world.tickets, world.ledger)[0]
        world.deliver(RESOLVED)
        return result

    result = review_ticket(OPENED, world.tickets, world.ledger, overtaken)
    assert (result.outcome, result.reference) == (DeliveryOutcome.ALREADY_DELIVERED, "T-1")
    assert world.tickets.tickets == {"T-1": "resolved, revision 2"}


@pytest.mark.parametrize(
    ("mark", "is_closed", "expected"),
    [
        (Mark.of(OPENED), False, True),
        (Mark.of(OPENED), True, False),
        (Mark.of(OPENED, has_comment=True), True, True),
        (Mark.of(OPENED, has_comment=True), False, False),
        (Mark(), False, False),
        (replace(Mark.of(OPENED), revision=9), False, True),
        (replace(Mark.of(OPENED), status=Status.RESOLVED), True, False),
        (replace(Mark.of(OPENED), opened_at=""), False, False),
    ],
)
def test_the_mark_and_the_state_say_whether_a_ticket_needs_a_write(
    mark: Mark, *, is_closed: bool, expected: bool
) -> None:
    """A pure comparison."""
    assert is_up_to_date(Ticket(reference="T-1", is_closed=is_closed, mark=mark), OPENED) is expected


def test_a_review_of_a_finding_that_does_not_exist_does_nothing() -> None:
    """It was deleted meanwhile, or never recorded: the message has names only."""

    class Findings:
        def finding(self, *_names: object) -> None:
            return None

        transition = finding

    requested = TicketReview(OPENED.id, None)  # type: ignore[arg-type]
    (result,) = review_finding(requested, Findings(), unread)  # type: ignore[arg-type]
    assert result.outcome is DeliveryOutcome.NOT_RECORDED
