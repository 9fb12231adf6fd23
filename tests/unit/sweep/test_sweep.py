"""The sweep: it requests checks of existing functions and of deleted ones with records, and publishes open findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError, EventRejectedError
from permission_guard.model.findings import Status
from permission_guard.sweep.sweep import Sweep, sweep
from tests.fakes import OTHER, TARGET, a_finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


@dataclass
class Account:
    """Existing functions, functions with open findings, and deleted functions of the role index."""

    existing: list[FunctionTarget]
    with_findings: list[FunctionTarget]
    findings: dict[FunctionTarget, list[Finding]] = field(default_factory=dict)
    published: list[Finding] = field(default_factory=list)
    deleted_in_index: list[FunctionTarget] = field(default_factory=list)
    unreadable: dict[FunctionTarget, list[str]] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        return iter(self.existing), iter(self.deleted_in_index)

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        return iter(self.with_findings)

    def findings_of(self, target: FunctionTarget) -> Iterable[Finding]:
        return self.findings.get(target, [])

    def unreadable_of(self, target: FunctionTarget) -> Iterable[str]:
        return self.unreadable.get(target, ())

    def publish(self, finding: Finding) -> None:
        if finding.id in self.rejected:
            raise EventRejectedError("too large")
        self.published.append(finding)


class Queue(list["FunctionTarget"]):
    """A checker's queue."""

    def request(self, targets: Iterable[FunctionTarget]) -> int:
        before = len(self)
        self.extend(targets)
        return len(self) - before


def test_every_function_is_requested_from_every_checker() -> None:
    """Both queues get the same functions."""
    first, second = Queue(), Queue()
    account = Account([TARGET, OTHER], [])
    assert sweep(account, account, [first.request, second.request], account) == Sweep(
        functions=2, deleted=0, open_findings=0
    )
    assert first == second == [TARGET, OTHER]


def test_a_deleted_function_with_an_open_finding_is_checked() -> None:
    """The event of its deletion was lost; the check resolves the finding."""
    queue = Queue()
    account = Account([TARGET], [OTHER])
    assert sweep(account, account, [queue.request], account) == Sweep(functions=1, deleted=1, open_findings=0)
    assert queue == [TARGET, OTHER]


def test_a_deleted_function_of_the_role_index_is_checked() -> None:
    """The check removes it from the index. If it also has an open finding, it is requested once."""
    queue, account = Queue(), Account([TARGET], [OTHER], deleted_in_index=[OTHER])
    assert sweep(account, account, [queue.request], account).deleted == 1
    assert queue == [TARGET, OTHER]


def test_each_function_is_requested_once() -> None:
    """Pages of a list can overlap, and an existing function can have findings."""
    queue = Queue()
    account = Account([TARGET, TARGET], [TARGET])
    assert sweep(account, account, [queue.request], account) == Sweep(functions=1, deleted=0, open_findings=0)
    assert queue == [TARGET]


def test_the_sweep_of_an_empty_account_succeeds() -> None:
    """No check is requested."""
    account, queue = Account([], []), Queue()
    assert sweep(account, account, [queue.request], account) == Sweep(functions=0, deleted=0, open_findings=0)


def test_a_queue_error_fails_the_sweep() -> None:
    """Lambda retries the whole sweep; repeated requests do no harm."""

    def fail(targets: Iterable[FunctionTarget]) -> int:
        raise DeliveryError("SQS denied the call")

    account = Account([TARGET], [])
    with pytest.raises(DeliveryError):
        sweep(account, account, [fail], account)


def test_open_findings_are_published_again() -> None:
    """A channel or fix mode that was enabled later handles them. Resolved findings are not published."""
    still_open, resolved = a_finding(), a_finding(id="resolved", status=Status.RESOLVED)
    account = Account([TARGET], [TARGET], {TARGET: [still_open, resolved]})
    assert sweep(account, account, [Queue().request], account).open_findings == 1
    assert account.published == [still_open]


def test_a_finding_that_cannot_be_published_does_not_keep_the_others_back() -> None:
    """Every other finding is published, and the result names the one that was not, and one that cannot be read."""
    bad, good, last = a_finding(id="bad"), a_finding(id="good"), a_finding(id="last")
    account = Account([TARGET, OTHER], [TARGET, OTHER], {TARGET: [bad, good], OTHER: [last]})
    account.rejected.append("bad")
    account.unreadable[OTHER] = ["future"]
    swept = sweep(account, account, [], account)
    assert account.published == [good, last]
    assert swept.open_findings == 3
    assert swept.failures == ("bad: EventRejectedError: too large", "future: cannot be read")


def test_a_function_whose_findings_cannot_be_listed_does_not_keep_the_others_back() -> None:
    """The result names it."""
    account = Account([TARGET, OTHER], [TARGET, OTHER], {OTHER: [a_finding()]})
    account.findings[TARGET] = Raising()
    swept = sweep(account, account, [], account)
    assert account.published == [a_finding()]
    assert swept.failures == (f"{TARGET.arn}: ConnectionError: no answer",)


class Raising(list["Finding"]):
    """A list that cannot be read."""

    def __iter__(self) -> Iterator[Finding]:
        raise ConnectionError("no answer")
