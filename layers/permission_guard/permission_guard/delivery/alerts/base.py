"""Alert channels: who is told of a finding, and of which of its transitions.

Another channel is one file that formats (pure), one class that sends, and one line in `CHANNELS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult, deliver
from permission_guard.errors import DeliveryError, PermissionGuardError
from permission_guard.model.findings import Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.model.findings import Finding


ALERTED = frozenset(
    {
        Transition.OPENED,
        Transition.REOPENED,
        Transition.RESOLVED,
        Transition.SUPPRESSED,  # whoever relied on the alert learns that somebody switched it off
        Transition.FIX_PROPOSED,
        Transition.FIX_APPLIED,
        Transition.FIX_REFUSED,
        Transition.FIX_FAILED,
        Transition.FIX_UNDONE,
        # Not told: FIX_APPROVED and FIX_UNDO_REQUESTED. A person just did that, and what comes of it is told.
    }
)
"""The transitions that people are told of."""


class AlertChannel(Protocol):
    """A place where people are told of findings."""

    @property
    def name(self) -> str:
        """What the channel is called in the delivery ledger; never changed once it was used."""

    def send(self, finding: Finding, reference: str | None) -> str | None:
        """Tell people of a finding, once; DeliveryError when it did not go through.

        Takes the reference of the last delivery of the same finding, and returns that of this one, if there is one.
        """


def send(finding: Finding, channels: Sequence[AlertChannel], ledger: DeliveryLedger) -> list[DeliveryResult]:
    """Tell every channel of a finding, each once and apart from the others.

    Raises one DeliveryError that names the channels that failed, after all were tried. What did go through is in the
    ledger by then, so the retry only concerns the others.
    """
    if finding.transition not in ALERTED:
        return [DeliveryResult(channel=channel.name, outcome=DeliveryOutcome.NOT_WANTED) for channel in channels]
    results: list[DeliveryResult] = []
    failures: list[tuple[str, Exception]] = []
    for channel in channels:
        try:
            results.append(deliver(ledger, channel.name, finding, channel.send))
        except Exception as error:  # noqa: BLE001 - one broken channel must not silence the others; raised below
            failures.append((channel.name, error))
    if failures:
        why = "; ".join(f"{name}: {_why(error)}" for name, error in failures)
        raise DeliveryError(
            f"revision {finding.revision} of finding {finding.id} was not delivered: {why}"
        ) from failures[0][1]
    return results


def _why(error: Exception) -> str:
    """Return the reason to show; only this package's own errors are sure to hold no secret."""
    return str(error) if isinstance(error, PermissionGuardError) else type(error).__name__
