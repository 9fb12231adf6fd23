"""The pipeline: reading starts at once, evaluating waits for what all items need, and nothing runs far ahead."""

from __future__ import annotations

from threading import Event, Lock
from threading import enumerate as threads
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import ScanStoppedError
from permission_guard.sweep import pipeline
from permission_guard.sweep.pipeline import MOST_AHEAD, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONG = 20.0


def a_pipeline(
    items: Iterable[int], *, workers: int = 4, stop: Event | None = None, **parts: Any
) -> Pipeline[int, int]:
    """Return a pipeline that doubles numbers."""
    return Pipeline(
        items,
        parts.get("read", lambda _: None),
        parts.get("evaluate", lambda item: item * 2),
        preparations=parts.get("preparations", []),
        workers=workers,
        stop=stop or Event(),
    )


def results(made: Iterable[int | None]) -> list[int]:
    """Return the results in the order of their numbers."""
    return sorted(found for found in made if found is not None)


def test_each_item_is_read_and_evaluated_once() -> None:
    """In any order."""
    read: list[int] = []
    made = a_pipeline(range(500), read=read.append)
    assert results(made) == [2 * item for item in range(500)]
    assert sorted(read) == list(range(500))


def test_items_are_read_while_the_preparations_run_and_evaluated_after_them() -> None:
    """So the limit of GetPolicy is used from the start, however long the inventories take."""
    prepared, all_are_read, evaluated_early = Event(), Event(), []
    read: list[int] = []

    def read_one(item: int) -> None:
        read.append(item)
        if len(read) == 200:
            all_are_read.set()

    def prepare() -> None:
        assert all_are_read.wait(LONG)
        prepared.set()

    def evaluate(item: int) -> int:
        if not prepared.is_set():
            evaluated_early.append(item)
        return item

    made = a_pipeline(range(200), read=read_one, evaluate=evaluate, preparations=[prepare, lambda: None])
    assert results(made) == list(range(200))
    assert evaluated_early == []


def test_no_more_is_read_than_may_wait_for_the_preparations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the account."""
    monkeypatch.setattr(pipeline, "MOST_WAITING", 50)
    read: list[int] = []
    is_full, lock = Event(), Lock()

    def read_one(item: int) -> None:
        with lock:
            read.append(item)
            if len(read) >= 50:
                is_full.set()

    at_the_end: list[int] = []

    def prepare() -> None:
        assert is_full.wait(LONG)
        Event().wait(0.3)
        at_the_end.append(len(read))

    assert len(results(a_pipeline(range(400), read=read_one, preparations=[prepare]))) == 400
    assert at_the_end == [50]


def test_listing_and_reading_do_not_run_ahead_of_who_iterates() -> None:
    """Each function is evaluated as it arrives: a list of all of them is never kept."""
    listed: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10_000):
            listed.append(item)
            yield item

    workers = 4
    found = iter(a_pipeline(items(), workers=workers))
    taken = 0
    while taken < 20:
        taken += next(found) is not None
    Event().wait(0.3)
    assert len(listed) <= taken + MOST_AHEAD + 3 * workers + 2
    found.close()  # type: ignore[attr-defined] # it is a generator


def test_a_stopped_pipeline_ends_with_what_is_evaluated() -> None:
    """Ctrl-C gives what was found."""
    stop, found = Event(), []
    for one in a_pipeline(range(10_000), stop=stop):
        found += [] if one is None else [one]
        if len(found) == 10:
            stop.set()
    assert 10 <= len(found) < 200


def test_a_stopped_pipeline_does_not_wait_for_a_call_that_hangs() -> None:
    """Its thread ends with the call."""
    stop, hangs = Event(), Event()

    def read(_item: int) -> None:
        stop.set()
        hangs.wait(LONG)
        raise ScanStoppedError("stopped")

    assert results(a_pipeline(range(10), read=read, workers=1, stop=stop)) == []
    hangs.set()


@pytest.mark.parametrize("part", ["read", "evaluate", "preparations", "items"])
def test_an_error_of_a_thread_is_raised_where_the_results_are_taken(part: str) -> None:
    """A mistake of ours must not look like an account without findings."""

    def fail(*_: object) -> int:
        raise KeyError("a mistake")

    items = (fail() for _ in range(2)) if part == "items" else range(10)
    parts: dict[str, Any] = {} if part == "items" else {part: [fail] if part == "preparations" else fail}
    with pytest.raises(KeyError, match="a mistake"):
        results(a_pipeline(items, **parts))


def test_who_ends_the_iteration_early_leaves_no_thread_behind() -> None:
    """An error of the command line closes the generator."""
    before = set(threads())
    found = iter(a_pipeline(range(100_000)))
    while next(found) is None:
        pass
    found.close()  # type: ignore[attr-defined] # it is a generator
    for thread in set(threads()) - before:
        thread.join(LONG)
        assert not thread.is_alive()


def test_nothing_to_do_ends_at_once() -> None:
    """A region without functions."""
    assert results(a_pipeline([])) == []
