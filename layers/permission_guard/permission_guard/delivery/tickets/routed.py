"""The tickets of a finding in every ticket system that it is routed to, or was."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.delivery.alerts.base import to_every_channel
from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult
from permission_guard.delivery.routed_ledger import RoutedLedger
from permission_guard.delivery.routes import tickets_of
from permission_guard.delivery.tickets.base import admit_all, update_ticket
from permission_guard.delivery.tickets.lazy import LazySystem
from permission_guard.delivery.tickets.review import review_ticket
from permission_guard.delivery.tickets.summaries import update_summary
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.config.destinations import Route
    from permission_guard.delivery.announcements import ReadBaseline
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.tickets.waiting_list import WaitingList, WaitingListStore
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.findings import Finding
    from permission_guard.model.verdicts import Severity


@record
class NamedSystem:
    """A ticket system by its name. `make` returns it; what it raises is a failure of this system only."""

    name: str
    make: Callable[[], TicketSystem]

    @property
    def channel(self) -> str:
        """The name of the system in the delivery ledger."""
        return f"ticket:{self.name}"

    def lazily(self) -> TicketSystem:
        """Return the system for one delivery. It is made only if the ledger finds something to deliver."""
        return LazySystem(self.name, self.make)


@record(kw_only=True)
class RoutedTickets:
    """The tickets of a deployment: all ticket systems, and the names of the default ones.

    A ticket that was opened is updated and resolved also after its route was changed or removed, but not reopened, and
    not opened again if somebody deleted it. After all systems
    were tried, one DeliveryError names those that failed: the retry writes only the tickets that are left. `waiting`
    has the list of the findings without a ticket of each system with a limit, by its name; `store` has all of them.
    """

    systems: Sequence[NamedSystem]
    default: Sequence[str]
    routes: Sequence[Route]
    ledger: DeliveryLedger
    min_severity: Severity
    baseline: ReadBaseline
    store: WaitingListStore
    waiting: Mapping[str, WaitingList]

    def update(self, finding: Finding, current: Current) -> Sequence[DeliveryResult]:
        """Write a finding into its tickets. At its first revision no system can have one that no route names."""
        names = self._names(finding)
        systems = [one for one in self.systems if finding.revision > 1 or one.name in names]
        update = partial(self._update, finding, current, names)
        return to_every_channel(systems, lambda one: update(one.lazily()), what=_what(finding))

    def review(self, finding: Finding, current: Current) -> Sequence[DeliveryResult]:
        """Read the tickets of a finding, and correct them."""
        names = self._names(finding)
        ledger = self._ledger_of(names)

        def review(named: NamedSystem) -> DeliveryResult:
            system, waiting = named.lazily(), self.waiting.get(named.name)
            update = partial(self._update, finding, current, names, system)
            may_open = named.name in names and not finding.severity.is_below(self.min_severity)
            admit = waiting.admit if waiting else admit_all
            return review_ticket(finding, system, ledger, update, admit=admit, may_open=may_open)

        return to_every_channel(self.systems, review, what=_what(finding))

    def summarize(self, *, is_review: bool) -> Sequence[DeliveryResult]:
        """Write the summary of the findings without a ticket of each system that has some."""
        limited = [one for one in self.systems if one.name in self.waiting]
        found = {one.name: self.store.findings(one.channel, datetime.now(UTC)) for one in limited}

        def summarize(named: NamedSystem) -> DeliveryResult:
            current = partial(self.store.findings, named.channel, datetime.now(UTC))
            return update_summary(found[named.name], named.lazily(), self.ledger, current=current, is_review=is_review)

        systems = [one for one in limited if found[one.name]]
        return to_every_channel(systems, summarize, what="the summary of the findings without a ticket")

    def _update(self, finding: Finding, current: Current, names: Sequence[str], system: TicketSystem) -> DeliveryResult:
        waiting = self.waiting.get(system.name)
        (result,) = update_ticket(
            finding,
            current,
            system,
            self._ledger_of(names),
            min_severity=self.min_severity,
            baseline=self.baseline,
            waiting=waiting,
            is_routed=system.name in names,
        )
        if waiting is not None and result.outcome is DeliveryOutcome.NOT_ANNOUNCED:
            waiting.withheld(finding)  # its route was removed while it waited
        return result

    def _ledger_of(self, names: Sequence[str]) -> RoutedLedger:
        channels = {one.channel for one in self.systems if one.name in names}
        return RoutedLedger(self.ledger, lambda _finding_id, channel: channel in channels, by_reference=True)

    def _names(self, finding: Finding) -> tuple[str, ...]:
        known = {one.name for one in self.systems}
        return tickets_of(finding, self.routes, default=self.default, known=known)


def _what(finding: Finding) -> str:
    return f"revision {finding.revision} of finding {finding.id}"
