"""An account to sweep: its functions, findings, queues and cursor, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from permission_guard.errors import ConflictError
from permission_guard.sweep.sweep import Cursor, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget

Watch = Callable[[], None]
"""Called before each call, to cut a run off or to change the account."""


def plenty_of_time() -> int:
    """Return the remaining time of a run that is never short of it."""
    return 900_000


def nothing() -> None:
    """Change nothing."""


@dataclass
class Account:
    """Existing functions, functions with open findings, and deleted functions of the role index."""

    existing: list[FunctionTarget]
    with_findings: list[FunctionTarget] = field(default_factory=list)
    findings: dict[FunctionTarget, list[Finding]] = field(default_factory=dict)
    published: list[Finding] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    deleted_in_index: list[FunctionTarget] = field(default_factory=list)
    unreadable: dict[FunctionTarget, list[str]] = field(default_factory=dict)
    rejected: dict[str, Exception] = field(default_factory=dict)
    watch: Watch = nothing

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        self.watch()
        return iter(self.existing), iter(self.deleted_in_index)

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        self.watch()
        return iter(self.with_findings)

    def findings_of(self, target: FunctionTarget) -> Iterable[Finding]:
        self.watch()
        return self.findings.get(target, [])

    def unreadable_of(self, target: FunctionTarget) -> Iterable[str]:
        return self.unreadable.get(target, ())

    def publish_all(self, findings: Iterable[Finding]) -> dict[str, Exception]:
        self.watch()
        batch = list(findings)
        self.published += [finding for finding in batch if finding.id not in self.rejected]
        self.batches.append([finding.id for finding in batch])
        return {finding.id: self.rejected[finding.id] for finding in batch if finding.id in self.rejected}


class Queue(list["FunctionTarget"]):
    """A checker's queue."""

    def __init__(self, watch: Watch = nothing) -> None:
        super().__init__()
        self.watch = watch

    def request(self, targets: Iterable[FunctionTarget]) -> int:
        self.watch()
        before = len(self)
        self.extend(targets)
        return len(self) - before


@dataclass
class Cursors:
    """The stored cursor. A move is cut off before or after it is stored."""

    stored: Cursor = field(default_factory=Cursor)
    watch: Watch = nothing

    def read(self) -> Cursor:
        self.watch()
        return self.stored

    def move(self, cursor: Cursor, step: Step | None, after: str = "") -> Cursor:
        self.watch()
        if cursor.revision != self.stored.revision:
            raise ConflictError("another run has moved the cursor")
        moved = self.stored = Cursor(cursor.revision + 1, step, after)
        self.watch()
        return moved


def all_of(account: Account) -> set[Any]:
    """Return every function to check."""
    return {*account.existing, *account.with_findings, *account.deleted_in_index}
