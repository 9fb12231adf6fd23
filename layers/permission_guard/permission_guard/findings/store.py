"""The protocol of the store of findings, as the checker and the fixer use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.findings.checkpoint import Checkpoint, CheckRun
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import Direction, FunctionTarget


class FindingStore(Protocol):
    """Stores findings; a stale check never overwrites a newer one."""

    def start_check(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        """Start a check: its number is higher than that of every check before. Call it before anything is read."""

    def findings_of(self, target: FunctionTarget) -> tuple[Finding, ...]:
        """Return every recorded finding of a function, with its versions and aliases, that can be read."""

    def unreadable_of(self, target: FunctionTarget) -> frozenset[str]:
        """Return the ids of the findings that the last `findings_of` could not read; they must stay as they are."""

    def finding(self, target: FunctionTarget, finding_id: str) -> Finding | None:
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

        False when a newer check was written, or a check that left another checkpoint than the one this run started
        with. ConflictError when a finding was changed since it was read: read and reconcile again.
        """

    def put_finding(self, change: Change) -> None:
        """Write one finding; ConflictError when it was changed since it was read.

        A finding that is stored already, because only the reply of a write was lost, counts as written.
        """

    def checkpoint(self, target: FunctionTarget, direction: Direction) -> Checkpoint:
        """Return what the last recorded check left, an empty checkpoint if there is none or it cannot be read."""
