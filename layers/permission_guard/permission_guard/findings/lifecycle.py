"""Reconcile a report with the recorded findings of the same function and direction. Pure.

    (none) ──violation──▶ open ──pass, or subject deleted──▶ resolved ──violation──▶ open (reopened)

Unknown changes nothing. A suppressed finding stays suppressed while it is violated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.findings.fit import fit
from permission_guard.model.findings import MAX_EVENT_IDS, Finding, Status, Transition
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.state import ManagedBy
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy
    from permission_guard.rules.report import Report


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


def reconcile(
    recorded: Sequence[Finding],
    report: Report,
    *,
    now: str,
    event_ids: Sequence[str] = (),
    changed_by: str = "",
) -> tuple[Change, ...]:
    """Return the changes that bring the recorded findings up to date with a report.

    `recorded` are the findings of the report's function, of all rules; those of rules that were not evaluated are not
    changed. `now` is ISO-8601 in UTC. `event_ids` are the events that led to the check, `changed_by` the ARN of who
    made the change.
    """
    by_id = {finding.id: finding for finding in recorded}
    cause = {"event_ids": tuple(event_ids)[:MAX_EVENT_IDS], "changed_by": changed_by}
    # Each subject once: AWS's paginated lists can contain the same item twice.
    seen = {verdict.finding_id: verdict for verdict in report.violations}
    changes = [_violated(by_id.get(key), verdict, report, now, cause) for key, verdict in seen.items()]
    for finding in recorded:
        if finding.id not in seen and finding.rule_id in report.rules and finding.status is not Status.RESOLVED:
            changes += _not_violated(finding, report, now, cause)
    return tuple(change for change in changes if change is not None)


def _violated(
    recorded: Finding | None,
    verdict: Verdict,
    report: Report,
    now: str,
    cause: Mapping[str, JSON],
) -> Change | None:
    rule = report.rules[verdict.rule_id]
    managed_by = report.managed_by or (recorded.managed_by if recorded else None)
    if recorded is None:
        opened = Finding(
            id=verdict.finding_id,
            rule_id=rule.id,
            rule_name=rule.name,
            severity=verdict.severity or rule.severity,
            partition=report.target.partition,
            account=report.target.account,
            region=report.target.region,
            function_arn=verdict.function_arn,
            subject=_subject(verdict),
            title=verdict.title,
            reason=verdict.reason,
            impact=verdict.impact,
            evidence=verdict.evidence,
            remedies=_own_first(verdict.remedies, managed_by),
            status=Status.OPEN,
            revision=1,
            transition=Transition.OPENED,
            opened_at=now,
            changed_at=now,
            **cause,
            managed_by=managed_by,
        )
        return Change(fit(opened), None)
    updated = fit(
        replace(
            recorded,
            title=verdict.title,
            reason=verdict.reason,
            impact=verdict.impact,
            evidence=verdict.evidence,
            remedies=_own_first(verdict.remedies, managed_by),
            severity=verdict.severity or rule.severity,
            managed_by=managed_by,
        )
    )
    if recorded.status is Status.RESOLVED:
        reopened = replace(
            updated,
            status=Status.OPEN,
            revision=recorded.revision + 1,
            transition=Transition.REOPENED,
            opened_at=now,
            changed_at=now,
            resolution="",
            **cause,
        )
        return Change(reopened, recorded.revision)
    return Change(updated, recorded.revision) if updated != recorded else None


def _not_violated(finding: Finding, report: Report, now: str, cause: Mapping[str, JSON]) -> Iterator[Change]:
    resolution = _resolution(finding, report)
    if resolution is None:
        return
    resolved = replace(
        finding,
        status=Status.RESOLVED,
        revision=finding.revision + 1,
        transition=Transition.RESOLVED,
        changed_at=now,
        resolution=resolution,
        **cause,
    )
    yield Change(resolved, finding.revision)


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
    return "The function was deleted." if report.deleted else f"{finding.subject} no longer exists."


def is_about(verdict: Verdict, finding: Finding) -> bool:
    """Whether a verdict is about a finding's subject, alone or among others."""
    if verdict.subject is None or verdict.finding_id == finding.id:
        return True
    return verdict.subject.endswith("/*") and f"{finding.subject}/".startswith(verdict.subject[:-1])


_KINDS = {
    "cloudformation": ("sam", "cdk", "policy-statement", "aws-cli", "terraform"),
    "sam": ("sam", "policy-statement", "cdk", "aws-cli", "terraform"),
    "terraform": ("terraform", "policy-statement", "aws-cli", "sam", "cdk"),
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
