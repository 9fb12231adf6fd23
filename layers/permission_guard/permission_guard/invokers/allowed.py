"""The Allow statements of a resource-based policy, with the callers that each allows."""

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
    """An Allow statement in the policy of a function, version or alias, with the callers that it allows."""

    policy: ResourcePolicy
    statement: Statement
    exposure: StatementExposure
    snapshot: Snapshot
    trust: TrustSet

    @property
    def name(self) -> str:
        """The Sid. A statement without a Sid is named by a hash of its content, so its position does not matter."""
        if self.statement.sid:
            return self.statement.sid
        canonical = json.dumps(self.statement.raw, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def function(self) -> str:
        """The name of the function, with the qualifier that the policy belongs to."""
        return self.policy.resource_arn.split(":function:", 1)[-1]

    @property
    def services(self) -> tuple[tuple[Invoker, PrincipalExposure], ...]:
        """The service principals that invoke through the policy, and how the conditions restrict each.

        Services that never invoke through the policy, that have ended, or whose statements AWS writes are left out.
        """
        if not self.exposure.grants_invoke:
            return ()
        found = ((invoker_of(item.value), item) for item in self.exposure.principals if item.kind == "Service")
        return tuple((invoker, item) for invoker, item in found if invoker.calls_by_policy)

    def services_with(self, restriction: Restriction) -> tuple[tuple[Invoker, str], ...]:
        """Return the services with one kind of restriction, and their principals as the statement writes them."""
        return tuple((invoker, item.value) for invoker, item in self.services if item.restriction is restriction)

    @property
    def only_for_services(self) -> bool:
        """Whether the conditions require a source, which only services send."""
        return not enforced_keys(self.statement.conditions).isdisjoint(SOURCE_KEYS)

    def source_arns(self) -> tuple[str, ...]:
        """Return the values of all conditions on `aws:SourceArn` that are not negated."""
        return tuple(
            text
            for condition in self.statement.conditions
            if condition.key == "aws:sourcearn" and condition.operator is not None and not condition.negated
            for text in condition.texts
        )

    def may_be_for(self, invoker: Invoker) -> bool:
        """Return whether a source of a service can have one of the required ARNs; true if no ARN is required."""
        arns = self.source_arns()
        return not arns or any(invoker.admits(arn) for arn in arns)

    def triggers_of(self, invoker: Invoker) -> tuple[Trigger, ...]:
        """Return the triggers of a service that invoke the function, version or alias of this policy."""
        arn = self.policy.resource_arn
        return tuple(
            trigger
            for inventory in self.snapshot.inventories
            for trigger in inventory.triggers
            if trigger.principal == invoker.principal and trigger.function_arn.removesuffix(":$LATEST") == arn
        )


@lru_cache(maxsize=32)
def _exposed(document: Policy, trust: TrustSet) -> Exposure:
    """Return the exposure of a policy, cached because every rule needs it for the same few policies."""
    return exposure(document, trust, never_sent)


def statements_of(policy: ResourcePolicy, snapshot: Snapshot, trust: TrustSet) -> Iterator[Allowed]:
    """Yield the Allow statements of a policy. The function's account and organization are trusted as well."""
    own = snapshot.own_organization
    trusted = TrustSet(
        trust.accounts | {snapshot.target.account},
        trust.organizations | ({own} if isinstance(own, str) else frozenset()),
    )
    for item in _exposed(policy.document, trusted).statements:
        yield Allowed(policy, policy.document.statements[item.index], item, snapshot, trusted)
