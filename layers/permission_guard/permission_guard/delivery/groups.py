"""Which findings are one message: those that one event changed in the same way, of one function or role."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from permission_guard.model.arns import finding_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget

    Key = tuple[str, ...]


class RecordedGroups(Protocol):
    """Reads the findings of functions and roles, consistently."""

    def findings_of(self, target: FindingTarget) -> Sequence[Finding]:
        """Return the findings of a function or a role that can be read, as they are now."""


def group_key(finding: Finding) -> Key | None:
    """Return what the findings of one message have in common; None if a finding is a message of its own.

    It is if no event led to its last transition, and if that is about a fix: each has its own plan and its own command.
    """
    if not finding.changed_event or finding.fix is not None:
        return None
    return (finding.changed_event, finding.target_arn, str(finding.transition))


def group_id(key: Key) -> str:
    """Return the id of a group: that of no finding."""
    return f"group-{hashlib.sha256(repr(key).encode(errors='replace')).hexdigest()[:32]}"


def others_of(finding: Finding, groups: RecordedGroups) -> list[Finding]:
    """Return the other findings of a finding's group, as they are now.

    A check writes the findings that an event changed together, before any of them is published.
    """
    key = group_key(finding)
    if key is None:
        return []
    found = groups.findings_of(finding_target(finding.target_arn))
    return [one for one in found if one.id != finding.id and group_key(one) == key]
