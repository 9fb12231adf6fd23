"""Alert channels: which transitions of a finding are alerted, and how an alert reaches every channel.

To add a channel, add a class that sends a message, with a formatter (pure) if none of `formats/` fits, and a line in
`CHANNELS`.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from permission_guard.delivery.alerts.together import Together, group_locked
from permission_guard.delivery.announcements import instead_of_alert, no_baseline
from permission_guard.delivery.groups import others_of
from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult, deliver
from permission_guard.delivery.routed_ledger import RoutedLedger
from permission_guard.errors import DeliveryError, PermissionGuardError
from permission_guard.model.findings import Transition
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.announcements import ReadBaseline
    from permission_guard.delivery.groups import RecordedGroups
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.limits import Limits
    from permission_guard.delivery.message import Message
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.findings import Finding


ALERTED = frozenset(
    {
        Transition.OPENED,
        Transition.REOPENED,
        Transition.RESOLVED,
        Transition.SUPPRESSED,  # recipients must know that no more alerts follow
        Transition.FIX_PROPOSED,
        Transition.FIX_APPLIED,
        Transition.FIX_REFUSED,
        Transition.FIX_FAILED,
        Transition.FIX_UNDONE,
        # Not FIX_APPROVED, FIX_REJECTED and FIX_UNDO_REQUESTED: a person did that, and a result is alerted.
    }
)
"""The transitions for which alerts are sent."""


class HasName(Protocol):
    """A channel or a ticket system."""

    @property
    def name(self) -> str:
        """Its name in messages about failures."""


Named = TypeVar("Named", bound=HasName)


def send(
    finding: Finding,
    current: Current,
    channels: Sequence[AlertChannel],
    ledger: DeliveryLedger,
    *,
    min_severity: Severity = Severity.LOW,
    baseline: ReadBaseline = no_baseline,
    groups: RecordedGroups | None = None,
    is_routed: Callable[[Finding, str], bool] | None = None,
    limits: Limits | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[DeliveryResult]:
    """Send an alert about a finding to every channel, once each. `current` reads the finding as it is now.

    Below the severity threshold nothing is sent, and nothing about what was never announced. The other findings of the
    same group are in the same message; without `groups` each finding is a message of its own. `is_routed` says whether
    a finding goes to the channel with a name: to another one only if that had an earlier message about it. What
    `limits` do not let through waits for a digest; None for no limits.

    After all channels were tried, raise one DeliveryError that names those that failed. The ledger has the successful
    deliveries, so the retry sends only the others.
    """
    if finding.transition not in ALERTED:
        return [DeliveryResult(channel=channel.name, outcome=DeliveryOutcome.NOT_ALERTED) for channel in channels]

    def is_withheld(one: Finding, _reference: str | None = None) -> bool:
        return one.severity.is_below(min_severity)

    @cache
    def others() -> Sequence[Finding]:
        """Read the others only for a message that is about to be sent: a function can have hundreds of findings."""
        found = others_of(finding, groups) if groups else ()
        return [one for one in found if not is_withheld(one) and instead_of_alert(one, baseline) is None]

    def is_sent_to(finding_id: str, channel: str) -> bool:
        one = finding if finding_id == finding.id else next(other for other in others() if other.id == finding_id)
        return is_routed is None or is_routed(one, channel)

    routed = RoutedLedger(ledger, is_sent_to)

    def to_channel(channel: AlertChannel) -> DeliveryResult:
        with group_locked(ledger, channel.name, finding, clock) if groups else nullcontext():
            together = Together(channel, routed, others, limits, clock)
            try:
                return deliver(
                    routed,
                    channel.name,
                    finding,
                    partial(_send, together),
                    current=current,
                    is_withheld=is_withheld,
                    instead=lambda one, _reference: instead_of_alert(one, baseline),
                    postpone=limits.postpone if limits else None,
                    clock=clock,
                )
            finally:
                together.record()

    return to_every_channel(channels, to_channel, what=f"revision {finding.revision} of finding {finding.id}")


def to_every_channel(
    channels: Sequence[Named], send: Callable[[Named], DeliveryResult], *, what: str
) -> list[DeliveryResult]:
    """Send something to every channel; after all were tried, raise one DeliveryError that names those that failed."""
    results: list[DeliveryResult] = []
    failures: list[tuple[str, Exception]] = []
    for channel in channels:
        try:
            results.append(send(channel))
        except Exception as error:  # noqa: BLE001 - a failed channel must not stop the others; raised below
            failures.append((channel.name, error))
    if failures:
        reasons = "; ".join(f"{name}: {reason_of(error)}" for name, error in failures)
        raise DeliveryError(f"{what} was not delivered: {reasons}") from failures[0][1]
    return results


def send_within(limits: Limits | None, channel: AlertChannel, message: Message) -> str | None:
    """Send a message that is not about one finding. ChannelLimitError if `limits` do not let it through now."""
    if limits is not None:
        limits.take(channel.name)
    return channel.send(message, None)


def reason_of(error: Exception) -> str:
    """Return the reason to show; other packages' errors may contain a secret, so only their type is shown."""
    return str(error) if isinstance(error, PermissionGuardError) else type(error).__name__


def _send(together: Together, finding: Finding, reference: str | None) -> str | None:
    """Send an alert, unless the transition has none: after a repair of the ledger it is another one."""
    return together.send(finding, reference) if finding.transition in ALERTED else None
