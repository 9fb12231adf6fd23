"""A channel that is made when the first message is sent: one that cannot be made fails alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.delivery.alerts.channel import shows_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.message import Message


class LazyChannel:
    """A named channel. `make` makes it; what it raises is a failure of this channel only.

    `has_threads` is that of the channel that is made: it must be known before.
    """

    def __init__(self, name: str, make: Callable[[], AlertChannel], *, has_threads: bool = False) -> None:
        self.name = name
        self.has_threads = has_threads
        self._make = make
        self._made: AlertChannel | None = None

    def send(self, message: Message, reference: str | None) -> str | None:
        """Send a message; what `make` raises, or DeliveryError when the system did not accept it."""
        return self._channel().send(message, reference)

    def shows_all(self, message: Message) -> bool:
        """Return whether the channel shows every finding of a message; what `make` raises."""
        return shows_all(self._channel(), message)

    def _channel(self) -> AlertChannel:
        if self._made is None:
            self._made = self._make()
        return self._made
