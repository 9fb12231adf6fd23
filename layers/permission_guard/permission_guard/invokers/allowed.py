"""The Allow statements of a resource-based policy, with whom each allows."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from permission_guard.iam import SOURCE_KEYS, Restriction, TrustSet, exposure
from permission_guard.iam.scoping import enforced_keys
from permission_guard.invokers import Invoker, invoker_of, never_sent
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import Exposure, Policy, PrincipalExposure, Statement, StatementExposure
    from permission_guard.model.state import ResourcePolicy, Snapshot, Trigger


@record
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

    def services_with(self, restriction: Restriction) -> tuple[tuple[Invoker, str], ...]:
        """Return those of `services` that are held in one way, with the principals as they are written."""
        return tuple((invoker, item.value) for invoker, item in self.services if item.restriction is restriction)

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
