"""Plans as data: the record of a plan, the facts that it rests on, and why an approval is not one of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from permission_guard.errors import FixRefusedError
from permission_guard.model.findings import FixRecord, FixResult
from permission_guard.model.state import Unread
from permission_guard.needs.managed_policies import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from permission_guard.fixes.base import Fix, Plan
    from permission_guard.fixes.decisions import Decision
    from permission_guard.iam import Policy
    from permission_guard.model.findings import PlannedCall
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON

MAX_PLAN: Final = 50_000
"""The longest plan that is recorded, in bytes: a finding with it fits `limits.FINDING_DOCUMENT`."""
_MAX_UNKNOWNS: Final = 10
_MAX_UNKNOWN: Final = 500


def proposal(fix: Fix, plan: Plan, *, at: str, attempts: int) -> FixRecord:
    """Return the record of a plan that was made at a time.

    FixRefusedError if its certificate does not hold, and if it is too long to be recorded whole.
    """
    certificate = plan.certificate
    if certificate is None:
        raise FixRefusedError("The plan has no certificate.")
    if not certificate.holds:
        raise FixRefusedError(f"It is not certain that the plan changes only what it should: {certificate.reason}")
    record = FixRecord(
        name=fix.name,
        result=FixResult.PROPOSED,
        summary=plan.summary,
        at=at,
        attempts=attempts,
        change=plan.change,
        before=plan.before,
        calls=plan.calls,
        expected=plan.expected,
        rests_on=plan.rests_on,
        unknowns=tuple(_shortened(plan.unknowns)),
        planned_at=at,
        certificate=certificate.document,
    )
    size = len(json.dumps(record.plan))
    if size > MAX_PLAN:
        raise FixRefusedError(f"The plan has {size:,} bytes; at most {MAX_PLAN:,} can be shown to who approves it.")
    return record


def digest_of_policy(document: Policy) -> str:
    """Return the SHA-256 of what a policy says, equal for the same JSON."""
    return hashlib.sha256(json.dumps(document.document, sort_keys=True, default=str).encode()).hexdigest()


def unknowns_of_role(role: Role, resources: Iterable[str], snapshot: Snapshot) -> Iterator[str]:
    """Yield what is not known about whether a role that is allowed actions on these resources may then use them.

    An action that AWS allows on `*` only names no resource whose policies could deny it.
    """
    if isinstance(role.denied_by_organization, Unread):
        yield f"Whether a service control policy denies the calls: {role.denied_by_organization}."
    else:
        yield "Whether a service control policy denies a call that AWS has not denied yet."
    for resource in dict.fromkeys(each for each in resources if each != EVERYWHERE):
        yield f"Whether a resource control policy denies the role access to {resource}: the bot cannot read it."
        policy = snapshot.source_policies.get(resource)
        if isinstance(policy, Unread):
            yield f"What the resource-based policy of {resource} denies: {policy}."
        elif resource not in snapshot.source_policies:
            yield f"What the resource-based policy of {resource} denies: it was not read."


def progress_of(planned: Sequence[PlannedCall], done: Collection[PlannedCall]) -> str:
    """Return what of a plan was done when fixing was stopped, and what was not."""
    left = [call for call in planned if call not in done]
    return f"Fixing was stopped in between. Done: {in_words(done)}. Not done until it is resumed: {in_words(left)}."


def in_words(calls: Iterable[PlannedCall]) -> str:
    """Return calls for a sentence."""
    return "; ".join(map(_in_words, calls))


def _in_words(call: PlannedCall) -> str:
    """Return a call in one line. A switch needs its name."""
    values = (f"{name}={value}" if isinstance(value, bool) else str(value) for name, value in call.parameters.items())
    return f"{call.operation} {', '.join(values)}"


def why_not_approved(decision: Decision, approved: FixRecord | None, planned: FixRecord) -> str:
    """Return why an approval does not apply a plan: it is of another one, or it has expired.

    `approved` is the record of the plan when it was approved.
    """
    if decision.plan_hash == planned.plan_hash:
        return f"The approval by {decision.by} of {decision.at} has expired."
    if approved is None or approved.plan_hash != decision.plan_hash or not approved.calls:
        return f"{decision.by} approved another plan."
    changed = ", ".join(_differences(approved.plan, planned.plan))
    return f"{decision.by} approved another plan. Since then has changed: {changed}."


def _differences(old: Mapping[str, JSON], new: Mapping[str, JSON], prefix: str = "") -> Iterator[str]:
    """Yield the names of the values that differ, such as `before.attached_policies`."""
    for name in sorted({*old, *new}):
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _shortened(unknowns: tuple[str, ...]) -> Iterator[str]:
    """Yield the first texts, each cut, and how many more there are."""
    for text in unknowns[:_MAX_UNKNOWNS]:
        yield text if len(text) <= _MAX_UNKNOWN else f"{text[: _MAX_UNKNOWN - 1]}…"
    if len(unknowns) > _MAX_UNKNOWNS:
        yield f"{len(unknowns) - _MAX_UNKNOWNS} more."
