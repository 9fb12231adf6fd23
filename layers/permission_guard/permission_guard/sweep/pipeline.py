"""Read many things with several threads, and evaluate each as soon as what all of them need is there. Pure.

An item is read first, and evaluated when the preparations are done. So the limits of AWS that reading depends on are
used from the start, whatever the preparations wait for. No more is held than some items that were listed, some that
wait for the preparations, and one result a thread.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from queue import Empty, Full, Queue
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from permission_guard.errors import ScanStoppedError
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")

MOST_AHEAD: Final = 100
"""How many listed items may wait to be read: two pages of ListFunctions, so that no thread waits for a page."""

MOST_WAITING: Final = 1000
"""How many items may be read and wait for the preparations: what a minute at AWS's limits reads."""

TICK_SECONDS: Final = 0.2
_SECONDS_TO_STOP: Final = 1.0


@record
class _Failed:
    error: BaseException


class _End:
    """No result follows."""


class Pipeline(Generic[T, R]):
    """Lists, reads and evaluates items once.

    `items` are listed in a thread of their own. `preparations` run in threads of their own too, from the start.
    `read` and `evaluate` are called once for each item, in one of `workers` threads. After `stop` is set nothing is
    started. Each of them may raise ScanStoppedError then. Any other error ends the iteration, and is raised there.
    """

    def __init__(
        self,
        items: Iterable[T],
        read: Callable[[T], None],
        evaluate: Callable[[T], R],
        *,
        preparations: Sequence[Callable[[], None]],
        workers: int,
        stop: Event,
    ) -> None:
        self._items = items
        self._read = read
        self._evaluate = evaluate
        self._preparations = preparations
        self._workers = workers
        self._stop = stop
        self._closed = Event()
        self._changed = Condition()
        self._results: Queue[R | _Failed | _End] = Queue(maxsize=workers)
        self._listed: deque[T] = deque()
        self._waiting: deque[T] = deque()
        self._is_listed = False
        self._unprepared = len(preparations)
        self._reading = 0
        self._working = workers

    def __iter__(self) -> Iterator[R | None]:
        """Yield each result as it is ready, and None several times a second while there is none."""
        preparing = [partial(self._prepare, part) for part in self._preparations]
        tasks: list[Callable[[], None]] = [self._list, *preparing, *[self._work] * self._workers]
        for task in tasks:
            Thread(target=task, daemon=True).start()
        ends_at: float | None = None
        try:
            while True:
                if self._stop.is_set():
                    ends_at = ends_at or time.monotonic() + _SECONDS_TO_STOP
                try:
                    found = self._results.get(timeout=TICK_SECONDS)
                except Empty:
                    if ends_at is not None and time.monotonic() >= ends_at:
                        return  # a call is still waiting for AWS: its thread ends with it
                    yield None
                    continue
                if isinstance(found, _Failed):
                    raise found.error
                if isinstance(found, _End):
                    return
                yield found
        finally:
            self._closed.set()
            self._notify()

    @property
    def is_prepared(self) -> bool:
        """Whether all preparations are done."""
        return self._unprepared == 0

    def _list(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._listed) < MOST_AHEAD or self._is_over)
                    if self._is_over:
                        return
                    self._listed.append(item)
                    self._changed.notify()
        except ScanStoppedError:
            return
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that iterates
            self._put(_Failed(error))
        finally:
            with self._changed:
                self._is_listed = True
                self._changed.notify_all()

    def _prepare(self, preparation: Callable[[], None]) -> None:
        try:
            preparation()
        except ScanStoppedError:
            return
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that iterates
            self._put(_Failed(error))
        finally:
            with self._changed:
                self._unprepared -= 1
                self._changed.notify_all()

    def _work(self) -> None:
        try:
            while (task := self._next()) is not None:
                item, is_read = task
                if not is_read and not self._is_evaluated_next(item):
                    continue
                self._put(self._evaluate(item))
        except ScanStoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that iterates
            self._put(_Failed(error))
        finally:
            with self._changed:
                self._working -= 1
                is_last = self._working == 0
                self._changed.notify_all()
            if is_last:
                self._put(_End())

    def _is_evaluated_next(self, item: T) -> bool:
        """Read an item. Return false if it waits for the preparations."""
        try:
            self._read(item)
        finally:
            with self._changed:
                self._reading -= 1
                is_prepared = self.is_prepared
                if not is_prepared:
                    self._waiting.append(item)
                self._changed.notify_all()
        return is_prepared

    def _next(self) -> tuple[T, bool] | None:
        """Return the next item and whether it is read, None if none is left."""
        with self._changed:
            while not self._is_over:
                if self._waiting and self.is_prepared:
                    return self._waiting.popleft(), True
                if self._listed and len(self._waiting) + self._reading < MOST_WAITING:
                    self._reading += 1
                    item = self._listed.popleft()
                    self._changed.notify_all()
                    return item, False
                if self._is_listed and not self._listed and not self._waiting and not self._reading:
                    return None
                self._changed.wait(timeout=TICK_SECONDS)
            return None

    def _put(self, result: R | _Failed | _End) -> None:
        """Hand over a result: the caller may take its time, or have ended the iteration."""
        while not self._closed.is_set():
            try:
                self._results.put(result, timeout=TICK_SECONDS)
            except Full:
                continue
            return

    @property
    def _is_over(self) -> bool:
        return self._stop.is_set() or self._closed.is_set()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
