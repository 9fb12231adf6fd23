"""Refuse AWS calls when too little time is left, so that Lambda does not end the function while it handles a batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from permission_guard.errors import OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ALLOWED = ".SendMessageBatch"
"""The calls that are never refused: they request the checks for which no time was left."""


class TimeLimit:
    """A handler of botocore's event `before-send`, which each attempt of a call emits.

    Without a limit it does nothing.
    """

    def __init__(self) -> None:
        self._is_late: Callable[[], bool] | None = None

    @contextmanager
    def __call__(self, is_late: Callable[[], bool]) -> Iterator[None]:
        """Limit the calls of all threads until the end of the `with` block."""
        self._is_late = is_late
        try:
            yield
        finally:
            self._is_late = None

    def refuse(self, event_name: str, **_request: Any) -> None:
        """Raise OutOfTimeError once it is late. botocore passes it on to the caller, and does not retry."""
        if self._is_late is not None and self._is_late() and not event_name.endswith(_ALLOWED):
            raise OutOfTimeError(f"no time is left for {event_name.removeprefix('before-send.')}")
