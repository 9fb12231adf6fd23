"""An account to sweep: its functions, findings, queues and cursor, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from permission_guard.errors import ConflictError
from permission_guard.findings.checkpoint import StoredFindings
from permission_guard.model.findings import Transition
from permission_guard.sweep.sweep import Cursor, Receiver, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget, FunctionTarget, RoleTarget

Watch = Callable[[], None]
"""Called before each call, to cut a run off or to change the account."""


def plenty_of_time() -> int:
    """Return the remaining time of a run that is never short of it."""
    return 900_000


def not_first() -> bool:
    """Say that a sweep is not the first one."""
    return False


def nothing() -> None:
    """Change nothing."""


@dataclass
class Account:
    """Existing functions, targets with open findings, and deleted functions of the role index.

    `users` are the functions of roles. `batches` are the findings that the receiver got, one list for each request.
    """

    existing: list[FunctionTarget]
    with_findings: list[FindingTarget] = field(default_factory=list)
    findings: dict[FindingTarget, list[Finding]] = field(default_factory=dict)
    batches: list[list[Finding]] = field(default_factory=list)
    deleted_in_index: list[FunctionTarget] = field(default_factory=list)
    unreadable: dict[FindingTarget, list[str]] = field(default_factory=dict)
    users: dict[RoleTarget, tuple[FunctionTarget, ...]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    watch: Watch = nothing

    @property
    def handed_over(self) -> list[Finding]:
        """Return every finding that the receiver got."""
        return [finding for batch in self.batches for finding in batch]

    @property
    def receiver(self) -> Receiver:
        """Return what takes every finding."""
        return Receiver("send_alert", frozenset(Transition), self.send)

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        self.watch()
        return iter(self.existing), iter(self.deleted_in_index)

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        self.watch()
        return {role: self.users.get(role, ()) for role in roles}

    def targets_with_open_findings(self) -> Iterable[FindingTarget]:
        self.watch()
        return iter(self.with_findings)

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        self.watch()
        return StoredFindings(tuple(self.findings.get(target, ())), frozenset(self.unreadable.get(target, ())))

    def put_finding(self, change: Change) -> None:
        self.watch()
        self.changes.append(change)

    def send(self, findings: Iterable[Finding]) -> None:
        self.watch()
        self.batches.append(list(findings))


class Queue(list["FunctionTarget"]):
    """A checker's queue. `baseline` has whether each request belonged to the baseline."""

    def __init__(self, watch: Watch = nothing) -> None:
        super().__init__()
        self.watch = watch
        self.baseline: list[bool] = []

    def request(self, targets: Iterable[FunctionTarget], *, baseline: bool) -> int:
        self.watch()
        self.baseline.append(baseline)
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
