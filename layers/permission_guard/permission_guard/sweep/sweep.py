"""Request a check of every function, and publish open findings again: events may be late or lost."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.errors import ConflictError
from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget

FUNCTIONS_A_PART: Final = 50
"""After how many functions the cursor moves: a run that is cut off loses no more."""

MIN_MILLIS_FOR_A_PART: Final = 60_000
"""The remaining time below which no other part starts: most take a second, throttled ones several."""

CONTINUE: Final = {"continue": True}
"""The event of the schedule that continues a sweep. Every other event also starts one."""


class Step(StrEnum):
    """The steps of a sweep, in their order."""

    REQUEST_CHECKS = "request checks"
    PUBLISH_FINDINGS = "publish findings"


@record
class Cursor:
    """Where a sweep continues: in `step`, after the function with the ARN `after`. Without a step none is in progress.

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


class OpenFindings(Protocol):
    """Lists open findings."""

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        """List the functions that have an open finding, each once."""

    def findings_of(self, target: FunctionTarget) -> Iterable[Finding]:
        """Return every recorded finding of a function that can be read."""

    def unreadable_of(self, target: FunctionTarget) -> Iterable[str]:
        """Return the ids of the findings that the last `findings_of` could not read."""


class FindingsPublisher(Protocol):
    """Publishes findings."""

    def publish_all(self, findings: Iterable[Finding]) -> Mapping[str, Exception]:
        """Publish the last transitions of findings. Return why a finding could not be published, by its id."""


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETE = "sweep complete"
    STOPPED = "sweep stopped: too little time left; the next run continues it"
    OVERTAKEN = "sweep stopped: another run continues it"
    IDLE = "no sweep in progress"


@record
class Sweep:
    """What one run did: the numbers of existing functions, of deleted ones with entries or findings, of open findings.

    `failures` names what could not be read or published, with the reason.
    """

    outcome: Outcome
    functions: int = 0
    deleted: int = 0
    open_findings: int = 0
    failures: tuple[str, ...] = ()


@record
class _Part:
    """What was done up to the function with the ARN `last`."""

    last: str
    functions: int = 0
    deleted: int = 0
    open_findings: int = 0
    failures: tuple[str, ...] = ()


class Sweeper:
    """Requests a check of every existing or deleted function, in both directions, and publishes open findings again.

    The index of roles is rebuilt first, so that the checks find it complete. The requests wait in queues: they are
    processed at the rate that AWS allows, and failed ones are retried like events. Channels ignore findings that they
    delivered before; a channel or mode that was enabled since, or a fix that had to wait, takes them up. A finding that
    cannot be read or published does not keep the others back.

    Functions are handled in the order of their ARNs, part by part. After each part the cursor is stored. So a sweep of
    any size gets to its end, in as many runs as it needs, even where Lambda cuts a run off. The lists are read again in
    each run: a function that exists all the time is skipped by none.
    """

    def __init__(
        self,
        index: FunctionIndex,
        findings: OpenFindings,
        request_checks: Sequence[Callable[[Iterable[FunctionTarget]], int]],
        bus: FindingsPublisher,
        cursors: Cursors,
    ) -> None:
        self._index = index
        self._findings = findings
        self._request_checks = request_checks
        self._bus = bus
        self._cursors = cursors

    def run(self, remaining_time_in_millis: Callable[[], int], *, start: bool) -> Sweep:
        """Continue the sweep that is in progress; if there is none and `start` is true, start one.

        `remaining_time_in_millis` is the Lambda context's. When it is low the run stops; each run handles at least one
        part. A queue's error is raised: the cursor stays, and Lambda's retry continues.
        """
        cursor, parts = self._cursors.read(), list[_Part]()
        if cursor.step is None and not start:
            return Sweep(Outcome.IDLE)
        steps = {Step.REQUEST_CHECKS: self._requests, Step.PUBLISH_FINDINGS: self._publications}
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
        existing, unindexed = map(frozenset, self._index.rebuild())
        for part in _parts({*existing, *unindexed, *self._findings.functions_with_open_findings()}, after):
            for request in self._request_checks:
                request(part)
            functions = sum(target in existing for target in part)
            yield _Part(part[-1].arn, functions=functions, deleted=len(part) - functions)

    def _publications(self, after: str) -> Iterator[_Part]:
        """Publish the open findings of each part."""
        for part in _parts(self._findings.functions_with_open_findings(), after):
            found: list[Finding] = []
            failures: list[str] = []
            for target in part:
                try:
                    found += [one for one in self._findings.findings_of(target) if one.status is Status.OPEN]
                except Exception as error:  # noqa: BLE001 - the findings of the other functions must be published
                    failures.append(_failure(target.arn, error))
                    continue
                failures += [f"{finding_id}: cannot be read" for finding_id in self._findings.unreadable_of(target)]
            failures += [_failure(finding_id, error) for finding_id, error in self._bus.publish_all(found).items()]
            yield _Part(part[-1].arn, open_findings=len(found), failures=tuple(failures))


_NEXT: Final[Mapping[Step, Step | None]] = {Step.REQUEST_CHECKS: Step.PUBLISH_FINDINGS, Step.PUBLISH_FINDINGS: None}


def _parts(targets: Iterable[FunctionTarget], after: str) -> Iterator[tuple[FunctionTarget, ...]]:
    """Yield the functions after an ARN in parts, each function once, in the order of the ARNs."""
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
