"""The one place where a change of a resource-based policy is certified."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.certificate import add, compact, narrow, remove
from permission_guard.fixes.proven import proven_calls
from permission_guard.fixes.proven_sources import is_allowed
from permission_guard.remedies.invoke_policy import source_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.fixes.certificate import Certificate
    from permission_guard.fixes.proven_sources import ProvenSource
    from permission_guard.iam import Policy, Request
    from permission_guard.model.state import Trigger
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

    FixRefusedError if the last policy denies a proven source what the old one allows it.
    """
    *between, new = steps
    for source in proven:
        if not (_is_usable(source, new) if kind is Kind.REMOVE else _is_kept(source, new)):
            raise FixRefusedError(
                f"The change would deny {source.trigger.description} a call that the policy allows now. A person has "
                "to decide."
            )
    calls = proven_calls(map(_to_keep, proven), old, _function_arn(proven))
    if kind is Kind.NARROW:
        return narrow(old, between, new, calls)
    if kind is Kind.COMPACT:
        return compact(old, between, new, calls)
    return remove(old, between, new) if kind is Kind.REMOVE else add(old, new, added)


def _is_kept(source: ProvenSource, new: Policy) -> bool:
    """Return whether a policy allows a source each request that it was allowed."""
    return all(is_allowed(request, new) for request in source.requests)


def _is_usable(source: ProvenSource, new: Policy) -> bool:
    """Return whether a policy allows a source one of the forms of its request, for each ARN that it sends.

    A statement for everyone also allows the forms that the service does not use: another principal, other keys.
    """
    by_arn: dict[str, list[Request]] = {}
    for request in source.requests:
        by_arn.setdefault(_text(request, "aws:sourcearn"), []).append(request)
    sent = [forms for arn, forms in by_arn.items() if arn not in source.trigger.disputed_source_arns]
    return all(any(is_allowed(request, new) for request in forms) for forms in sent)


def _to_keep(source: ProvenSource) -> Trigger:
    """Return the trigger whose calls are to be kept: for all stages of an API in one, if all of them are allowed."""
    trigger = source.trigger
    if source.is_complete and len(trigger.source_arns) > 1:
        arns: tuple[str, ...] = (source_arn(trigger),)
    else:
        arns = (*trigger.source_arns, *trigger.disputed_source_arns)
    return replace(trigger, source_arns=arns)


def _function_arn(proven: Sequence[ProvenSource]) -> str:
    """Return the function, version or alias that all proven sources invoke, empty if there is none."""
    return proven[0].trigger.function_arn.removesuffix(":$LATEST") if proven else ""


def _text(request: Request, key: str) -> str:
    """Return the value of a condition key, empty if the service does not send it."""
    value = request.context.stated(key)
    return value if isinstance(value, str) else ""
