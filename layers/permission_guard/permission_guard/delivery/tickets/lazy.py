"""A ticket system that is made when it is first called: the ledger answers without it that there is nothing to do."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.delivery.tickets.base import Ticket, TicketSystem
    from permission_guard.delivery.tickets.summary import Ticketed


class LazySystem:
    """A ticket system by its name. Each method makes the system once, and also raises what `make` raises."""

    def __init__(self, name: str, make: Callable[[], TicketSystem]) -> None:
        self.name = name
        self._make = make

    @cached_property
    def _system(self) -> TicketSystem:
        return self._make()

    def begin(self) -> None:
        """Begin a delivery."""
        self._system.begin()

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return the ticket with this reference."""
        return self._system.read(reference, about)

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the ticket that has this finding's id."""
        return self._system.find(about)

    def open(self, about: Ticketed) -> str:
        """Open a ticket and return its reference."""
        return self._system.open(about)

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket."""
        self._system.update(ticket, about)

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, and close it."""
        self._system.resolve(ticket, about)

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Write the finding into its ticket, and open it again."""
        self._system.reopen(ticket, about)

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Add a comment to a closed ticket."""
        self._system.comment(ticket, about, text)
