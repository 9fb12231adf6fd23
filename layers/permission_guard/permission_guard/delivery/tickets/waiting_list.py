"""The limit of new tickets of one system, and the findings that wait for a ticket because of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.tickets.summary import WaitingEnd, WaitingForTicket
from permission_guard.errors import DeliveryLimitError
from permission_guard.model.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.config.document import TicketLimit
    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.findings import Finding


class WaitingListStore(Protocol):
    """Stores which findings wait, and counts new tickets. `channel` is a system's name in the delivery ledger."""

    def take(self, channel: str, finding_id: str, limit: TicketLimit, now: datetime) -> bool:
        """Count the new ticket of a finding in this period, the same one once. False if the limit is reached."""

    def begin(self, channel: str, waiting: WaitingForTicket) -> None:
        """Record that a finding waits, unless it does already."""

    def end(self, channel: str, finding_id: str, end: WaitingEnd, now: datetime) -> bool:
        """Record that a finding no longer waits. False if it did not."""

    def findings(self, channel: str, now: datetime) -> Sequence[WaitingForTicket]:
        """Return those that wait, at most one more than are shown, and those that waited a week ago or later."""


class WaitingList:
    """The findings that wait for a ticket of one system.

    `request_summary` has the summary written some time later: several changes make one write.
    """

    def __init__(
        self,
        store: WaitingListStore,
        channel: str,
        limit: TicketLimit,
        request_summary: Callable[[], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._channel = channel
        self._limit = limit
        self._request_summary = request_summary
        self._clock = clock

    def admit(self, about: Ticketed) -> None:
        """Count the ticket that is about to be opened. DeliveryLimitError if the limit is reached."""
        if not self._store.take(self._channel, about.id, self._limit, self._clock()):
            raise DeliveryLimitError(
                f"tickets.limit in guard.yaml is reached: {self._limit.tickets} new tickets in "
                f"{self._limit.hours} hours"
            )

    def wait(self, finding: Finding) -> None:
        """Record that a finding waits. The summary is requested each time: an earlier request may be lost."""
        self._store.begin(self._channel, WaitingForTicket.of(finding, self._clock()))
        self._request_summary()

    def delivered(self, finding: Finding, ticket: str | None) -> None:
        """Record that a finding does not wait, if it did: it has a ticket, or needs none any more."""
        if ticket is not None:
            self._end(finding, WaitingEnd.TICKET)
        elif finding.status is not Status.OPEN:
            self._end(finding, WaitingEnd.RESOLVED if finding.status is Status.RESOLVED else WaitingEnd.SUPPRESSED)

    def withheld(self, finding: Finding) -> None:
        """Record that a finding does not wait, if it did: its severity is too low, or no route names the system."""
        self._end(finding, WaitingEnd.WITHHELD)

    def _end(self, finding: Finding, end: WaitingEnd) -> None:
        if self._store.end(self._channel, finding.id, end, self._clock()):
            self._request_summary()
