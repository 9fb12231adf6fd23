"""Reads the messages that the bot puts into queues, as its functions do."""

from __future__ import annotations

from permission_guard.bus.events import BusEvent, event_of, read_message


def read_event(body: str) -> BusEvent:
    """Read a queue message that carries an event of the bus; MalformedEventError when it does not."""
    return event_of(*read_message(body))
