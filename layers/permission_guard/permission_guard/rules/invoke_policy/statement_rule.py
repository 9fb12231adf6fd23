"""What the rules on resource-based policies have in common: they judge one Allow statement after the other."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from permission_guard.errors import UnknownStateError
from permission_guard.invokers.allowed import Allowed, statements_of
from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction
from permission_guard.records import field, record
from permission_guard.rules.base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy, Severity, Verdict

POLICY_READS = frozenset({"lambda:GetPolicy", "lambda:ListAliases", "lambda:ListVersionsByFunction"})


@record(kw_only=True)
class Complaint:
    """What is wrong with a statement; `severity` only where it is not the rule's own."""

    title: str
    reason: str
    impact: str
    remedies: tuple[Remedy, ...]
    severity: Severity | None = None
    evidence: Mapping[str, JSON] = field(default_factory=dict)


class StatementRule(Rule):
    """A question about each statement of a function's policy and of those of its versions and aliases."""

    direction = Direction.INVOKE_POLICY
    reads: ClassVar[frozenset[str]] = POLICY_READS

    @abstractmethod
    def judge(self, allowed: Allowed) -> Complaint | str:
        """Say what is wrong with a statement, or in a sentence why nothing is.

        UnknownStateError when that rests on something that could not be read.
        """

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each Allow statement."""
        for policy in snapshot.resource_policies:
            if isinstance(policy, Unread):
                yield self.unknown(snapshot.target.arn, None, str(policy))
                continue
            if policy.document.unreadable:
                problems = "; ".join(policy.document.problems)
                yield self.unknown(policy.resource_arn, None, f"The policy cannot be read: {problems}.")
            for allowed in statements_of(policy, snapshot, self.trust):
                yield self._verdict(allowed)

    def _verdict(self, allowed: Allowed) -> Verdict:
        arn, subject = allowed.policy.resource_arn, f"statement/{allowed.name}"
        try:
            said = self.judge(allowed)
        except UnknownStateError as error:
            return self.unknown(arn, subject, str(error))
        if isinstance(said, str):
            return self.passed(arn, subject, said)
        exposed = allowed.exposure
        if exposed.closed_by is not None:
            return self.passed(arn, subject, f"The Deny statement {exposed.closed_by} takes all of it back.")
        # A condition that cannot be read may restrict the source: AWS may have added its operator.
        if exposed.malformed or any(condition.problem for condition in allowed.statement.conditions):
            return self.unknown(arn, subject, f"The statement cannot be read: {'; '.join(exposed.problems)}.")
        return self.violation(
            function_arn=arn,
            subject=subject,
            title=said.title,
            reason=said.reason,
            impact=said.impact,
            evidence={"statement": dict(allowed.statement.raw), "resource_arn": arn, **said.evidence},
            remedies=said.remedies,
            severity=said.severity,
        )


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names for a sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])
