"""The base class of the rules that check each Allow statement of a resource-based policy."""

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
class Problem:
    """A problem of a statement; `severity` overrides the severity of the rule."""

    title: str
    reason: str
    impact: str
    remedies: tuple[Remedy, ...]
    severity: Severity | None = None
    evidence: Mapping[str, JSON] = field(default_factory=dict)


class StatementRule(Rule):
    """Check each Allow statement in the policies of a function, its versions and its aliases."""

    direction = Direction.INVOKE_POLICY
    reads: ClassVar[frozenset[str]] = POLICY_READS

    @abstractmethod
    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Return the problem of a statement, or a sentence that says why it has none.

        Raises UnknownStateError if the outcome depends on state that could not be read.
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
            result = self.check_statement(allowed)
        except UnknownStateError as error:
            return self.unknown(arn, subject, str(error))
        if isinstance(result, str):
            return self.passed(arn, subject, result)
        exposed = allowed.exposure
        if exposed.closed_by is not None:
            return self.passed(
                arn, subject, f"The Deny statement {exposed.closed_by} denies everything that the statement grants."
            )
        # A condition with an operator that is unknown here may restrict the source: AWS adds operators.
        if exposed.malformed or any(condition.problem for condition in allowed.statement.conditions):
            return self.unknown(arn, subject, f"The statement cannot be read: {'; '.join(exposed.problems)}.")
        return self.violation(
            function_arn=arn,
            subject=subject,
            title=result.title,
            reason=result.reason,
            impact=result.impact,
            evidence={"statement": dict(allowed.statement.raw), "resource_arn": arn, **result.evidence},
            remedies=result.remedies,
            severity=result.severity,
        )
