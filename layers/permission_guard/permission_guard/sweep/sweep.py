"""Request a check of every function, and hand open findings to the senders again: events may be late or lost."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from permission_guard.clock import utc_now
from permission_guard.errors import ConflictError
from permission_guard.findings.lifecycle import resolved
from permission_guard.model.arns import role_target
from permission_guard.model.findings import Status
from permission_guard.model.targets import FindingTarget, FunctionTarget, NamedRole
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from permission_guard.findings.checkpoint import StoredFindings
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.findings import Finding, Transition
    from permission_guard.model.targets import RoleTarget

Named = TypeVar("Named", FunctionTarget, FindingTarget)

FUNCTIONS_A_PART: Final = 50
"""After how many functions the cursor moves: a run that is cut off loses no more."""

MIN_MILLIS_FOR_A_PART: Final = 60_000
"""The remaining time below which no other part starts: most take a second, throttled ones several."""

CONTINUE: Final = {"continue": True}
"""The event of the schedule that continues a sweep. Every other event also starts one."""


class Step(StrEnum):
    """The steps of a sweep, in their order."""

    REQUEST_CHECKS = "request checks"
    HAND_OVER_FINDINGS = "hand over findings"


@record
class Cursor:
    """Where a sweep continues: in `step`, after the target with the ARN `after`. Without a step none is in progress.

    `revision` counts the moves.
    """

    revision: int = 0
    step: Step | None = None
    after: str = ""


class Cursors(Protocol):
    """Stores the cursor between the runs of a sweep."""

    def read(self) -> Cursor:
        """Return the cursor."""

    def move(self, cursor: Cursor, step: Step | None, after: str = "") -> Cursor:
        """Store where the sweep continues. ConflictError if another run has moved the cursor since it was read."""


class FunctionIndex(Protocol):
    """Lists functions, and the role that each uses."""

    def rebuild(self) -> tuple[Iterable[FunctionTarget], Iterable[FunctionTarget]]:
        """Store the role of each function of the account and region.

        Return those functions, and the indexed functions that no longer exist.
        """

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, Sequence[FunctionTarget]]:
        """List the functions that use each of the roles."""


class OpenFindings(Protocol):
    """Lists and resolves open findings."""

    def targets_with_open_findings(self) -> Iterable[FindingTarget]:
        """List the functions and roles that have an open or suppressed finding, each once."""

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        """Return every recorded finding of a function or a role."""

    def put_finding(self, change: Change) -> None:
        """Write one finding. ConflictError if it changed since it was read."""


class CheckRequester(Protocol):
    """Requests checks from one checker."""

    def __call__(self, targets: Iterable[FunctionTarget], *, baseline: bool) -> int:
        """Request checks of functions; return how many. What `baseline` checks find goes to one digest."""


@record
class Receiver:
    """A function behind the bus that is enabled: `send` hands findings to it, `transitions` are those it acts on."""

    name: str
    transitions: Collection[Transition]
    send: Callable[[Iterable[Finding]], None]


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETE = "sweep complete"
    STOPPED = "sweep stopped: too little time left; the next run continues it"
    OVERTAKEN = "sweep stopped: another run continues it"
    IDLE = "no sweep in progress"


@record
class Sweep:
    """What one run did: the numbers of existing functions, of deleted ones with entries or findings, of open findings.

    `failures` names what could not be read or handed over, with the reason.
    """

    outcome: Outcome
    functions: int = 0
    deleted: int = 0
    open_findings: int = 0
    failures: tuple[str, ...] = ()


@record
class _Part:
    """What was done up to the target with the ARN `last`."""

    last: str
    functions: int = 0
    deleted: int = 0
    open_findings: int = 0
    failures: tuple[str, ...] = ()


class Sweeper:
    """Requests a check of every existing or deleted function, in both directions, and hands open findings to senders.

    The index of roles is rebuilt first, so that the checks find it complete. The requests wait in queues: they are
    processed at the rate that AWS allows, and failed ones are retried like events.

    Open findings are put into the queues of the enabled receivers, not on the bus: other targets there get each
    transition once. Channels ignore findings that they delivered before; a channel or mode that was enabled since, or a
    fix that had to wait, takes them up. A finding that cannot be read or handed over does not keep the others back. The
    findings about a role that no function uses any more are resolved.

    Targets are handled in the order of their ARNs, part by part. After each part the cursor is stored. So a sweep of
    any size gets to its end, in as many runs as it needs, even where Lambda cuts a run off. The lists are read again in
    each run: a function that exists all the time is skipped by none.
    """

    def __init__(
        self,
        index: FunctionIndex,
        findings: OpenFindings,
        request_checks: Sequence[CheckRequester],
        receivers: Sequence[Receiver],
        cursors: Cursors,
        *,
        is_baseline: Callable[[], bool],
        clock: Callable[[], str] = utc_now,
    ) -> None:
        self._index = index
        self._findings = findings
        self._request_checks = request_checks
        self._receivers = receivers
        self._cursors = cursors
        self._is_baseline = is_baseline
        self._clock = clock

    def run(self, remaining_time_in_millis: Callable[[], int], *, start: bool) -> Sweep:
        """Continue the sweep that is in progress; if there is none and `start` is true, start one.

        `remaining_time_in_millis` is the Lambda context's. When it is low the run stops; each run handles at least one
        part. A queue's error is raised: the cursor stays, and Lambda's retry continues.
        """
        cursor, parts = self._cursors.read(), list[_Part]()
        if cursor.step is None and not start:
            return Sweep(Outcome.IDLE)
        steps = {Step.REQUEST_CHECKS: self._requests, Step.HAND_OVER_FINDINGS: self._handovers}
        try:
            if cursor.step is None:
                cursor = self._cursors.move(cursor, Step.REQUEST_CHECKS)
            while (step := cursor.step) is not None:
                for part in steps[step](cursor.after):
                    parts.append(part)
                    cursor = self._cursors.move(cursor, step, part.last)
                    if remaining_time_in_millis() < MIN_MILLIS_FOR_A_PART:
                        return _sum(Outcome.STOPPED, parts)
                cursor = self._cursors.move(cursor, _NEXT[step])
        except ConflictError:
            return _sum(Outcome.OVERTAKEN, parts)
        return _sum(Outcome.COMPLETE, parts)

    def _requests(self, after: str) -> Iterator[_Part]:
        """Request the checks of each part from every checker."""
        is_baseline = self._is_baseline()  # before the index, whose existence says that this is not the first sweep
        existing, unindexed = map(frozenset, self._index.rebuild())
        with_findings = (one for one in self._findings.targets_with_open_findings() if isinstance(one, FunctionTarget))
        for part in _parts({*existing, *unindexed, *with_findings}, after):
            for request in self._request_checks:
                request(part, baseline=is_baseline)
            functions = sum(target in existing for target in part)
            yield _Part(part[-1].arn, functions=functions, deleted=len(part) - functions)

    def _handovers(self, after: str) -> Iterator[_Part]:
        """Hand the open findings of each part to every receiver."""
        for part in _parts(self._findings.targets_with_open_findings(), after):
            found: list[Finding] = []
            failures: list[str] = []
            unused = self._unused_roles(part, failures)
            for target in part:
                try:
                    recorded = self._findings.findings_of(target)
                    if target in unused:
                        self._resolve(recorded)
                        continue
                except Exception as error:  # noqa: BLE001 - the findings of the other targets must be handed over
                    failures.append(_failure(target.arn, error))
                    continue
                found += [finding for finding in recorded.findings if finding.status is Status.OPEN]
                failures += [f"{finding_id}: cannot be read" for finding_id in sorted(recorded.unreadable)]
            for receiver in self._receivers:
                try:
                    receiver.send(finding for finding in found if finding.transition in receiver.transitions)
                except Exception as error:  # noqa: BLE001 - the other receivers must get the findings
                    failures.append(_failure(receiver.name, error))
            yield _Part(part[-1].arn, open_findings=len(found), failures=tuple(failures))

    def _unused_roles(self, part: Iterable[FindingTarget], failures: list[str]) -> frozenset[NamedRole]:
        """Return the roles of a part that no function uses; none if that cannot be read."""
        roles = {target: role_target(target.arn) for target in part if isinstance(target, NamedRole)}
        if not roles:
            return frozenset()
        try:
            users = self._index.functions_of_roles(roles.values())
        except Exception as error:  # noqa: BLE001 - the findings must be handed over all the same
            failures.append(_failure("the index of roles", error))
            return frozenset()
        return frozenset(target for target, role in roles.items() if not users.get(role))

    def _resolve(self, recorded: StoredFindings) -> None:
        for finding in recorded.findings:
            if finding.status is not Status.RESOLVED:
                self._findings.put_finding(resolved(finding, "No function uses the role.", self._clock()))


_NEXT: Final[Mapping[Step, Step | None]] = {
    Step.REQUEST_CHECKS: Step.HAND_OVER_FINDINGS,
    Step.HAND_OVER_FINDINGS: None,
}


def _parts(targets: Iterable[Named], after: str) -> Iterator[tuple[Named, ...]]:
    """Yield the targets after an ARN in parts, each target once, in the order of the ARNs."""
    by_arn = {target.arn: target for target in targets}
    remaining = (by_arn[arn] for arn in sorted(by_arn) if arn > after)
    while part := tuple(islice(remaining, FUNCTIONS_A_PART)):
        yield part


def _sum(outcome: Outcome, parts: Sequence[_Part]) -> Sweep:
    return Sweep(
        outcome,
        sum(part.functions for part in parts),
        sum(part.deleted for part in parts),
        sum(part.open_findings for part in parts),
        tuple(failure for part in parts for failure in part.failures),
    )


def _failure(what: str, error: Exception) -> str:
    return f"{what}: {type(error).__name__}: {error}"
