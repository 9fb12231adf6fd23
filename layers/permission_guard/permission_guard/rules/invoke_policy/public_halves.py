"""What everyone may do through a function URL, and the remedy that takes all of it away at once.

A URL requires a pair of permissions. If only one of them is removed, PG112 reports the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Restriction
from permission_guard.invokers.allowed import statements_of
from permission_guard.remedies.invoke_policy import removed, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.iam import TrustSet
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.state import ResourcePolicy, Snapshot
    from permission_guard.model.verdicts import Remedy


def public_halves(policy: ResourcePolicy | None, snapshot: Snapshot, trust: TrustSet) -> list[Allowed]:
    """Return the statements of a policy that allow everyone to call a function URL, or allow one half of it."""
    every = statements_of(policy, snapshot, trust) if policy else ()
    return [
        allowed
        for allowed in every
        if allowed.exposure.public and allowed.exposure.function_url and allowed.exposure.grants_invoke
        if allowed.exposure.closed_by is None
    ]


def without_public(halves: Sequence[Allowed]) -> tuple[Remedy, ...]:
    """Return the remedy that removes everyone from all these statements."""
    return together(*(removed(allowed, _everyone(allowed)) for allowed in halves))


def _everyone(allowed: Allowed) -> list[str]:
    principals = allowed.exposure.principals
    return [item.value for item in principals if item.kind == "AWS" and item.restriction is Restriction.OPEN]
