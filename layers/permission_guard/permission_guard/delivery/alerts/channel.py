"""What an alert channel does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from permission_guard.delivery.message import Message


class AlertChannel(Protocol):
    """A system that shows alerts to people."""

    @property
    def name(self) -> str:
        """The channel's name in the delivery ledger; do not rename a channel that was deployed."""

    def send(self, message: Message, reference: str | None) -> str | None:
        """Send a message; DeliveryError when the system did not accept it.

        `reference` is that of the last delivery about the same finding. Return that of this delivery, None if it has
        none.
        """


def has_threads(channel: AlertChannel) -> bool:
    """Return whether later messages about a finding follow its first one: the channel has an attribute that says so."""
    return bool(getattr(channel, "has_threads", False))


def shows_all(channel: AlertChannel, message: Message) -> bool:
    """Return whether a channel shows every finding of a message: one with little room has a method that says so."""
    check = getattr(channel, "shows_all", None)
    return check is None or bool(check(message))


def has_all(message: Message, text: str) -> bool:
    """Return whether a text has the id of every finding of a message."""
    return all(one in text for one in message.findings)
