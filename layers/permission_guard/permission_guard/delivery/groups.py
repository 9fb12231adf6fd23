"""Which findings are one message: those that one event changed in the same way, of one function or role."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.findings import Finding

    Key = tuple[str, ...]


def group_key(finding: Finding) -> Key | None:
    """Return what the findings of one message have in common; None if a finding is a message of its own.

    It is if no event led to its last transition, and if that is about a fix: each has its own plan and its own command.
    """
    if not finding.changed_event or finding.fix is not None:
        return None
    return (finding.changed_event, finding.target_arn, str(finding.transition))


def grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return findings in groups, in their order."""
    groups: dict[Key | int, list[Finding]] = {}
    for number, finding in enumerate(findings):
        groups.setdefault(group_key(finding) or number, []).append(finding)
    return list(groups.values())
