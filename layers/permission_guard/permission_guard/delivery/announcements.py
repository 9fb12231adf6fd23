"""Which transitions of a finding nobody is notified of, because nobody was notified of the finding before. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.model.findings import Status, Transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.findings.baseline import Baseline
    from permission_guard.model.findings import Finding

    ReadBaseline = Callable[[], Baseline | None]

_QUIET: Final = frozenset(
    {
        Transition.OPENED,
        Transition.RESOLVED,
        Transition.SUPPRESSED,
        Transition.FIX_PROPOSED,
        Transition.FIX_REFUSED,
    }
)
"""The transitions that change nothing in AWS, and need no answer before the digest was read."""


def no_baseline() -> None:
    """Return no baseline: every finding is announced."""


def instead_of_alert(finding: Finding, baseline: ReadBaseline) -> DeliveryOutcome | None:
    """Return why no alert about a finding's last transition is sent, None if one is.

    `baseline` reads the baseline; it is called only for a finding that a check of the first sweep opened.
    """
    if _is_in_digest(finding, baseline):
        return DeliveryOutcome.IN_DIGEST
    if finding.transition in (Transition.SUPPRESSED, Transition.RESOLVED) and _was_not_open(finding):
        return DeliveryOutcome.NOT_ANNOUNCED
    return None


def instead_of_ticket(finding: Finding, reference: str | None, baseline: ReadBaseline) -> DeliveryOutcome | None:
    """Return why no ticket is written for a finding, None if one is. `reference` is that of its ticket."""
    if reference is not None:
        return None
    if _is_in_digest(finding, baseline):
        return DeliveryOutcome.IN_DIGEST
    if finding.status is Status.SUPPRESSED and finding.revision == 1:
        return DeliveryOutcome.NOT_ANNOUNCED
    return None


def _is_in_digest(finding: Finding, baseline: ReadBaseline) -> bool:
    if not finding.baseline or finding.transition not in _QUIET or _may_have_reopened(finding):
        return False
    # A person who decided about a fix learns what became of it.
    if finding.fix is not None and finding.fix.decided_by:
        return False
    opened_by = baseline()
    return opened_by is not None and opened_by.reports(finding)


def _may_have_reopened(finding: Finding) -> bool:
    """Return whether a finding was reopened, or its history does not go back to its opening."""
    is_whole = len(finding.history) == finding.revision
    return not is_whole or any(past.transition is Transition.REOPENED for past in finding.history)


def _was_not_open(finding: Finding) -> bool:
    """Return whether a finding was suppressed or resolved before its last transition, or did not exist."""
    if finding.revision == 1:
        return True
    before = [past.transition for past in finding.history if past.revision == finding.revision - 1]
    return before in ([Transition.SUPPRESSED], [Transition.RESOLVED])
