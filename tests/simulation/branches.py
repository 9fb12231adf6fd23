"""Branches of a run: from a point on, the rest of the run goes another way in a process of its own.

A branch is a copy of the process, with the state of the simulation as it is at that point. So what led there runs once,
however many branches begin there.
"""

from __future__ import annotations

import gc
import os
import pickle
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Result = TypeVar("Result")


class Branches(Generic[Result]):
    """The branches of a run. `path` says what is different in this process, nothing in the first one.

    `results` are those of the branches that have ended, each with its path. A branch that ends without a result has
    None.
    """

    def __init__(self) -> None:
        self.path: tuple[str, ...] = ()
        self.results: list[tuple[tuple[str, ...], Result | None]] = []
        self._to_parent = -1
        gc.freeze()  # so that a collection in a branch copies no memory of what it shares with this process

    def starts(self, words: str) -> bool:
        """Branch off; return True in the branch, and False after it has ended."""
        path = (*self.path, words)
        from_branch, to_parent = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(from_branch)
            self.path, self.results, self._to_parent = path, [], to_parent
            return True
        os.close(to_parent)
        with os.fdopen(from_branch, "rb") as pipe:
            sent = pipe.read()
        os.waitpid(process, 0)
        self.results += pickle.loads(sent) if sent else [(path, None)]  # noqa: S301 - this program wrote it
        return False

    def end(self, result: Result) -> Sequence[tuple[tuple[str, ...], Result | None]]:
        """End the run: return all results in the first process, and do not return in a branch."""
        every = [(self.path, result), *self.results]
        if self._to_parent >= 0:
            self._send(every)
        return every

    def _send(self, results: Sequence[tuple[tuple[str, ...], Result | None]]) -> NoReturn:
        with os.fdopen(self._to_parent, "wb") as pipe:
            pipe.write(pickle.dumps(results))
        os._exit(0)  # not the end of the program, which is another process
