"""Alert channels in memory, for the tests of what is sent to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from permission_guard.delivery.message import Message


class Channel:
    """A channel that keeps its messages, and raises the given errors, one for each send, before it accepts one."""

    def __init__(self, name: str = "sns", *failures: Exception) -> None:
        self.name = name
        self.failures = list(failures)
        self.messages: list[Message] = []

    def send(self, message: Message, reference: str | None) -> str | None:
        """Accept a message; return its number in this channel as its reference."""
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        return f"{self.name}-{len(self.messages)}"

    @property
    def sent(self) -> list[str]:
        """Return the keys of the messages."""
        return [message.key for message in self.messages]

    @property
    def revisions(self) -> list[int]:
        """Return the revisions of the messages, each of which is about a finding."""
        return [int(key.rpartition("-")[2]) for key in self.sent]

    @property
    def titles(self) -> list[str]:
        """Return the titles of the messages."""
        return [message.title for message in self.messages]
