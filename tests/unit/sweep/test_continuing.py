"""A sweep that is cut off anywhere is continued where it stopped, and skips nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count, permutations
from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError
from permission_guard.sweep import sweep as module
from permission_guard.sweep.sweep import MIN_MILLIS_FOR_A_PART, Cursor, Outcome, Step, Sweeper
from tests.fakes import TARGET, a_finding
from tests.unit.sweep.account import Account, Cursors, Queue, all_of, not_first, plenty_of_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget, FunctionTarget


class CutOffError(BaseException):
    """Lambda ends the run: no code of it is executed any more."""


class Watch:
    """Counts calls, and does something before one of them, counted from 1."""

    def __init__(self, at: int = 0, do: Callable[[], object] = lambda: None) -> None:
        self.calls = 0
        self.at = at
        self.do = do

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.do()


def cut_off() -> None:
    """End the run."""
    raise CutOffError


class ShortOfTime:
    """A remaining time that is low whenever so many parts were handled."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return MIN_MILLIS_FOR_A_PART - (self.asked % self.parts == 0)


def named(name: str) -> FunctionTarget:
    """Return a function."""
    return replace(TARGET, name=name)


class Sweeping:
    """An account with its queues and its cursor, swept in runs."""

    def __init__(self, watch: Watch, order: tuple[str, ...] = ("a", "b", "c", "d", "e")) -> None:
        names = [named(name) for name in order]
        findings: dict[FindingTarget, list[Finding]] = {
            target: [a_finding(id=f"{target.name}{number}", function_arn=target.arn) for number in range(2)]
            for target in [*names[1:], named("deleted")]
        }
        self.account = Account(names, list(findings), findings, deleted_in_index=[named("indexed")], watch=watch)
        self.invoke, self.role, self.cursors = Queue(watch), Queue(watch), Cursors(watch=watch)

    def run(self, remaining: Callable[[], int] = plenty_of_time, *, start: bool = False) -> Outcome:
        """Run a sweep in a new execution environment."""
        requests = [self.invoke.request, self.role.request]
        return (
            Sweeper(self.account, self.account, requests, [self.account.receiver], self.cursors, is_baseline=not_first)
            .run(remaining, start=start)
            .outcome
        )

    def until_complete(self, remaining: Callable[[], int] = plenty_of_time) -> int:
        """Continue until the sweep is complete; return the number of runs."""
        for run in count(1):
            if self.run(remaining) in (Outcome.COMPLETE, Outcome.IDLE):
                return run
            assert run < 50, "the sweep does not get to its end"
        raise AssertionError

    def assert_nothing_was_skipped(self) -> None:
        """Every function was requested from both checkers, and every open finding was handed over."""
        assert set(self.invoke) == set(self.role) >= all_of(self.account)
        assert {finding.id for finding in self.account.handed_over} == {
            finding.id for target in self.account.with_findings for finding in self.account.findings[target]
        }


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts of two functions."""
    monkeypatch.setattr(module, "FUNCTIONS_A_PART", 2)


def calls_of_a_sweep() -> int:
    """Return the number of calls of a whole sweep."""
    watch = Watch()
    assert Sweeping(watch).run(start=True) is Outcome.COMPLETE
    return watch.calls


def test_a_sweep_that_is_cut_off_at_any_call_is_continued() -> None:
    """Whatever the call: of a list, a queue, the bus or the cursor, before or after it was stored."""
    calls = calls_of_a_sweep()
    assert calls > 30
    for cut_off_at in range(1, calls + 1):
        swept = Sweeping(Watch(cut_off_at, cut_off))
        with pytest.raises(CutOffError):
            swept.run(start=True)
        swept.run(start=True)  # Lambda's retry of the event
        swept.until_complete()
        swept.assert_nothing_was_skipped()


def test_a_run_that_is_cut_off_repeats_one_part_at_most() -> None:
    """The cursor is stored after each part."""
    for cut_off_at in range(1, calls_of_a_sweep() + 1):
        swept = Sweeping(Watch(cut_off_at, cut_off))
        with pytest.raises(CutOffError):
            swept.run(start=True)
        swept.until_complete()
        repeated = len(swept.invoke) - len(set(swept.invoke))
        assert repeated <= 2, cut_off_at
        assert len(swept.account.handed_over) <= 10 + 4, cut_off_at


@pytest.mark.parametrize("parts", range(1, 8))
def test_a_run_stops_when_little_time_is_left_and_the_next_one_continues(parts: int) -> None:
    """Nothing is skipped, and nothing is done twice."""
    swept = Sweeping(Watch())
    remaining = ShortOfTime(parts)
    assert swept.run(remaining, start=True) is Outcome.STOPPED
    swept.until_complete(remaining)
    swept.assert_nothing_was_skipped()
    assert len(swept.invoke) == len(swept.role) == 7
    assert len(swept.account.handed_over) == 10


def test_every_run_handles_a_part_however_little_time_the_lists_have_left() -> None:
    """Otherwise a sweep of a very large account would never get to its end."""
    swept = Sweeping(Watch())
    assert swept.run(lambda: 0, start=True) is Outcome.STOPPED
    assert [target.name for target in swept.invoke] == ["a", "b"]
    assert swept.until_complete(lambda: 0) == 7
    swept.assert_nothing_was_skipped()


@pytest.mark.parametrize("order", [*permutations("abcde")][::17])
def test_the_order_of_the_list_does_not_matter(order: tuple[str, ...]) -> None:
    """AWS promises none, so it can change between two runs."""
    swept = Sweeping(Watch(), order)
    swept.run(lambda: 0, start=True)
    while swept.cursors.stored.step is not None:
        swept.account.existing.reverse()
        swept.account.with_findings.reverse()
        swept.run(lambda: 0)
    swept.assert_nothing_was_skipped()


@pytest.mark.parametrize("change_at", range(1, 8))
def test_functions_that_are_created_and_deleted_meanwhile_make_it_skip_no_other(change_at: int) -> None:
    """The functions that exist from the start to the end are all checked, and so is a deleted one with findings."""
    swept = Sweeping(Watch())
    before = all_of(swept.account)
    swept.run(lambda: 0, start=True)
    for run in count(1):
        if run == change_at:
            swept.account.existing = [named("0-new"), *swept.account.existing[1:3], named("e-new"), named("f-new")]
            swept.account.existing.remove(named("b"))
        if swept.run(lambda: 0) in (Outcome.COMPLETE, Outcome.IDLE):
            break
    kept = before - {named("a")}  # never had a finding, and no entry in the index
    assert set(swept.invoke) == set(swept.role) >= kept
    assert {finding.function_arn for finding in swept.account.handed_over} == {
        target.arn for target in swept.account.with_findings
    }


def test_a_resolved_finding_is_no_reason_to_skip_another() -> None:
    """Its function is no longer listed, so that the others move up."""
    swept = Sweeping(Watch())
    swept.run(lambda: 0, start=True)
    while swept.cursors.stored.step is Step.REQUEST_CHECKS:
        swept.run(lambda: 0)
    first = [finding.id for finding in swept.account.batches[0]]
    swept.account.with_findings.remove(named("b"))
    swept.until_complete(lambda: 0)
    assert first == ["b0", "b1", "c0", "c1"]
    assert {finding.id for finding in swept.account.handed_over} >= {f"{name}0" for name in ("c", "d", "e", "deleted")}


def test_a_queue_error_keeps_the_cursor() -> None:
    """The retry continues with the part that failed."""
    swept = Sweeping(Watch())
    request, times = swept.role.request, count(1)

    def fail_once(targets: tuple[FunctionTarget, ...], *, baseline: bool) -> int:
        if next(times) == 2:
            raise DeliveryError("SQS did not accept 2 of 2 requests")
        return request(targets, baseline=baseline)

    swept.role.request = fail_once  # type: ignore[method-assign,assignment]
    with pytest.raises(DeliveryError):
        swept.run(start=True)
    assert swept.cursors.stored == Cursor(2, Step.REQUEST_CHECKS, named("b").arn)
    assert swept.run(start=True) is Outcome.COMPLETE
    swept.assert_nothing_was_skipped()
    assert [target.name for target in swept.invoke][:6] == ["a", "b", "c", "d", "c", "d"]


def test_nothing_is_continued_when_no_sweep_is_in_progress() -> None:
    """The schedule that continues sweeps reads one item."""
    watch = Watch()
    swept = Sweeping(watch)
    assert swept.run() is Outcome.IDLE
    assert watch.calls == 1
    swept.run(start=True)
    assert swept.run() is Outcome.IDLE
    assert len(swept.invoke) == 7


def test_a_start_while_a_sweep_is_in_progress_continues_it() -> None:
    """Otherwise a sweep that takes longer than the schedule's rate would never get to its end."""
    swept = Sweeping(Watch())
    runs = 1
    while swept.run(lambda: 0, start=True) is not Outcome.COMPLETE:
        runs += 1
        assert runs < 50
    assert len(swept.invoke) == 7
    swept.assert_nothing_was_skipped()


def test_the_next_sweep_begins_with_the_first_function() -> None:
    """The cursor of the sweep before is no longer used."""
    swept = Sweeping(Watch())
    for _ in range(2):
        assert swept.run(start=True) is Outcome.COMPLETE
    assert len(swept.invoke) == 14
    assert swept.cursors.stored == Cursor(20, None, "")


def test_of_two_runs_at_the_same_time_one_goes_on_and_nothing_is_skipped() -> None:
    """At whatever call the other one comes in."""
    for other_at in range(2, calls_of_a_sweep() + 1):
        watch = Watch(other_at)
        swept = Sweeping(watch)
        outcomes: list[Outcome] = []
        watch.do = partial(_run_too, swept, outcomes)
        outcomes.append(swept.run(start=True))
        swept.until_complete()
        assert len(outcomes) == 2, other_at
        assert set(outcomes) & {Outcome.OVERTAKEN, Outcome.IDLE}, other_at
        swept.assert_nothing_was_skipped()


def _run_too(swept: Sweeping, outcomes: list[Outcome]) -> None:
    outcomes.append(swept.run(lambda: 0))
