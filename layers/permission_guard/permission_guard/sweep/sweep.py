"""Request a check of every function, and publish open findings again: events may be late or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from permission_guard.bus.publisher import TransitionPublisher
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


class FunctionIndex(Protocol):
    """Lists functions, and the role that each uses."""

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        """Store the role of each function of the account and region.

        Return those functions, and the indexed functions that no longer exist.
        """


class OpenFindings(Protocol):
    """Lists open findings."""

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        """List the functions that have an open finding, each once."""

    def findings_of(self, target: FunctionTarget) -> Iterable[Finding]:
        """Return every recorded finding of a function."""


@record
class Sweep:
    """The numbers of existing functions, of deleted ones with entries or findings, and of open findings."""

    functions: int
    deleted: int
    open_findings: int


def sweep(
    index: FunctionIndex,
    findings: OpenFindings,
    request_checks: Sequence[Callable[[Iterable[FunctionTarget]], int]],
    bus: TransitionPublisher,
) -> Sweep:
    """Request a check of every existing or deleted function, in both directions, and publish open findings again.

    The index of roles is rebuilt first, so that the checks find it complete. The requests wait in the checkers' queues:
    they are processed at the rate that AWS allows, and failed ones are retried like events. Channels ignore findings
    that they delivered before; a channel or mode that was enabled since, or a fix that had to wait, takes them up.
    """
    existing, unindexed = map(dict.fromkeys, index.rebuild())
    with_findings = tuple(findings.functions_with_open_findings())
    deleted = [target for target in dict.fromkeys((*unindexed, *with_findings)) if target not in existing]
    for request in request_checks:
        request([*existing, *deleted])
    still_open = 0
    for target in with_findings:
        for finding in findings.findings_of(target):
            if finding.status is Status.OPEN:
                bus.publish(finding)
                still_open += 1
    return Sweep(functions=len(existing), deleted=len(deleted), open_findings=still_open)
