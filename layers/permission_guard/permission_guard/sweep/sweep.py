"""Have every function looked at, and everything open told again: what events told late or never is made up for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


class RoleIndex(Protocol):
    """Which functions there are, and which role each runs with."""

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        """Keep which role each function of the account and region runs with.

        Return those functions, and those that are remembered and do not exist.
        """


class OpenFindings(Protocol):
    """What is open."""

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        """List the functions that have an open finding, each once."""

    def findings_of(self, target: FunctionTarget) -> Iterable[Finding]:
        """Return every recorded finding of a function."""


class Bus(Protocol):
    """Where transitions are told."""

    def publish(self, finding: Finding) -> None:
        """Tell of a finding's last transition."""


@record
class Sweep:
    """How many functions exist, how many more are only remembered, and how many findings are open."""

    functions: int
    deleted: int
    open_findings: int


def sweep(
    index: RoleIndex,
    findings: OpenFindings,
    request_looks: Sequence[Callable[[Iterable[FunctionTarget]], int]],
    bus: Bus,
) -> Sweep:
    """Request a look at every function that exists or is remembered, of every checker; tell of what is open.

    The index of roles is rebuilt first, so that the looks find it whole. The requests wait in the checkers' queues, so
    that an account of any size is swept at the pace that AWS allows, and a request that fails is tried again like any
    event. Whoever was told of a finding before passes it over; a channel or a mode that was switched on since, or a fix
    that had to wait, takes it up.
    """
    existing, gone = map(dict.fromkeys, index.rebuild())
    troubled = tuple(findings.functions_with_open_findings())
    deleted = [target for target in dict.fromkeys((*gone, *troubled)) if target not in existing]
    for request in request_looks:
        request([*existing, *deleted])
    still_open = 0
    for target in troubled:
        for finding in findings.findings_of(target):
            if finding.status is Status.OPEN:
                bus.publish(finding)
                still_open += 1
    return Sweep(functions=len(existing), deleted=len(deleted), open_findings=still_open)
