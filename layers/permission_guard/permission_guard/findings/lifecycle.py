"""Reconcile a report with the recorded findings of the same function and direction. Pure.

    (none) ──violation──▶ open ──pass, or subject deleted──▶ resolved ──violation──▶ open (reopened)
      │                    │ ▲                                  │ ▲                    ▲
      │         suppressed │ │ suppression ended                │ │ pass               │ suppression ended
      └──violation──▶ suppressed ──────────────────────────────┼─┘────────────────────┘
                           ▲                                    │
                           └──violation while it is suppressed──┘

Unknown changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.findings.baseline import MAX_OPEN
from permission_guard.findings.fit import fit
from permission_guard.model.findings import (
    MAX_EVENT_IDS,
    MAX_FUNCTIONS,
    MAX_HISTORY,
    UNKNOWN_CAUSE,
    Cause,
    Finding,
    PastTransition,
    Status,
    Transition,
    UndoRecord,
)
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from permission_guard.model.findings import FixRecord
    from permission_guard.model.state import ManagedBy
    from permission_guard.model.verdicts import Remedy
    from permission_guard.rules.base import Rule
    from permission_guard.rules.report import Report

SuppressionOf = Callable[[Finding], Suppression | None]
"""What the configuration and the tags of its function say of a finding: why it is suppressed, None if it is not."""

SEEN_EVERY: Final = timedelta(days=1)
"""How old the time at which a finding was last seen may become before a check writes it again."""


@record
class Change:
    """A finding to write.

    `expected_revision` is the revision that was read, None where there was none. `expected_owner` is the owner of the
    fix that was read, None if the change keeps it.
    """

    finding: Finding
    expected_revision: int | None
    expected_owner: str | None = None

    @property
    def read_owner(self) -> str:
        """The owner of the fix that was read, empty if there was none."""
        return owner_of_fix(self.finding) if self.expected_owner is None else self.expected_owner

    @property
    def is_transition(self) -> bool:
        """Whether the change is a transition, which is published; otherwise only texts or evidence changed."""
        return self.finding.revision != self.expected_revision


def owner_of_fix(finding: Finding) -> str:
    """Return the owner of a finding's last fix, empty if there is none."""
    return finding.fix.owner if finding.fix else ""


def no_suppression(finding: Finding) -> None:
    """Suppress no finding."""


def reconcile(
    recorded: Sequence[Finding],
    report: Report,
    *,
    now: str,
    cause: Cause = UNKNOWN_CAUSE,
    suppression_of: SuppressionOf = no_suppression,
    baseline: bool = False,
    functions: Sequence[str] | None = None,
) -> tuple[Change, ...]:
    """Return the changes that bring the recorded findings up to date with a report.

    `recorded` are the findings of the report's target, of all rules; those of rules that were not evaluated are not
    changed. `now` is ISO-8601 in UTC. `suppression_of` returns what the configuration and the function's tags suppress.
    `baseline` marks new findings for the digest of the first sweep. `functions` are the ARNs of all functions that use
    the role, for findings about a role; None keeps those that are recorded.
    """
    by_id = {finding.id: finding for finding in recorded}
    # Each subject once: AWS's paginated lists can contain the same item twice.
    seen = {verdict.finding_id: verdict for verdict in report.violations}
    changes: list[Change] = []
    for key, verdict in seen.items():
        before = by_id.get(key)
        found = _found(before, verdict, report, now, functions)
        suppression = _in_force(found.suppression, now) or suppression_of(found)
        changes += _violated(before, replace(found, suppression=suppression), now, cause, baseline=baseline)
    for finding in recorded:
        if finding.id not in seen and finding.status is not Status.RESOLVED:
            resolution = report.not_evaluated.get(finding.rule_id)
            if resolution is None and finding.rule_id in report.rules:
                resolution = _resolution(finding, report)
            if resolution is not None:
                changes.append(resolved(finding, resolution, now, cause))
    return tuple(changes)


def advanced(finding: Finding, transition: Transition, now: str, cause: Cause = UNKNOWN_CAUSE) -> Finding:
    """Return a finding after a transition: its next revision, with who caused it in its history."""
    past = PastTransition(
        revision=finding.revision + 1,
        transition=transition,
        at=now,
        by=cause.by,
        address=cause.address,
        tool=cause.tool,
        event_id=cause.event_id or next(iter(cause.event_ids), ""),
    )
    history = (*finding.history, past)[-MAX_HISTORY:]
    return replace(finding, revision=past.revision, transition=transition, changed_at=now, history=history)


def _changed(finding: Finding, transition: Transition, now: str, cause: Cause) -> Finding:
    """Return a finding after a transition that a change of the state led to, with who made the change."""
    return replace(
        advanced(finding, transition, now, cause),
        event_ids=cause.event_ids[:MAX_EVENT_IDS],
        changed_by=cause.by,
        changed_from=cause.address,
        changed_with=cause.tool,
        changed_event=cause.event_id,
        changed_in=cause.region,
    )


