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
        """Return every recorded finding of a function that can be read."""

    def unreadable_of(self, target: FunctionTarget) -> Iterable[str]:
        """Return the ids of the findings that the last `findings_of` could not read."""


@record
class Sweep:
    """The numbers of existing functions, of deleted ones with entries or findings, and of open findings.

    `failures` names what could not be read or published, with the reason.
    """

    functions: int
    deleted: int
    open_findings: int
    failures: tuple[str, ...] = ()


def sweep(
    index: FunctionIndex,
    findings: OpenFindings,
    request_checks: Sequence[Callable[[Iterable[FunctionTarget]], int]],
    bus: TransitionPublisher,
) -> Sweep:
    """Request a check of every existing or deleted function, in both directions, and publish open findings again.

    The index of roles is rebuilt first, so that the checks find it complete. The requests wait in the checkers' queues:
    they are processed at the rate that AWS allows, and failed ones are retried like events. Channels ignore findings
    that they delivered before; a channel or mode that was enabled since, or a fix that had to wait, takes them up. A
    finding that cannot be read or published does not keep the others back.
    """
    existing, unindexed = map(dict.fromkeys, index.rebuild())
    with_findings = tuple(findings.functions_with_open_findings())
    deleted = [target for target in dict.fromkeys((*unindexed, *with_findings)) if target not in existing]
    for request in request_checks:
        request([*existing, *deleted])
    still_open, failures = 0, list[str]()
    for target in with_findings:
        try:
            open_ones = [finding for finding in findings.findings_of(target) if finding.status is Status.OPEN]
        except Exception as error:  # noqa: BLE001 - the findings of the other functions must be published
            failures.append(f"{target.arn}: {type(error).__name__}: {error}")
            continue
        failures += [f"{finding_id}: cannot be read" for finding_id in findings.unreadable_of(target)]
        for finding in open_ones:
            still_open += 1
            try:
                bus.publish(finding)
            except Exception as error:  # noqa: BLE001 - the other findings must be published
                failures.append(f"{finding.id}: {type(error).__name__}: {error}")
    return Sweep(len(existing), len(deleted), still_open, tuple(failures))
