"""The plans that are proven: those that the fixes make, for each finding of a function that they can solve.

Each finding of a resource-based policy is planned twice: by single calls, and by one call that replaces the policy. A
policy of any size is compacted, not only a nearly full one, always in one call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.checks.engine import evaluate
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes import fix_for
from permission_guard.fixes.certificate import Certificate
from permission_guard.fixes.policy_change import PolicyEdit
from permission_guard.fixes.policy_snapshots import policy_in
from permission_guard.fixes.proven import proven_calls
from permission_guard.iam.compaction import compacted
from permission_guard.model.state import ResourcePolicy
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules import rules_for
from tests.fakes import InMemoryState, a_finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.fixes.base import Check, Fix
    from permission_guard.fixes.base import Plan as FixPlan
    from permission_guard.fixes.certificate import Call
    from permission_guard.iam import TrustSet
    from permission_guard.model.state import Snapshot, Trigger

JSON = Any

KINDS: Final = {
    "narrow-statement": "narrow",
    "add-permission": "add",
    "remove-statement": "remove",
    "compact-policy": "compact",
}
KEEPING: Final = frozenset({"narrow", "compact"})
"""The kinds of plans that keep each call of the proven sources. A removal keeps one form of it, see `_is_usable`."""
COMPACTED: Final = "PG113"


@dataclass(frozen=True, slots=True)
class Plan:
    """A change of a policy, as documents, and its certificate.

    `old`, `between` and `new` are the documents before, between and after the calls. Those of an attachment are lists
    of documents. `added` are the statements or documents that a plan adds. A refused plan has no documents, and the
    reason in its certificate.
    """

    name: str
    kind: str
    account: str
    old: JSON
    new: JSON
    certificate: Certificate
    between: list[JSON] = field(default_factory=list)
    proven: list[Call] = field(default_factory=list)
    added: list[JSON] = field(default_factory=list)

    @property
    def is_undecided(self) -> bool:
        """Whether the certificate does not hold because something was not decided."""
        return not self.certificate.holds and "undecided" in " ".join(self.certificate.grounds)


def plans_of(name: str, snapshot: Snapshot, trust: TrustSet) -> Iterator[Plan]:
    """Yield every plan for the policies of a function: for each finding of a rule that has a fix, and each policy."""
    known = replace(snapshot, tags={})
    for rule in rules_for(Direction.INVOKE_POLICY, trust):
        fix = fix_for(rule.id)
        if fix is None or rule.id == COMPACTED:
            continue

        def check(state: Snapshot, rule: Any = rule) -> Sequence[Verdict]:
            return evaluate(state, [rule]).verdicts

        yield from _planned(name, known, fix, check)
    compact = fix_for(COMPACTED)
    if compact is not None:
        yield from _planned(name, known, compact, compactible)


def compactible(snapshot: Snapshot) -> Sequence[Verdict]:
    """Return a violation for each policy of which statements can be merged, whatever its size."""
    return [
        Verdict(
            rule_id=COMPACTED,
            function_arn=policy.resource_arn,
            subject="policy",
            outcome=Outcome.VIOLATION if _can_be_merged(policy) else Outcome.PASS,
            reason="statements can be merged",
        )
        for policy in snapshot.resource_policies
        if isinstance(policy, ResourcePolicy) and isinstance(policy.document.document, dict)
    ]


def _can_be_merged(policy: ResourcePolicy) -> bool:
    document = document_of(policy)
    return len(compacted(document)["Statement"]) < len(document["Statement"])


def _planned(name: str, snapshot: Snapshot, fix: Fix, check: Check) -> Iterator[Plan]:
    """Yield the plans for the findings of one rule, one by single calls and one by a replaced policy."""
    for problem in check(snapshot):
        if problem.outcome is not Outcome.VIOLATION or problem.subject is None:
            continue
        finding = a_finding(
            id=problem.finding_id,
            rule_id=problem.rule_id,
            subject=problem.subject,
            function_arn=problem.function_arn,
            evidence={},
        )
        for is_atomic in (False, True) if problem.rule_id != COMPACTED else (True,):
            label = f"{name} {problem.rule_id} {problem.subject}{' in one call' if is_atomic else ''}"
            arn, kind = problem.function_arn.removesuffix(":$LATEST"), KINDS[fix.name]
            try:
                plan = fix.plan(finding, snapshot, InMemoryState(snapshot, atomic=is_atomic), check)
            except (FixRefusedError, RetryableError) as error:
                yield refused(label, kind, arn, str(error))
            else:
                yield _with_documents(label, kind, snapshot, arn, plan)


def refused(name: str, kind: str, arn: str, reason: str) -> Plan:
    """Return a plan that the fix refuses to make."""
    return Plan(name, kind, arn.split(":")[4], {}, {}, Certificate(kind, holds=False, grounds=(reason,)))


def _with_documents(name: str, kind: str, snapshot: Snapshot, arn: str, plan: FixPlan) -> Plan:
    """Return a plan with the documents before, between and after its calls."""
    policy, edit = policy_in(snapshot, arn), PolicyEdit.recorded(plan.change)
    old = document_of(policy)
    *between, new = ({**old, "Statement": step} for step in edit.steps(old["Statement"]))
    if plan.certificate is None or len(plan.calls) != len(between) + 1:
        raise TypeError(f"{name}: no certificate, or other calls than steps")
    kept = policy if kind in KEEPING else None
    proven = proven_calls(triggers_of(snapshot, arn), kept.document, arn) if kept else []
    return Plan(
        name,
        kind,
        arn.split(":")[4],
        old,
        new,
        plan.certificate,
        between,
        proven,
        added=[dict(one) for one in edit.added],
    )


# ── Sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def triggers_of(snapshot: Snapshot, arn: str) -> list[Trigger]:
    """Return the triggers of the function, version or alias of a policy."""
    every = (trigger for inventory in snapshot.inventories for trigger in inventory.triggers)
    return [trigger for trigger in every if trigger.function_arn.removesuffix(":$LATEST") == arn]


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────


def document_of(policy: ResourcePolicy | None) -> JSON:
    """Return a copy of a policy's document, its statements as a list; one without statements if there is none."""
    found = json.loads(json.dumps(policy.document.document)) if policy else {"Version": "2012-10-17"}
    statements = found.get("Statement", [])
    return {**found, "Statement": statements if isinstance(statements, list) else [statements]}