def resolved(finding: Finding, resolution: str, now: str, cause: Cause = UNKNOWN_CAUSE) -> Change:
    """Return the change that resolves a finding, for the reason `resolution`."""
    after = replace(_changed(finding, Transition.RESOLVED, now, cause), status=Status.RESOLVED, resolution=resolution)
    return Change(after, finding.revision)


def suppressed(finding: Finding, suppression: Suppression, now: str, cause: Cause = UNKNOWN_CAUSE) -> Change:
    """Return the change that suppresses an open finding, or replaces its suppression."""
    if finding.status is Status.SUPPRESSED and finding.suppression == suppression:
        return Change(finding, finding.revision)
    after = _changed(finding, Transition.SUPPRESSED, now, cause)
    text = suppression_text(suppression)
    return Change(replace(after, status=Status.SUPPRESSED, suppression=suppression, resolution=text), finding.revision)


def reopened(finding: Finding, now: str, cause: Cause = UNKNOWN_CAUSE) -> Change:
    """Return the change that opens a resolved or suppressed finding again."""
    after = _changed(finding, Transition.REOPENED, now, cause)
    return Change(replace(after, status=Status.OPEN, opened_at=now, resolution=""), finding.revision)


def undo_requested(finding: Finding, fix: FixRecord, *, by: str, at: str, reason: str) -> Finding:
    """Return a finding after a request to undo its applied fix."""
    undo = UndoRecord(revision=finding.revision, by=by, at=at, reason=reason)
    return replace(
        advanced(finding, Transition.FIX_UNDO_REQUESTED, at, Cause(by=by)), fix=replace(fix, undo_record=undo)
    )


def undone(finding: Finding, now: str, by: str, *, is_solved: bool) -> Finding:
    """Return a finding whose fix was undone, as `by` requested.

    A resolved one is open again, unless the problem does not exist without the fix either (`is_solved`).
    """
    after = advanced(finding, Transition.FIX_UNDONE, now, Cause(by=by))
    opens = finding.status is Status.RESOLVED and not is_solved
    return replace(after, status=Status.OPEN, opened_at=now, resolution="") if opens else after


def suppression_text(suppression: Suppression) -> str:
    """Return who suppresses a finding, until when and why."""
    return f"Suppressed by {suppression.owner} until {suppression.until[: len('2026-11-20')]}: {suppression.reason}"


def _in_force(suppression: Suppression | None, now: str) -> Suppression | None:
    """Return what a person suppressed, while it lasts. The rest is what the configuration and the tags say now."""
    if suppression is None or suppression.by is not SuppressedBy.PERSON:
        return None
    return suppression if _is_before(now, suppression.until) else None


def _is_before(time: str, other: str) -> bool:
    return datetime.fromisoformat(time) < datetime.fromisoformat(other)


def _found(
    recorded: Finding | None, verdict: Verdict, report: Report, now: str, functions: Sequence[str] | None
) -> Finding:
    """Return the finding as a verdict describes it, with what was recorded of it otherwise."""
    rule = report.rules[verdict.rule_id]
    finding = recorded or _unrecorded(verdict, rule, report, now)
    managed_by = report.managed_by or finding.managed_by
    is_recent = datetime.fromisoformat(now) - datetime.fromisoformat(finding.last_seen) < SEEN_EVERY
    return fit(
        replace(
            finding,
            severity=verdict.severity or rule.severity,
            title=verdict.title,
            reason=verdict.reason,
            impact=verdict.impact,
            evidence=verdict.evidence,
            remedies=_own_first(verdict.remedies, managed_by),
            managed_by=managed_by,
            tags=finding.tags if verdict.role_arn or report.tags is None else report.tags,
            functions=finding.functions if functions is None else tuple(functions[:MAX_FUNCTIONS]),
            function_count=finding.function_count if functions is None else len(functions),
            last_seen=finding.last_seen if is_recent else now,
        )
    )


def _unrecorded(verdict: Verdict, rule: Rule, report: Report, now: str) -> Finding:
    """Return a finding before its first transition."""
    return Finding(
        id=verdict.finding_id,
        rule_id=rule.id,
        rule_name=rule.name,
        severity=rule.severity,
        partition=report.target.partition,
        account=report.target.account,
        region=report.target.region,
        function_arn="" if verdict.role_arn else verdict.function_arn,
        role_arn=verdict.role_arn,
        subject=_subject(verdict),
        title="",
        reason="",
        impact="",
        evidence={},
        remedies=(),
        status=Status.OPEN,
        revision=0,
        transition=Transition.OPENED,
        opened_at=now,
        changed_at=now,
        first_seen=now,
        last_seen=now,
    )


