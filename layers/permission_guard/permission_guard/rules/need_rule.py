"""What the rules on needs have in common: a subject needs actions, its role is allowed all of them or lacks some."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from permission_guard.execution_role import decide
from permission_guard.iam import EvalDecision
from permission_guard.model import Role, Scope, Unread, Verdict
from permission_guard.rules import role_cures
from permission_guard.rules.base import Rule, known
from permission_guard.rules.role_rule import POLICY_READS, ROLE_READS, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from permission_guard.event_sources import Need
    from permission_guard.iam import Decision
    from permission_guard.model import JSON, Function, Remedy, Snapshot


@dataclass(frozen=True, slots=True)
class Question:
    """What one subject needs of the role of a function or a version.

    `purpose` continues "cannot ..." and "may ...". `managed_policy` is the path and name of the AWS managed policy that
    carries all of the needs, empty where there is none. `facts` go into the evidence.
    """

    function: Function
    subject: str
    needs: tuple[Need, ...]
    purpose: str
    managed_policy: str = ""
    facts: Mapping[str, JSON] = field(default_factory=dict)


class NeedRule(Rule):
    """A question about what the role must be allowed, one for each subject."""

    scope = Scope.EXECUTION_ROLE
    settles = True
    reads: ClassVar[frozenset[str]] = ROLE_READS | POLICY_READS

    @abstractmethod
    def questions(self, snapshot: Snapshot) -> Iterable[Question | Verdict]:
        """Yield what each subject needs; a verdict where that is not even a question."""

    @abstractmethod
    def impact(self, question: Question) -> str:
        """Say what is broken as long as an action is missing."""

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each subject."""
        for question in self.questions(snapshot):
            yield question if isinstance(question, Verdict) else self._answer(question, snapshot)

    def _answer(self, question: Question, snapshot: Snapshot) -> Verdict:
        function, subject = question.function, question.subject
        role = snapshot.roles.get(function.role_arn)
        if isinstance(role, Unread):
            return self.unknown(function.arn, subject, str(role))
        if role is None:
            return self.unknown(function.arn, subject, f"{function.role_arn} does not exist, as PG207 tells.")
        needs = [need for need in question.needs if not need.recommended]
        decisions = {need: decide(need, role, function.arn, snapshot.source_policies) for need in needs}
        missing = {need: decision for need, decision in decisions.items() if decision.denied}
        if missing:
            return self._missing(question, role, missing)
        unclear = sorted({_unclear(need, decision) for need, decision in decisions.items() if not decision.allowed})
        if unclear:
            return self.unknown(function.arn, subject, " ".join(unclear))
        return self.passed(function.arn, subject, f"{role.arn} may {question.purpose}.")

    def _missing(self, question: Question, role: Role, missing: Mapping[Need, Decision]) -> Verdict:
        function = question.function
        causes = " ".join(sorted({decision.explain() for decision in missing.values()}))
        return self.violation(
            function_arn=function.arn,
            subject=question.subject,
            title=f"{function.name} cannot {question.purpose}",
            reason=f"{role.arn} is not allowed {list_of(missing)}. {causes}",
            impact=self.impact(question),
            evidence={
                "role_arn": role.arn,
                "missing": [{"action": need.action, "resource": need.resource} for need in missing],
                "managed_policy_arn": managed_policy_arn(question, role.arn) if question.managed_policy else None,
                **question.facts,
            },
            remedies=remedies(question, role, missing),
        )


def functions_of(snapshot: Snapshot) -> Iterator[Function]:
    """Yield the function and those of its versions that were read and run with another role or configuration.

    A version that says the same as the function is no subject of its own.
    """
    own = known(snapshot.versions.get(snapshot.target.arn))
    if own is not None:
        yield own
    for arn, version in sorted(snapshot.versions.items()):
        if arn != snapshot.target.arn and version is not None and not isinstance(version, Unread):
            yield version


def remedies(question: Question, role: Role, missing: Mapping[Need, Decision]) -> tuple[Remedy, ...]:
    """Return the cures: AWS's managed policy where one carries all, else a policy with exactly what is missing.

    None where a Deny or a boundary is in the way: nothing that is added to the role helps, and the reason names it.
    """
    if any(is_in_the_way(decision) for decision in missing.values()):
        return ()
    if question.managed_policy:
        cures = role_cures.attached(role.arn, managed_policy_arn(question, role.arn))
    else:
        cures = role_cures.put(role.arn, role_cures.free_name("permission-guard", role), list(missing))
    command, terraform = cures
    return role_cures.all_of(command, list(missing), terraform)


def is_in_the_way(decision: Decision) -> bool:
    """Tell whether something denies that adding a policy to the role does not undo."""
    return decision.decision is EvalDecision.EXPLICIT_DENY or decision.blocked_by not in (None, "identity")


def managed_policy_arn(question: Question, role_arn: str) -> str:
    """Return the ARN of the AWS managed policy that carries the needs, in the role's partition."""
    return f"arn:{role_arn.split(':')[1]}:iam::aws:policy/{question.managed_policy}"


def list_of(needs: Iterable[Need]) -> str:
    """Return the actions with their resources, in words."""
    actions: dict[str, dict[str, None]] = {}
    for need in needs:
        actions.setdefault(need.resource, {})[need.action] = None
    return "; nor ".join(f"{listed(named)} on {resource}" for resource, named in actions.items())


def _unclear(need: Need, decision: Decision) -> str:
    return f"{need.action} on {need.resource}: {decision.explain()}"
