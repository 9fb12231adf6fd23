"""Plan a change of a resource-based policy: the guards that every one of them has, and the plan itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import FixRefusedError
from permission_guard.findings.lifecycle import is_about, verdict_about
from permission_guard.fixes.base import Plan
from permission_guard.fixes.certify import Kind, certify
from permission_guard.fixes.guards import guard_function, guard_statement
from permission_guard.fixes.invoke_policies import (
    InvokePolicy,
    digest_of,
    is_own,
    permission_of,
    size_of,
)
from permission_guard.fixes.policy_change import PolicyEdit, complete_state_of, state_of
from permission_guard.fixes.policy_snapshots import document_of, policy_in, with_statements
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.names import STATEMENT_ID
from permission_guard.model.state import ResourcePolicy
from permission_guard.model.verdicts import Outcome
from permission_guard.records import record
from permission_guard.remedies.policy_compaction import MOST_BYTES
from permission_guard.remedies.statement_replacement import replace_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.fixes.base import Check, FixState
    from permission_guard.fixes.proven_sources import ProvenSource
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict

    Statement = Mapping[str, JSON]

LATER: Final = "A source that is configured after the plan was made is not in it."


@record
class Subject:
    """What a plan is about: the problem, and the policy in the snapshot, also in the form that calls change."""

    finding: Finding
    snapshot: Snapshot
    problem: Verdict
    policy: ResourcePolicy
    current: InvokePolicy

    @property
    def statement(self) -> Statement:
        """The statement that the problem is about. FixRefusedError if the policy has it twice, or not."""
        named = self.problem.evidence.get("statement")
        found = [one for one in self.current.statements if digest_of(one) == digest_of(named)]
        if len(found) != 1:
            raise FixRefusedError(f"The policy of {self.policy.resource_arn} has the statement {len(found)} times.")
        return found[0]


def subject_of(finding: Finding, snapshot: Snapshot, check: Check) -> Subject:
    """Return what a finding is about. FixRefusedError if the function must not be changed."""
    problem = verdict_about(finding, check(snapshot))
    if problem is None or problem.outcome is not Outcome.VIOLATION:
        raise FixRefusedError("The problem no longer exists.")
    guard_function(snapshot)
    arn = problem.function_arn.removesuffix(":$LATEST")
    policy = policy_in(snapshot, arn)
    if policy is None:
        _, qualifier = parse_function_arn(arn)
        policy = ResourcePolicy(arn, qualifier, document_of(None, ()))
    document = policy.document.document
    current = InvokePolicy.of(policy.resource_arn, document if isinstance(document, dict) else {}, "")
    return Subject(finding, snapshot, problem, policy, current)


def guard_removal(statement: Statement, resource_arn: str, fix_state: FixState) -> None:
    """Refuse to remove a statement that a stack owns, or that RemovePermission cannot name alone."""
    name = statement.get("Sid")
    if not isinstance(name, str) or not name:
        if fix_state.replaces_policies():
            return
        raise FixRefusedError(
            "The statement has no Sid, so RemovePermission cannot remove it: set AtomicNarrowing, or apply the remedy."
        )
    if not STATEMENT_ID.match(name) and not fix_state.replaces_policies():
        raise FixRefusedError(f"RemovePermission does not accept the Sid {name!r} in the policy of {resource_arn}.")
    if not is_own(statement):  # what a fix wrote, no stack owns
        guard_statement(name, fix_state.stack_in_region(name))


@record(kw_only=True)
class Draft:
    """A change to plan. `sources` are the proven ones, which must stay allowed. `words` are its summary.

    `denied_sources` names sources of other accounts that the change denies, empty if none is known.
    """

    kind: Kind
    words: str
    added: tuple[Statement, ...]
    removed: tuple[Statement, ...]
    sources: tuple[ProvenSource, ...]
    unknowns: tuple[str, ...] = ()
    approval: str = ""
    denied_sources: str = ""
    is_atomic: bool = False

    @property
    def narrows(self) -> bool:
        """Whether nothing is allowed afterwards that was not before."""
        return self.kind is not Kind.ADD


def planned(subject: Subject, draft: Draft, check: Check) -> Plan:
    """Return the plan of a draft. FixRefusedError if the bot cannot write it, or it is not proven to be safe."""
    current, arn = subject.current, subject.policy.resource_arn
    edit = PolicyEdit.of(current, draft.added, draft.removed, is_atomic=draft.is_atomic)
    if not edit.is_atomic:
        _guard_calls(edit)
    steps = edit.steps(current.statements)
    sizes = [size_of(current.with_statements(step)) for step in steps if step]
    if max(sizes, default=0) > MOST_BYTES:
        raise FixRefusedError(
            f"The policy of {arn} would have {max(sizes):,} bytes; Lambda accepts {MOST_BYTES:,}. Shorten it first."
        )
    policies = [document_of(subject.policy, step) for step in steps]
    certificate = certify(draft.kind, subject.policy.document, policies, added=draft.added, proven=draft.sources)
    after = with_statements(subject.snapshot, arn, steps[-1])
    _guard_new_findings(subject, edit, check(after))
    return Plan(
        summary=draft.words,
        change=edit.to_change(),
        calls=edit.calls(current),
        before=complete_state_of(current, edit),
        expected=state_of(current, edit, steps[-1]),
        rests_on={
            "function_arn": subject.problem.function_arn,
            "subject": subject.problem.subject,
            "sources": sorted({one.trigger.source for one in draft.sources}),
            **({"denied_sources": draft.denied_sources} if draft.denied_sources else {}),
        },
        unknowns=draft.unknowns,
        undo=replace_statements(arn, [dict(one) for one in draft.added], [dict(one) for one in draft.removed]),
        missing=(),
        grants=(),
        leads_to=after,
        narrows=draft.narrows,
        approval=draft.approval,
        certificate=certificate,
    )


def _guard_calls(edit: PolicyEdit) -> None:
    for one in edit.added:
        if permission_of(one, edit.resource_arn) is None:
            raise FixRefusedError(
                "AddPermission cannot write the new statement for the bot: set AtomicNarrowing, or apply the remedy."
            )


def _guard_new_findings(subject: Subject, edit: PolicyEdit, verdicts: Sequence[Verdict]) -> None:
    """Refuse a change after which the rule still reports the problem, or reports a new statement."""
    new = {f"statement/{one['Sid']}" for one in edit.added}
    for one in verdicts:
        is_new = one.function_arn == edit.resource_arn and one.subject in new
        if (is_new or is_about(one, subject.finding)) and one.outcome is not Outcome.PASS:
            raise FixRefusedError(f"The change would not help: {one.reason}")
