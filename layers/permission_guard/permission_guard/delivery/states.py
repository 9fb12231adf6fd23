"""What happened to a finding, in a word for the headline and in a sentence, and whether it still needs attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.findings import FixResult, Status, Transition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.findings import Finding

STATES: Final[Mapping[Transition, str]] = {
    Transition.OPENED: "Opened",
    Transition.REOPENED: "Reopened",
    Transition.RESOLVED: "Resolved",
    Transition.SUPPRESSED: "Suppressed",
    Transition.FIX_PROPOSED: "Fix proposed",
    Transition.FIX_APPROVED: "Fix approved",
    Transition.FIX_REJECTED: "Fix rejected",
    Transition.FIX_APPLIED: "Fix applied",
    Transition.FIX_REFUSED: "Fix refused",
    Transition.FIX_FAILED: "Fix failed",
    Transition.FIX_UNDO_REQUESTED: "Undo requested",
    Transition.FIX_UNDONE: "Fix undone",
}
"""What happened, as the headline says it, for each transition."""

HAPPENED: Final[Mapping[Transition, str]] = {
    Transition.OPENED: "A problem was found.",
    Transition.REOPENED: "A problem that was resolved exists again.",
    Transition.RESOLVED: "The problem no longer exists.",
    Transition.SUPPRESSED: "The finding was suppressed. The problem still exists. No alerts until that ends.",
    Transition.FIX_PROPOSED: "A fix is proposed. Nothing was changed yet.",
    Transition.FIX_APPROVED: "The fix was approved. It is about to be applied.",
    Transition.FIX_REJECTED: "The proposed fix was rejected. Nothing was changed.",
    Transition.FIX_APPLIED: "Fix applied and verified. The finding resolves at the next check.",
    Transition.FIX_REFUSED: "The bot refused to fix this. Nothing was changed. Manual action required.",
    Transition.FIX_FAILED: "The fix failed. Manual action required.",
    Transition.FIX_UNDO_REQUESTED: "Someone, or the bot itself, requested that the fix be undone.",
    Transition.FIX_UNDONE: "The fix was undone. Later changes by others stay. The bot does not repeat it by itself.",
}
"""What happened, in a sentence, for each transition."""

_NOT_UNDONE: Final[Mapping[Transition, tuple[str, str]]] = {
    Transition.FIX_REFUSED: (
        "Undo refused",
        "The bot refused to undo the fix, or all of it. Manual action required.",
    ),
    Transition.FIX_FAILED: ("Undo failed", "Undoing the fix failed. Manual action required."),
}
_NOT_FINISHED: Final = "The bot refused to finish a fix that it had started. Manual action required."


def state(finding: Finding) -> str:
    """Return what happened in a word or two."""
    return _NOT_UNDONE[finding.transition][0] if _is_about_undo(finding) else STATES[finding.transition]


def happened(finding: Finding) -> str:
    """Return what happened: the end of a suppression opens a finding again whose problem was never resolved."""
    before = [past.transition for past in finding.history if past.revision == finding.revision - 1]
    if finding.transition is Transition.REOPENED and before == [Transition.SUPPRESSED]:
        return "The finding is no longer suppressed. The problem still exists."
    if _is_about_undo(finding):
        return _NOT_UNDONE[finding.transition][1]
    fix, is_refused = finding.fix, finding.transition is Transition.FIX_REFUSED
    # A refused fix has calls only if it was started: a part of them can have been made.
    if fix is not None and fix.result is FixResult.REFUSED and fix.calls and is_refused:
        return _NOT_FINISHED
    return HAPPENED[finding.transition]


def needs_attention(finding: Finding) -> bool:
    """Return whether the problem exists and nobody has solved it: then the severity says how urgent that is.

    A fix that was undone leaves the problem. One that was applied and verified does not.
    """
    return finding.status is Status.OPEN and finding.transition is not Transition.FIX_APPLIED


def needs_fix(finding: Finding) -> bool:
    """Return whether a person has to fix the problem: a remedy would be applied twice where a fix is in progress."""
    return needs_attention(finding) and finding.transition is not Transition.FIX_APPROVED


def _is_about_undo(finding: Finding) -> bool:
    is_applied = finding.fix is not None and finding.fix.result is FixResult.APPLIED
    return is_applied and finding.transition in _NOT_UNDONE
