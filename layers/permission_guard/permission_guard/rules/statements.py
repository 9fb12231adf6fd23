"""What the rules on resource-based policies have in common: they judge one Allow statement after the other."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from permission_guard.iam import SOURCE_KEYS, Hold, TrustSet, exposure
from permission_guard.iam.scoping import enforced_keys
from permission_guard.invokers import Invoker, invoker_of, never_sent
from permission_guard.model import ResourcePolicy, Scope, Unread
from permission_guard.records import field, record
from permission_guard.rules.base import Rule, UnknownStateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from permission_guard.iam import Exposure, Policy, PrincipalExposure, Statement, StatementExposure
    from permission_guard.iam.conditions import Condition
    from permission_guard.model import JSON, Remedy, Severity, Snapshot, Verdict
    from permission_guard.triggers import Trigger

POLICY_READS = frozenset({"lambda:GetPolicy", "lambda:ListAliases", "lambda:ListVersionsByFunction"})


@record(frozen=True, slots=True)
class Allowed:
    """An Allow statement of a function's, version's or alias's policy, with whom it lets in."""

    policy: ResourcePolicy
    statement: Statement
    exposure: StatementExposure
    snapshot: Snapshot
    trust: TrustSet

    @property
    def name(self) -> str:
        """Its Sid; a statement without one is named by what it says, whatever stands before it."""
        if self.statement.sid:
            return self.statement.sid
        canonical = json.dumps(self.statement.raw, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def function(self) -> str:
        """The function's name, with the qualifier whose policy it is."""
        return self.policy.resource_arn.split(":function:", 1)[-1]

    @property
    def services(self) -> tuple[tuple[Invoker, PrincipalExposure], ...]:
        """The service principals that invoke by a statement like this one, and how each is held.

        Left out are those that never do, those that have ended, and those whose statements AWS writes itself.
        """
        if not self.exposure.grants_invoke:
            return ()
        found = ((invoker_of(item.value), item) for item in self.exposure.principals if item.kind == "Service")
        return tuple((invoker, item) for invoker, item in found if invoker.calls_by_policy)

    def services_held(self, hold: Hold) -> tuple[tuple[Invoker, str], ...]:
        """Return those of `services` that are held in one way, with the principals as they are written."""
        return tuple((invoker, item.value) for invoker, item in self.services if item.hold is hold)

    @property
    def only_for_services(self) -> bool:
        """Whether it asks for a source to be named, which nobody but a service does."""
        return not enforced_keys(self.statement.conditions).isdisjoint(SOURCE_KEYS)

    def source_arns(self) -> tuple[str, ...]:
        """Return every value with which a positive condition compares `aws:SourceArn`."""
        return tuple(
            text
            for condition in self.statement.conditions
            if condition.key == "aws:sourcearn" and condition.operator is not None and not condition.negated
            for text in condition.texts
        )

    def may_be_for(self, invoker: Invoker) -> bool:
        """Tell whether a source of a service can have one of the ARNs that are asked for, if any are."""
        arns = self.source_arns()
        return not arns or any(invoker.admits(arn) for arn in arns)

    def triggers_of(self, invoker: Invoker) -> tuple[Trigger, ...]:
        """Return what a service was seen to be set up with to invoke what this policy belongs to."""
        arn = self.policy.resource_arn
        return tuple(
            trigger
            for inventory in self.snapshot.inventories
            for trigger in inventory.triggers
            if trigger.principal == invoker.principal and trigger.function_arn.removesuffix(":$LATEST") == arn
        )


@record(frozen=True, slots=True, kw_only=True)
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

    scope = Scope.INVOKE_POLICY
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


@lru_cache(maxsize=32)
def _exposed(document: Policy, trust: TrustSet) -> Exposure:
    """Return whom a policy lets in: every rule asks it of the same few policies."""
    return exposure(document, trust, never_sent)


def statements_of(policy: ResourcePolicy, snapshot: Snapshot, trust: TrustSet) -> Iterator[Allowed]:
    """Yield the Allow statements of a policy; the function's own account and organization are trusted besides."""
    own = snapshot.own_organization
    trusted = TrustSet(
        trust.accounts | {snapshot.target.account},
        trust.organizations | ({own} if isinstance(own, str) else frozenset()),
    )
    for item in _exposed(policy.document, trusted).statements:
        yield Allowed(policy, policy.document.statements[item.index], item, snapshot, trusted)


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names for a sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])


def judged_generally(invokers: Iterable[Invoker]) -> str:
    """Return a sentence, with a space before it, about services that are in no table; nothing when all are known."""
    names = [invoker.principal for invoker in invokers if not invoker.is_known]
    return f" {listed(names)} is in no table of services: it is judged like any other." if names else ""


def written_conditions(conditions: Iterable[Condition]) -> str:
    """Return conditions for a sentence: `StringLike aws:SourceArn "arn:..."`."""
    return listed(
        [
            f"{condition.name} {condition.spelled} " + " or ".join(f'"{text}"' for text in condition.texts)
            for condition in conditions
        ]
    )
