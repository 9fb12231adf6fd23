"""Once a day the ticket of each open and suppressed finding is requested to be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError
from permission_guard.maintenance.maintainer import Outcome
from permission_guard.maintenance.state import MaintenanceState
from permission_guard.maintenance.tickets import Requested, request_reviews
from permission_guard.model.findings import Status
from tests.fakes import OTHER, ROLE_ARN, a_finding
from tests.unit.maintenance.account import Account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.bus.ticket_reviews import TicketReview


@dataclass
class Queue:
    """The ticket queue. It fails once `fails_after` requests were sent."""

    requests: list[list[str]] = field(default_factory=list)
    fails_after: int = 1_000

    def send_reviews(self, reviews: Sequence[TicketReview]) -> None:
        if len(self.requests) >= self.fails_after:
            raise DeliveryError("SQS did not accept it")
        self.requests.append([f"{one.target.arn} {one.finding_id}" for one in reviews])

    def send_summary_review(self) -> None:
        self.send_reviews([])

    @property
    def sent(self) -> list[str]:
        return [key for request in self.requests for key in request]


def an_account(count: int) -> Account:
    """Return an account with a number of open findings."""
    account = Account(tickets=Queue())
    account.add(*(a_finding(id=f"{number:032x}") for number in range(count)))
    return account


def test_each_open_and_suppressed_finding_is_requested() -> None:
    """Of functions and roles; not one that is resolved."""
    account = Account(tickets=Queue())
    account.add(
        a_finding(),
        a_finding(id="role", function_arn="", role_arn=ROLE_ARN),
        a_finding(id="resolved", status=Status.RESOLVED),
    )
    account.findings["suppressed"] = a_finding(id="suppressed", function_arn=OTHER.arn, status=Status.SUPPRESSED)
    assert account.run().reviews == 3
    assert sorted(key.split(" ")[1] for key in account.tickets.sent) == sorted([a_finding().id, "role", "suppressed"])


def test_a_day_has_one_review() -> None:
    """Maintenance runs every ten minutes. Another day has another one."""
    account = an_account(3)
    assert [account.run(minutes=10).reviews for _ in range(5)] == [3, 0, 0, 0, 0]
    assert account.run(hours=15).reviews == 3
    assert account.run(minutes=10).reviews == 0


def test_a_run_without_time_is_continued_by_the_next_one() -> None:
    """No ticket is requested twice, none is left out, also if the next run is on another day."""
    account = an_account(35)
    calls = 0

    def remaining() -> int:
        nonlocal calls
        calls += len(account.tickets.requests) >= 2
        return 0 if calls else 900_000

    account.remaining = remaining
    assert account.run().outcome is Outcome.STOPPED
    assert len(account.tickets.sent) == 20
    assert account.held.reviewed_after == account.tickets.sent[-1]
    account.remaining = lambda: 900_000
    assert account.run(hours=16).reviews == 15
    assert account.tickets.sent == sorted({f"{a_finding().function_arn} {number:032x}" for number in range(35)})
    assert account.held.reviewed_after == ""
    assert account.run(minutes=10).reviews == 35


def test_a_queue_that_fails_keeps_nothing_else_back() -> None:
    """What was requested is not requested again; the failure is reported."""
    account = an_account(25)
    account.tickets.fails_after = 1
    run = account.run()
    assert (run.outcome, run.reviews) == (Outcome.COMPLETE, 10)
    assert run.failures == ("tickets: DeliveryError: SQS did not accept it",)
    account.tickets.fails_after = 1_000
    assert account.run(minutes=10).reviews == 15


@pytest.mark.parametrize("count", [0, 25])
def test_a_queue_that_fails_at_the_first_request_loses_no_day(count: int) -> None:
    """The next run requests all of them, without a finding the summary."""
    account = an_account(count)
    account.tickets.fails_after = 0
    assert account.run().failures == ("tickets: DeliveryError: SQS did not accept it",)
    account.tickets.fails_after = 1_000
    assert account.run(minutes=10).reviews == count
    assert account.tickets.requests[-1] == []
    assert account.run(minutes=10).reviews == 0


def test_a_run_that_stops_before_the_first_request_loses_no_day() -> None:
    """Something before the reviews took all of its time."""
    account = an_account(25)
    queue = Queue()
    state = MaintenanceState(reviewed_on="2026-11-19")
    requested = request_reviews(state, account.keys_of, queue, today="2026-11-20", is_stopped=lambda: True)
    assert (requested, queue.requests) == (Requested(state), [])
    requested = request_reviews(state, account.keys_of, queue, today="2026-11-20", is_stopped=lambda: False)
    assert (requested.reviews, requested.state.reviewed_on) == (25, "2026-11-20")


def test_a_summary_that_could_not_be_requested_is_requested_by_the_next_run() -> None:
    """Without the other requests."""
    account = an_account(5)
    account.tickets.fails_after = 1
    assert account.run().failures == ("tickets: DeliveryError: SQS did not accept it",)
    account.tickets.fails_after = 1_000
    assert account.run(minutes=10).reviews == 0
    assert list(map(len, account.tickets.requests)) == [5, 0]
    account.run(minutes=10)
    assert len(account.tickets.requests) == 2


def test_without_a_ticket_system_nothing_is_requested() -> None:
    """The queue would have no consumer that reads tickets."""
    account = Account()
    account.add(a_finding())
    assert account.run().reviews == 0
    assert account.held.reviewed_on == ""


def test_the_state_is_read_as_it_was_stored() -> None:
    """A state of an earlier version has no review."""
    state = MaintenanceState(reviewed_on="2026-11-20", reviewed_after="arn 1")
    document = state.to_document()
    assert MaintenanceState.from_document(document) == state
    del document["reviewed_on"], document["reviewed_after"]
    assert MaintenanceState.from_document(document) == replace(state, reviewed_on="", reviewed_after="")
