"""The one place where a change of a resource-based policy is proven to be safe."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.proven_sources import is_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.fixes.proven_sources import ProvenSource
    from permission_guard.iam import Policy
    from permission_guard.model.targets import JSON


class Kind(StrEnum):
    """What a change of a policy does: what is to be proven depends on it."""

    NARROW = "narrow"
    ADD = "add"
    REMOVE = "remove"
    COMPACT = "compact"


def certify(
    kind: Kind, old: Policy, between: Sequence[Policy], new: Policy, proven: Sequence[ProvenSource]
) -> Mapping[str, JSON]:
    """Return why a change is safe, for its plan. `between` are the policies after each call but the last.

    FixRefusedError if one of the policies denies a proven source what the old one allows it.
    """
    for source in proven:
        for policy in (*between, new):
            if not all(is_allowed(request, policy) for request in source.requests if is_allowed(request, old)):
                raise FixRefusedError(
                    f"The change would deny {source.trigger.description} a call that the policy allows it now. A "
                    "person has to decide."
                )
    return {"kind": str(kind), "sources": sorted({source.trigger.source for source in proven})}
