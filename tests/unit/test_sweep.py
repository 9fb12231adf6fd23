"""The sweep: a look is requested at every function that exists, and at every one that only findings remember."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError
from permission_guard.sweep import Sweep, sweep
from tests.fakes import OTHER, TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model import FunctionTarget


@dataclass
class Account:
    """Functions that exist, and functions that have open findings."""

    existing: list[FunctionTarget]
    found: list[FunctionTarget]

    def all_functions(self) -> Iterable[FunctionTarget]:
        return iter(self.existing)

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        return iter(self.found)


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
    assert sweep(account, account, [first.request, second.request]) == Sweep(functions=2, deleted=0)
    assert first == second == [TARGET, OTHER]


def test_a_deleted_function_with_an_open_finding_is_looked_at_as_well() -> None:
    """The event of its deletion was lost; the look resolves the finding."""
    queue = Queue()
    account = Account([TARGET], [OTHER])
    assert sweep(account, account, [queue.request]) == Sweep(functions=1, deleted=1)
    assert queue == [TARGET, OTHER]


def test_a_function_is_asked_for_once() -> None:
    """A list in pages may repeat one, and an existing one may have findings."""
    queue = Queue()
    account = Account([TARGET, TARGET], [TARGET])
    assert sweep(account, account, [queue.request]) == Sweep(functions=1, deleted=0)
    assert queue == [TARGET]


def test_an_empty_account_is_swept_as_well() -> None:
    """There is nothing to ask for, and nothing fails."""
    assert sweep(Account([], []), Account([], []), [Queue().request]) == Sweep(functions=0, deleted=0)


def test_a_queue_that_refuses_makes_the_sweep_fail() -> None:
    """Lambda tries the whole sweep again; requests that come twice do no harm."""

    def refuse(targets: Iterable[FunctionTarget]) -> int:
        raise DeliveryError("SQS refused")

    account = Account([TARGET], [])
    with pytest.raises(DeliveryError):
        sweep(account, account, [refuse])
