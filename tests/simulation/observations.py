"""What the simulation sees on the way, for the invariants: events on the bus, fixes, findings that resolve."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.findings import Finding, FixResult, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from permission_guard.model.findings import FixRecord
    from tests.simulation.environments import Invocation

FINDING_PREFIX: Final = "FINDING#"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A policy that the stack attached to a role at a time, in seconds since 1970.

    `attempt` is the attempt of a fix that the invocation applied (`<finding>#<number>`), empty for none. `plan` is the
    fix as it was recorded then, None if none was being applied, and `rule_id` the rule of its finding. `others` are
    invocations that applied the same one. `document` is the configuration with which the invocation works. `may_fix` is
    whether it has read, immediately before, that fixing is not stopped.
    """

    role: str
    policy: str
    at: float
    attempt: str
    plan: FixRecord | None
    others: tuple[str, ...]
    document: str
    rule_id: str
    may_fix: bool


@dataclass(slots=True)
class Observations:
    """What was seen.

    `published` are the revisions of each finding on the bus, in their order. `lost` are the ids and revisions of the
    findings whose event was lost between the bus and a queue. `resolved_early` names findings that were resolved while
    their problem existed.
    """

    published: dict[str, list[int]] = field(default_factory=dict)
    lost: set[tuple[str, int]] = field(default_factory=set)
    attachments: list[Attachment] = field(default_factory=list)
    resolved_early: list[str] = field(default_factory=list)
    _appliers: dict[str, Invocation] = field(default_factory=dict)

    def see_event(self, detail: Mapping[str, Any]) -> None:
        """Note an event on the bus."""
        self.published.setdefault(detail["id"], []).append(detail["revision"])

    def see_attachment(
        self,
        by: Invocation,
        role: str,
        policy: str,
        *,
        at: float,
        running: Iterable[Invocation],
        findings: Iterable[Finding],
    ) -> None:
        """Note that an invocation attaches a policy to a role. `findings` are those of the table."""
        identifier = by.attempt.partition("#")[0]
        finding = next((one for one in findings if one.id == identifier), None)
        plan = finding.fix if finding is not None and _attaches(finding.fix, role, policy) else None
        others = [
            one
            for one in running
            if one is not by and identifier and one.attempt.partition("#")[0] == identifier and one.deadline >= at
        ]
        first = self._appliers.setdefault(f"{by.attempt} {policy}", by)
        others += [first] if first is not by and first not in others else []
        self.attachments.append(
            Attachment(
                role,
                policy,
                at,
                by.attempt,
                plan,
                tuple(one.words for one in others),
                by.environment.document,
                finding.rule_id if finding is not None else "",
                by.stop_read.may_fix,
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
        if finding.fix is not None and finding.fix.result is FixResult.APPLYING:
            by.attempt = f"{finding.id}#{finding.fix.attempts}"
        elif by.attempt.startswith(finding.id):
            by.attempt = ""
        was_resolved = old is not None and read(old).status is Status.RESOLVED
        if finding.status is Status.RESOLVED and not was_resolved and not finding.role_arn:
            existing = violations()
            if existing is not None and finding.id in existing:
                self.resolved_early.append(f"{finding.rule_id} of {finding.function_arn} by {by.words}")


def read(item: Mapping[str, Any]) -> Finding:
    """Read a finding of the table."""
    return Finding.from_document(json.loads(item["document"]["S"]))


def _attaches(fix: FixRecord | None, role: str, policy: str) -> bool:
    return (
        fix is not None
        and fix.result is FixResult.APPLYING
        and policy in fix.change.get("policy_arns", ())
        and str(fix.change.get("role_arn")).endswith(f"/{role}")
    )
