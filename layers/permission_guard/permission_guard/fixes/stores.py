"""What the fixer reads and counts: the current state of a function, the decisions of people, and the quota of fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from permission_guard.fixes.decisions import Decision
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import Direction, FunctionTarget


class FixStateSource(Protocol):
    """The source of current state, read without a cache."""

    def snapshot_for_fix(self, target: FunctionTarget, direction: Direction) -> Snapshot:
        """Read the state that a direction's rules need of a function, and its tags."""


class FixQuota(Protocol):
    """The limit of fixes per hour."""

    def take_fix_quota(self, hour: str, limit: int, fix: str) -> bool:
        """Count a fix, the same one once; return False if the limit is reached."""


class Decisions(Protocol):
    """Reads the decisions of people."""

    def decision(self, finding_id: str, revision: int) -> Decision | None:
        """Return the decision about the proposal of a revision, None if there is none."""
