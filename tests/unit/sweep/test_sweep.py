"""The sweep: a look at every function that exists or that only findings remember, and word of what is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Status
from permission_guard.sweep.sweep import Sweep, sweep
from tests.fakes import OTHER, TARGET, a_finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


@dataclass
class Account:
    """Functions that exist, and functions that have open findings."""

    existing: list[FunctionTarget]
    found: list[FunctionTarget]
    findings: dict[FunctionTarget, list[Finding]] = field(default_factory=dict)
    logged: list[Finding] = field(default_factory=list)
    gone: list[FunctionTarget] = field(default_factory=list)

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        return iter(self.existing), iter(self.gone)

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        return iter(self.found)

    def findings_of(self, target: FunctionTarget) -> Iterable[Finding]:
        return self.findings.get(target, [])

    def publish(self, finding: Finding) -> None:
        self.logged.append(finding)


class Queue(list["FunctionTarget"]):
    """A checker's queue."""

    def request(self, targets: Iterable[FunctionTarget]) -> int:
        before = len(self)
        self.extend(targets)
        return len(self) - before


def test_every_checker_is_asked_for_every_function() -> None:
    """Both queues get the same."""
    first, second = Queue(), Queue()
    account = Account([TARGET, OTHER], [])
    assert sweep(account, account, [first.request, second.request], account) == Sweep(
        functions=2, deleted=0, open_findings=0
    )
    assert first == second == [TARGET, OTHER]


def test_a_deleted_function_with_an_open_finding_is_looked_at_as_well() -> None:
    """The event of its deletion was lost; the look resolves the finding."""
    queue = Queue()
    account = Account([TARGET], [OTHER])
    assert sweep(account, account, [queue.request], account) == Sweep(functions=1, deleted=1, open_findings=0)
    assert queue == [TARGET, OTHER]


def test_a_deleted_function_that_the_index_of_roles_remembers_is_looked_at_as_well() -> None:
    """Its look takes it out; one that has an open finding besides is asked for once."""
    queue, account = Queue(), Account([TARGET], [OTHER], gone=[OTHER])
    assert sweep(account, account, [queue.request], account).deleted == 1
    assert queue == [TARGET, OTHER]


def test_a_function_is_asked_for_once() -> None:
    """A list in pages may repeat one, and an existing one may have findings."""
    queue = Queue()
    account = Account([TARGET, TARGET], [TARGET])
    assert sweep(account, account, [queue.request], account) == Sweep(functions=1, deleted=0, open_findings=0)
    assert queue == [TARGET]


def test_an_empty_account_is_swept_as_well() -> None:
    """There is nothing to ask for, and nothing fails."""
    account, queue = Account([], []), Queue()
    assert sweep(account, account, [queue.request], account) == Sweep(functions=0, deleted=0, open_findings=0)


def test_a_queue_that_refuses_makes_the_sweep_fail() -> None:
    """Lambda tries the whole sweep again; requests that come twice do no harm."""

    def refuse(targets: Iterable[FunctionTarget]) -> int:
        raise DeliveryError("SQS refused")

    account = Account([TARGET], [])
    with pytest.raises(DeliveryError):
        sweep(account, account, [refuse], account)


def test_what_is_open_is_told_again() -> None:
    """A channel or a mode that was switched on since takes it up; what is over is not dug out."""
    still_open, over = a_finding(), a_finding(id="over", status=Status.RESOLVED)
    account = Account([TARGET], [TARGET], {TARGET: [still_open, over]})
    assert sweep(account, account, [Queue().request], account).open_findings == 1
    assert account.logged == [still_open]
