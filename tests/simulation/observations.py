"""What the simulation sees on the way, for the invariants: events on the bus, fixes, findings that resolve."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.findings import Finding, FixResult, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from permission_guard.model.findings import FixRecord, PlannedCall
    from tests.simulation.calls import Call
    from tests.simulation.environments import Invocation

_CHANGED: Final = ("RoleName", "UUID", "FunctionName", "ResourceArn")
FINDING_PREFIX: Final = "FINDING#"
ATTACH: Final = "AttachRolePolicy"
DETACH: Final = "DetachRolePolicy"
ENABLE: Final = "UpdateEventSourceMapping"


@dataclass(frozen=True, slots=True)
class Write:
    """A change that the stack made at a time, in seconds since 1970.

    That is a policy that it attached to a role or detached, a mapping that it enabled or disabled, by its UUID, or a
    statement that it added to a function's policy or removed, by its Sid: `changed` names what was changed.
    `is_undo` is whether it undid a fix. `attempt` is the attempt of a fix that the invocation applied
    (`<finding>#<number>`) or the request for which it undid one (`<finding>#undo#<revision>`), empty for none. `plan`
    is the fix as it was recorded then, None if the record did not have this change, and `rule_id` the rule of its
    finding. `others` are invocations that made the same one. `document` is the configuration with which the invocation
    works. `may_fix` is whether it has read, immediately before, that fixing is not stopped, and `is_requested` whether
    a person had requested an undo, or the fixer itself had recorded that it undoes the fix.
    """

    operation: str
    changed: str
    policy: str
    is_undo: bool
    at: float
    attempt: str
    plan: FixRecord | None
    others: tuple[str, ...]
    document: str
    rule_id: str
    may_fix: bool
    is_requested: bool

    def __str__(self) -> str:
        if self.operation == ENABLE:
            return f"a mapping was {'disabled' if self.is_undo else 'enabled'}: {self.changed}"
        if self.operation in (ATTACH, DETACH):
            return f"{self.policy} was {'detached from' if self.is_undo else 'attached to'} {self.changed}"
        return f"{self.operation} {self.policy} of {self.changed}{' by an undo' if self.is_undo else ''}"


@dataclass(slots=True)
class Observations:
    """What was seen.

    `published` are the revisions of each finding on the bus, in their order. `lost` are the ids and revisions of the
    findings whose event was lost between the bus and a queue. `resolved_early` names findings that were resolved while
    their problem existed.
    """

    published: dict[str, list[int]] = field(default_factory=dict)
    lost: set[tuple[str, int]] = field(default_factory=set)
    writes: list[Write] = field(default_factory=list)
    resolved_early: list[str] = field(default_factory=list)
    _appliers: dict[str, Invocation] = field(default_factory=dict)

    def see_event(self, detail: Mapping[str, Any]) -> None:
        """Note an event on the bus."""
        self.published.setdefault(detail["id"], []).append(detail["revision"])

    @property
    def attachments(self) -> list[Write]:
        """Return the policies that were attached."""
        return [one for one in self.writes if one.operation == ATTACH]

    @property
    def detachments(self) -> list[Write]:
        """Return the policies that were detached."""
        return [one for one in self.writes if one.operation == DETACH]

    def see_write(
        self,
        by: Invocation,
        call: Call,
        *,
        at: float,
        running: Iterable[Invocation],
        findings: Iterable[Finding],
        decisions: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> None:
        """Note a change that an invocation made. `findings` and `decisions` are those of the tables."""
        identifier, _, number = by.attempt.partition("#")
        finding = next((one for one in findings if one.id == identifier), None)
        plan = finding.fix if finding is not None and _has(finding.fix, call) else None
        revision = number.removeprefix("undo#")
        request, own = decisions.get((identifier, revision)), decisions.get((f"WATCH#{identifier}", "0"))
        by_person = request is not None and request["decision"]["S"] == "undo"
        by_bot = own is not None and own.get("undone_for") == {"N": revision}
        others = [
            one
            for one in running
            if one is not by and identifier and one.attempt.partition("#")[0] == identifier and one.deadline >= at
        ]
        changed = next(call.params[name] for name in _CHANGED if name in call.params)
        policy = call.params.get("PolicyArn") or call.params.get("StatementId") or ""
        first = self._appliers.setdefault(f"{by.attempt} {call.operation} {policy}", by)
        others += [first] if first is not by and first not in others else []
        self.writes.append(
            Write(
                call.operation,
                changed,
                policy,
                _undoes(call, by),
                at,
                by.attempt,
                plan,
                tuple(one.words for one in others),
                by.environment.document,
                finding.rule_id if finding is not None else "",
                by.stop_read.may_fix,
                by_person or by_bot,
            )
        )

    def see_finding(
        self,
        old: Mapping[str, Any] | None,
        new: Mapping[str, Any],
        by: Invocation | None,
        violations: Callable[[], Mapping[str, Any] | None],
    ) -> None:
        """Note a change of a finding in the table, and the invocation that wrote it.

        `violations` returns the ids of the problems that exist now, None if they may be others than when the invocation
        began.
        """
        finding = read(new)
        if by is None:
            return
        fix = finding.fix
        if fix is not None and fix.result is FixResult.APPLYING:
            by.attempt = f"{finding.id}#{fix.attempts}"
        elif fix is not None and fix.result is FixResult.UNDOING and fix.undo_record is not None:
            by.attempt = f"{finding.id}#undo#{fix.undo_record.revision}"
        elif by.attempt.startswith(finding.id):
            by.attempt = ""
        was_resolved = old is not None and read(old).status is Status.RESOLVED
        if finding.status is Status.RESOLVED and not was_resolved and not finding.role_arn:
            existing = violations()
            if existing is not None and finding.id in existing:
                self.resolved_early.append(f"{finding.rule_id} of {finding.function_arn} by {by.words}")


def read(item: Mapping[str, Any]) -> Finding:
    """Read a finding of the table."""
    return _finding(item["document"]["S"])


@lru_cache(1_000)
def _finding(document: str) -> Finding:
    return Finding.from_document(json.loads(document))


def _undoes(call: Call, by: Invocation) -> bool:
    """Return whether a change undoes a fix. A change of a function's policy can be both, so the invocation says it."""
    if call.operation in (ATTACH, DETACH, ENABLE):
        return call.operation == DETACH or call.params.get("Enabled") is False
    return "#undo#" in by.attempt


def _has(fix: FixRecord | None, call: Call) -> bool:
    """Return whether the record of a fix that is applied or undone has a call."""
    recorded = None if fix is None else fix.calls if fix.result is FixResult.APPLYING else _undo_calls(fix)
    return any(
        one.operation.partition(":")[2] == call.operation
        and dict(one.parameters) == {name: value for name, value in call.params.items() if name != "RevisionId"}
        for one in recorded or ()
    )


def _undo_calls(fix: FixRecord) -> Sequence[PlannedCall]:
    return fix.undo_record.calls if fix.undo_record and fix.result is FixResult.UNDOING else ()
