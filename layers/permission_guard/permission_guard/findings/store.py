"""What the checker and the fixer need of the place where findings are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.findings.checkpoint import Checkpoint, CheckRun
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import Direction, FunctionTarget


class FindingStore(Protocol):
    """A record of findings in which a stale look never overwrites a newer one."""

    def start_check(self, target: FunctionTarget, direction: Direction) -> CheckRun:
        """Return a number that is higher than that of every look begun before; take it before anything is read."""

    def findings_of(self, target: FunctionTarget) -> tuple[Finding, ...]:
        """Return every recorded finding of a function, with its versions and aliases."""

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
        """Write a look's changes and notes, all or none.

        False when another look, begun later or not, was written since this one was begun and knows better. When it
        left other notes than those this look was begun with, that is so as well. ConflictError when a finding was
        changed since it was read: read again and reconcile again.
        """

    def put_finding(self, change: Change) -> None:
        """Write one finding; ConflictError when it was changed since it was read."""
