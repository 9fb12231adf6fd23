"""Narrow a statement that allows a service for any account's sources: name the proven ones, then remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from permission_guard.errors import FixRefusedError
from permission_guard.findings.watch import NARROWING
from permission_guard.fixes.certify import Kind
from permission_guard.fixes.external_sources import external_sources
from permission_guard.fixes.invoke_policies import digest_of, named, permission_of
from permission_guard.fixes.policy_change import PolicyChange
from permission_guard.fixes.policy_plans import LATER, Draft, Subject, guard_removal, planned, subject_of
from permission_guard.fixes.policy_snapshots import document_of
from permission_guard.fixes.proven_sources import is_allowed, proven_sources, sources_to_name
from permission_guard.iam import TrustSet
from permission_guard.invokers import invoker_of
from permission_guard.invokers.allowed import statements_of
from permission_guard.remedies.invoke_policy import scoped_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.fixes.base import Check, FixState, Plan
    from permission_guard.fixes.proven_sources import ProvenSource
    from permission_guard.iam import Policy
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON

    Statement = Mapping[str, JSON]

_INVOKING: Final = frozenset({"lambda:invokefunction", "lambda:invokefunctionurl"})


class NarrowStatement(PolicyChange):
    """Replace a statement by one for each source that the account has and that the statement allows.

    A source that another statement allows gets none: so the policy allows no more than before, and the fewest
    statements do it.
    """

    name: ClassVar[str] = NARROWING
    rule_ids: ClassVar[frozenset[str]] = frozenset({"PG102", "PG103", "PG104"})
    is_safe: ClassVar[bool] = True

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState, check: Check) -> Plan:
        """Return the plan; FixRefusedError with what a person has to decide if no source is proven."""
        subject = subject_of(finding, snapshot, check)
        allowed, services = _allowed(subject), _services(subject)
        is_atomic = fix_state.replaces_policies()
        guard_removal(subject.statement, subject.policy.resource_arn, fix_state)
        sources = proven_sources(snapshot, subject.policy, services)
        if not is_atomic and permission_of(subject.statement, subject.policy.resource_arn) is None:
            raise FixRefusedError(
                f"AddPermission cannot write the statement {allowed.name} again, so nothing could undo its removal: "
                "set AtomicNarrowing, or apply the remedy."
            )
        kept = document_of(subject.policy, [one for one in subject.current.statements if one is not subject.statement])
        added = tuple(_narrowed(allowed, services, sources, kept))
        external = external_sources(allowed, services, fix_state)
        what = f"replace the statement {allowed.name} of {subject.policy.resource_arn}"
        statements = "1 statement" if len(added) == 1 else f"{len(added)} statements"
        by = f"{statements} for {', '.join(sorted({one.trigger.source for one in sources}))}"
        draft = Draft(
            kind=Kind.NARROW,
            words=f"{what} by {by}" if added else f"{what.replace('replace', 'remove', 1)}: others allow its sources",
            added=added,
            removed=(subject.statement,),
            sources=sources,
            unknowns=(*((external.unknown,) if external.unknown else ()), LATER),
            approval=external.approval,
            denied_sources=external.found,
            is_atomic=is_atomic,
        )
        return planned(subject, draft, check)


def _allowed(subject: Subject) -> Allowed:
    """Return the statement with the callers that it allows. FixRefusedError if it grants more than invoking."""
    digest = digest_of(subject.statement)
    every = statements_of(subject.policy, subject.snapshot, TrustSet(frozenset()))
    allowed = next(one for one in every if digest_of(dict(one.statement.raw)) == digest)
    actions = {text.lower() for text in allowed.statement.action_texts}
    if allowed.statement.not_action or not actions <= _INVOKING:
        raise FixRefusedError(
            f"The statement {allowed.name} grants more than invoking. A person has to decide what of it is needed."
        )
    return allowed


def _services(subject: Subject) -> tuple[str, ...]:
    """Return the services that the statement allows. FixRefusedError if it allows others than the problem is about."""
    services = tuple(subject.problem.evidence.get("services", ()))
    principal = subject.statement.get("Principal")
    written = principal.get("Service", ()) if isinstance(principal, dict) and len(principal) == 1 else ()
    if not services or {*((written,) if isinstance(written, str) else written)} != set(services):
        raise FixRefusedError(
            f"The principal of the statement is {principal!r:.200}. Only a statement for the services that have no "
            "source can be narrowed: a person has to decide who else needs it."
        )
    return services


def _narrowed(
    allowed: Allowed, services: Sequence[str], sources: Sequence[ProvenSource], kept: Policy
) -> Iterator[Statement]:
    """Yield the statements for the sources that the other statements, which are kept, do not allow.

    FixRefusedError if a service has no source.
    """
    for principal in services:
        invoker = invoker_of(principal)
        mine = [one for one in sources if one.invoker is invoker]
        if not mine:
            raise FixRefusedError(
                f"Nothing in this account invokes {allowed.function} through {principal}. A person has to decide: "
                f"remove the statement {allowed.name}, or name the source of the other account."
            )
        needed = [one for one in mine if not all(is_allowed(request, kept) for request in one.requests)]
        for arn, account in sources_to_name(needed, allowed.snapshot.target.account):
            yield from map(named, scoped_to(allowed, invoker, principal, arn, account))
