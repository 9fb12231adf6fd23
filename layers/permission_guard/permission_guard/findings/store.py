"""The protocol of the store of findings, as the checker and the fixer use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.findings.checkpoint import Checkpoint, CheckRun, StoredFindings
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import Direction, FindingTarget, FunctionTarget


class FindingStore(Protocol):
    """Stores findings; a stale check never overwrites a newer one."""

    def start_check(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        """Start a check: return what the last one left, and what is recorded. Call it before anything is read."""

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        """Return every recorded finding of a function, with its versions and aliases, or of a role."""

    def finding(self, target: FindingTarget, finding_id: str) -> Finding | None:
        """Return one recorded finding."""

    def commit_check(
        self,
        target: FunctionTarget,
        direction: Direction,
        run: CheckRun,
        checkpoint: Checkpoint,
        *,
        changes: Sequence[Change],
        unknowns: Sequence[str],
        now: str,
    ) -> bool:
        """Write a check's changes and checkpoint, all or none.

        False when another check of the function and direction was written since this run was started: its state may be
        newer, so that the check has to be made again. ConflictError when a finding was changed since it was read: read
        and reconcile again.
        """

    def put_finding(self, change: Change) -> None:
        """Write one finding; ConflictError when it was changed since it was read.

        A finding that is stored already, because only the reply of a write was lost, counts as written.
        """

    def checkpoint(self, target: FunctionTarget, direction: Direction) -> Checkpoint:
        """Return what the last recorded check left, an empty checkpoint if there is none or it cannot be read."""