def _violated(recorded: Finding | None, found: Finding, now: str, cause: Cause, *, baseline: bool) -> Iterator[Change]:
    """Yield the change of a violated finding: `found` is as it was found, with what suppresses it."""
    before = recorded.revision if recorded else None
    is_open = recorded is not None and recorded.status is Status.OPEN
    suppression = found.suppression
    if suppression is not None and not _is_before(now, suppression.until):
        suppression = None
        found = replace(found, suppression=None)
    if suppression is not None:
        if recorded is not None and recorded.status is Status.SUPPRESSED:
            if found != recorded:
                yield Change(replace(found, resolution=suppression_text(suppression)), before)
        else:
            yield replace(suppressed(_seen(found, now), suppression, now, cause), expected_revision=before)
    elif recorded is None:
        opened = _changed(found, Transition.OPENED, now, cause)
        yield Change(replace(opened, baseline=baseline), None)
    elif not is_open:
        yield reopened(_seen(found, now), now, cause)
    elif found.baseline and not baseline and cause.is_event and _is_in_baseline(found, now):
        yield Change(replace(_changed(found, Transition.OPENED, now, cause), baseline=False), before)
    elif found != recorded:
        yield Change(found, before)


def _is_in_baseline(finding: Finding, now: str) -> bool:
    """Return whether the baseline that a finding belongs to can still be open.

    If an event names the function meanwhile, its findings are alerted by themselves.
    """
    return datetime.fromisoformat(now) - datetime.fromisoformat(finding.opened_at) < MAX_OPEN


def _seen(finding: Finding, now: str) -> Finding:
    return replace(finding, last_seen=now)


def _resolution(finding: Finding, report: Report) -> str | None:
    """Return why a finding is no longer violated; None when that is unknown."""
    if disabled := report.rules[finding.rule_id].resolution:
        return disabled
    own = [verdict for verdict in report.verdicts if verdict.rule_id == finding.rule_id]
    for verdict in own:
        if verdict.outcome is Outcome.PASS and verdict.finding_id == finding.id:
            return verdict.reason
    if any(v.outcome is Outcome.UNKNOWN and is_about(v, finding) for v in own):
        return None
    if report.deleted:
        return "The function was deleted."
    if report.rules[finding.rule_id].of_role and not finding.role_arn:
        return "The finding is now recorded for the role."
    return f"{finding.subject} no longer exists."


def is_about(verdict: Verdict, finding: Finding) -> bool:
    """Whether a verdict is about a finding's subject, alone or among others."""
    if verdict.subject is None or verdict.finding_id == finding.id:
        return True
    return verdict.subject.endswith("/*") and f"{finding.subject}/".startswith(verdict.subject[:-1])


def verdict_about(finding: Finding, verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return what the finding's rule says about its subject, None if the subject no longer exists."""
    return next((one for one in verdicts if one.rule_id == finding.rule_id and is_about(one, finding)), None)


def managed(finding: Finding, managed_by: ManagedBy | None) -> Finding:
    """Return a finding with the tool in whose code to solve the problem, and with that tool's remedies first."""
    if managed_by is None:
        return finding
    return replace(finding, managed_by=managed_by, remedies=_own_first(finding.remedies, managed_by))


_CODE = ("policy-statement", "terraform", "cdk", "sam", "aws-cli")
_KINDS = {
    "cloudformation": ("sam", "cdk", "policy-statement", "aws-cli", "terraform"),
    "sam": ("sam", "policy-statement", "cdk", "aws-cli", "terraform"),
    "cdk": ("cdk", "sam", "policy-statement", "aws-cli", "terraform"),
    "terraform": ("terraform", "policy-statement", "aws-cli", "sam", "cdk"),
    "opentofu": ("terraform", "policy-statement", "aws-cli", "sam", "cdk"),
    "pulumi": _CODE,
    "other": _CODE,
}
"""The kinds of remedies, from the one that the owner of the code applies to the one that its next deployment undoes."""
_OF_CONSOLE = ("aws-cli", "policy-statement", "sam", "cdk", "terraform")


def _own_first(remedies: tuple[Remedy, ...], managed_by: ManagedBy | None) -> tuple[Remedy, ...]:
    """Order remedies by what owns the function: infrastructure code, or a person at the console."""
    kinds = _KINDS.get(managed_by.tool, _OF_CONSOLE) if managed_by else _OF_CONSOLE
    return tuple(sorted(remedies, key=lambda remedy: kinds.index(remedy.kind) if remedy.kind in kinds else len(kinds)))


def _subject(verdict: Verdict) -> str:
    if verdict.subject is None:
        raise ValueError(f"{verdict.rule_id} reported a violation without a subject")
    return verdict.subject
