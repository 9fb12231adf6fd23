"""Give each invocation the whole of its log.

MiniStack takes an invocation's log as complete once no line has come for five milliseconds. On a busy machine, later
lines went into the log of the worker's next invocation, or, where there was none, nowhere.
"""

from __future__ import annotations

import os
import select
import threading
from typing import IO, TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sandbox.server import inside

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable

_CHUNK = 65_536
_END_DEADLINE = 1.0
"""How long the last lines of a process that was ended may take, in seconds."""


class _Pipe:
    """What a worker writes to its standard error. Two threads may read it: no line is lost or overtakes another."""

    def __init__(self, stderr: IO[str], lines: queue.Queue[str]) -> None:
        # A descriptor of its own: MiniStack may drop the process while it is read.
        self._descriptor = os.dup(stderr.fileno())
        self._lines, self._rest, self._ended = lines, b"", False
        self._lock = threading.Lock()

    def read(self) -> None:
        """Move everything that was written until now into the queue of lines."""
        with self._lock:
            while not self._ended and self._is_readable(0):
                chunk = os.read(self._descriptor, _CHUNK)
                self._ended = not chunk
                *complete, self._rest = (self._rest + (chunk or b"\n")).split(b"\n")
                for line in complete if chunk else filter(None, complete):
                    self._lines.put(line.decode(errors="replace"))

    def read_to_end(self) -> None:
        """Read until the worker has ended, so that it never waits for a full pipe."""
        while not self._ended:
            self._is_readable(None)
            self.read()
        os.close(self._descriptor)

    def _is_readable(self, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(milliseconds))


_pipes: WeakKeyDictionary[Any, _Pipe] = WeakKeyDictionary()
_pipes_lock = threading.Lock()


def wrap_read_stderr(_: Callable[[Any], None]) -> Callable[[Any], None]:
    """Read the standard error of a worker, as long as it runs."""

    def read_stderr(self: Any) -> None:
        if pipe := _pipe_of(self):
            pipe.read_to_end()

    return read_stderr


def wrap_drain_stderr(inner: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return all lines until now, of a worker that was ended all of its lines."""

    def drain_stderr(self: Any) -> str:
        if not isinstance(self, inside.ProvidedWorker):  # it reads its output by itself
            if pipe := _pipe_of(self):
                pipe.read()
            else:
                self._stderr_thread.join(_END_DEADLINE)
        return inner(self)

    return drain_stderr


def wrap_drain_stderr_bounded(inner: Callable[..., str]) -> Callable[..., str]:
    """Wait for nothing: a handler writes its log before it answers."""

    def drain_stderr_bounded(
        self: Any, first_line_wait: float = 0.05, idle_confirm: float = 0.005, hard_cap: float = 0.25
    ) -> str:
        if isinstance(self, inside.ProvidedWorker):
            return inner(self, first_line_wait, idle_confirm, hard_cap)
        return str(self._drain_stderr())

    return drain_stderr_bounded


def _pipe_of(worker: Any) -> _Pipe | None:
    """Return what reads a worker's standard error, None after its process was ended."""
    process = worker._proc  # noqa: SLF001 - a hook
    if process is None:
        return None
    with _pipes_lock:
        if process not in _pipes:
            _pipes[process] = _Pipe(process.stderr, worker._stderr_queue)  # noqa: SLF001 - a hook
        return _pipes[process]
