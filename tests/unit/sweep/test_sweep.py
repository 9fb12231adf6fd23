"""The sweep: it requests checks of existing functions and of deleted ones with records, and publishes open findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError, EventRejectedError
from permission_guard.model.findings import Status
from permission_guard.sweep.sweep import Outcome, Sweep, Sweeper
from tests.fakes import OTHER, TARGET, a_finding
from tests.unit.sweep.account import Account, Cursors, Queue, plenty_of_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


def sweep(account: Account, *queues: Queue) -> Sweep:
    """Run a whole sweep."""
    sweeper = Sweeper(account, account, [queue.request for queue in queues], account, Cursors())
    swept = sweeper.run(plenty_of_time, start=True)
    assert swept.outcome is Outcome.COMPLETE
    return swept


def numbers(swept: Sweep) -> tuple[int, int, int]:
    """Return how many existing and deleted functions and open findings a run handled."""
    return swept.functions, swept.deleted, swept.open_findings


def test_every_function_is_requested_from_every_checker() -> None:
    """Both queues get the same functions."""
    first, second = Queue(), Queue()
    assert numbers(sweep(Account([TARGET, OTHER]), first, second)) == (2, 0, 0)
    assert first == second == [OTHER, TARGET]


def test_a_deleted_function_with_an_open_finding_is_checked() -> None:
    """The event of its deletion was lost; the check resolves the finding."""
    queue = Queue()
    assert numbers(sweep(Account([TARGET], [OTHER]), queue)) == (1, 1, 0)
    assert queue == [OTHER, TARGET]


def test_a_deleted_function_of_the_role_index_is_checked() -> None:
    """The check removes it from the index. If it also has an open finding, it is requested once."""
    queue = Queue()
    assert numbers(sweep(Account([TARGET], [OTHER], deleted_in_index=[OTHER]), queue)) == (1, 1, 0)
    assert queue == [OTHER, TARGET]


def test_each_function_is_requested_once() -> None:
    """Pages of a list can overlap, and an existing function can have findings."""
    queue = Queue()
    assert numbers(sweep(Account([TARGET, TARGET], [TARGET]), queue)) == (1, 0, 0)
    assert queue == [TARGET]


def test_the_sweep_of_an_empty_account_succeeds() -> None:
    """No check is requested."""
    queue = Queue()
    assert numbers(sweep(Account([]), queue)) == (0, 0, 0)
    assert queue == []


def test_a_queue_error_fails_the_sweep() -> None:
    """Lambda retries it; repeated requests do no harm."""

    def fail(targets: Iterable[FunctionTarget]) -> int:
        raise DeliveryError("SQS denied the call")

    account = Account([TARGET])
    with pytest.raises(DeliveryError):
        Sweeper(account, account, [fail], account, Cursors()).run(plenty_of_time, start=True)


def test_open_findings_are_published_again() -> None:
    """A channel or fix mode that was enabled later handles them. Resolved findings are not published."""
    still_open, resolved = a_finding(), a_finding(id="resolved", status=Status.RESOLVED)
    account = Account([TARGET], [TARGET], {TARGET: [still_open, resolved]})
    assert sweep(account, Queue()).open_findings == 1
    assert account.published == [still_open]


def test_the_findings_of_several_functions_are_published_together() -> None:
    """One request takes ten events."""
    account = Account([TARGET, OTHER], [TARGET, OTHER], {TARGET: [a_finding(id="a")], OTHER: [a_finding(id="b")]})
    sweep(account)
    assert account.batches == [["b", "a"]]


def test_a_finding_that_cannot_be_published_does_not_keep_the_others_back() -> None:
    """Every other finding is published, and the result names the one that was not, and one that cannot be read."""
    bad, good, last = a_finding(id="bad"), a_finding(id="good"), a_finding(id="last")
    account = Account([TARGET, OTHER], [TARGET, OTHER], {TARGET: [bad, good], OTHER: [last]})
    account.rejected["bad"] = EventRejectedError("too large")
    account.unreadable[OTHER] = ["future"]
    swept = sweep(account)
    assert account.published == [last, good]
    assert swept.open_findings == 3
    assert swept.failures == ("future: cannot be read", "bad: EventRejectedError: too large")


def test_a_function_whose_findings_cannot_be_listed_does_not_keep_the_others_back() -> None:
    """The result names it."""
    account = Account([TARGET, OTHER], [TARGET, OTHER], {OTHER: [a_finding()]})
    account.findings[TARGET] = Raising()
    swept = sweep(account)
    assert account.published == [a_finding()]
    assert swept.failures == (f"{TARGET.arn}: ConnectionError: no answer",)


class Raising(list["Finding"]):
    """A list that cannot be read."""

    def __iter__(self) -> Iterator[Finding]:
        raise ConnectionError("no answer")
