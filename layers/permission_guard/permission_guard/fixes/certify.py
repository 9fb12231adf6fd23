"""The one place where a change of a resource-based policy is certified."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.certificate import Call, Certificate, add, compact, narrow, remove
from permission_guard.fixes.proven_sources import is_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.fixes.proven_sources import ProvenSource
    from permission_guard.iam import Policy, Request
    from permission_guard.model.targets import JSON


class Kind(StrEnum):
    """What a change of a policy does: what is to be certified depends on it."""

    NARROW = "narrow"
    ADD = "add"
    REMOVE = "remove"
    COMPACT = "compact"


def certify(
    kind: Kind,
    old: Policy,
    steps: Sequence[Policy],
    *,
    added: Sequence[Mapping[str, JSON]],
    proven: Sequence[ProvenSource],
) -> Certificate:
    """Return the certificate of a change. `steps` are the policies after each call.

    FixRefusedError if one of the policies denies a proven source what the old one allows it.
    """
    for source in proven:
        if not all(is_allowed(request, policy) for policy in steps for request in source.requests):
            raise FixRefusedError(
                f"The change would deny {source.trigger.description} a call that the policy allows it now. A person has "
                "to decide."
            )
    *between, new = steps
    calls = tuple(dict.fromkeys(_call(request) for source in proven for request in source.requests))
    if kind is Kind.NARROW:
        return narrow(old, between, new, calls)
    if kind is Kind.COMPACT:
        return compact(old, between, new, calls)
    return remove(old, between, new) if kind is Kind.REMOVE else add(old, new, added)


def _call(request: Request) -> Call:
    """Return the calls of a source in the form of a certificate. A key that a request has not is not sent."""
    stated = {name: request.context.stated(f"aws:{name}") for name in ("sourcearn", "sourceaccount")}
    arn, account = (value if isinstance(value, str) else "" for value in stated.values())
    return Call(
        principal=request.principal.arn,
        function_arn=request.resource,
        source_arn=arn,
        source_account=account,
        action=request.action,
    )
