"""What several threads share: values that are made once, and values that are kept small."""

from __future__ import annotations

import pickle
import zlib
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Once:
    """Makes each value once, also if several threads need it at the same time: the others wait for the first.

    An error is kept like a value, and raised again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: dict[Hashable, Future[Any]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made by the first caller."""
        with self._lock:
            found = self._made.get(key)
            mine = found is None
            if found is None:
                found = self._made[key] = Future()
        if mine:
            try:
                found.set_result(make())
            except BaseException as error:
                found.set_exception(error)
                raise
        result: T = found.result()
        return result

    def made(self, key: Hashable) -> Any:
        """Return the value of a key, None if it is not made yet or its making failed."""
        with self._lock:
            found = self._made.get(key)
        return found.result() if found is not None and found.done() and found.exception() is None else None


class Packed(Generic[T]):
    """A value that is kept compressed, because there is one for each function and it is needed once."""

    __slots__ = ("_bytes",)

    def __init__(self, value: T) -> None:
        self._bytes = zlib.compress(pickle.dumps(value), level=1)

    def unpack(self) -> T:
        """Return the value."""
        value: T = pickle.loads(zlib.decompress(self._bytes))  # noqa: S301 - only this class has written the bytes
        return value
