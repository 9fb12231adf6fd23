"""Who can invoke a function: for each way, anyone, and the roles and users of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.explain.explanation import Answer, Caller, Way
from permission_guard.explain.ways import INVOKE, Callers, anonymous, elsewhere, entries, policies_of, version_entry
from permission_guard.iam import Decision, EvalDecision
from permission_guard.iam.patterns import PatternGroups, symbols_of
from permission_guard.iam.request import lookup_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.explain.state import FunctionState
    from permission_guard.explain.ways import Entry
    from permission_guard.model.identities import Identity

_WORST_FIRST: Final = {Answer.ALLOWED: 0, Answer.UNKNOWN: 1, Answer.DENIED: 2}


def answer_of(decision: Decision) -> Answer:
    """Return the answer that a decision gives."""
    if decision.allowed:
        return Answer.ALLOWED
    return Answer.DENIED if decision.denied else Answer.UNKNOWN


def ways(state: FunctionState) -> Iterator[Way]:
    """Yield each way to invoke, with who may; last the versions and aliases that have no policy of their own."""
    known: set[str] = set()
    for way in _known_ways(state):
        known |= {caller.arn for caller in way.callers if not way.url and caller.answer is not Answer.DENIED}
        yield way
    if state.qualifier is None and state.identities.unread is None:
        others = [
            caller
            for identity in state.identities.identities
            if identity.arn not in known and (caller := caller_elsewhere(identity, state))
        ]
        if others:
            yield Way(f"{state.target.arn}:*", "", "", (INVOKE,), Answer.DENIED, "", tuple(others))


def caller_elsewhere(identity: Identity, state: FunctionState) -> Caller | None:
    """Return a role or user that may invoke another version or alias than `resource_arns`. None for all others."""
    if not Callers.of(elsewhere(state), state).may_allow(identity):
        return None
    versions = state.other_versions
    if versions is None:
        return _elsewhere(identity, Callers.of(elsewhere(state), state))
    for arn in versions:
        decision = Callers.of(version_entry(arn), state).identity(identity)
        if not decision.denied:
            reason = f"For version {arn.rpartition(':')[2]}: {decision.explain()}"
            return Caller(identity.arn, kind_of(identity), answer_of(decision), reason, decision.statement)
    return None


def _elsewhere(identity: Identity, deciding: Callers) -> Caller | None:
    """Return a role or user that may invoke a version or alias, if one exists: which exist is unknown."""
    decision = deciding.identity(identity)
    if decision.denied and not (decision.blocked_by == "identity" and _names_one(identity, deciding)):
        return None
    reason = "Unknown: its policies allow versions or aliases. Which of them exist was not read."
    return Caller(identity.arn, kind_of(identity), Answer.UNKNOWN, reason)


def _names_one(identity: Identity, deciding: Callers) -> bool:
    """Return whether a statement may allow invoking some version or alias of the function."""
    all_of_them = PatternGroups([[symbols_of(f"{deciding.state.target.arn}:*")]])
    (request,) = deciding.requests_of(identity)
    return any(
        statement.match_conditions(lookup_of(request)) and all_of_them.overlapping(symbols_of(pattern.text))
        for document in policies_of(identity).identity
        for statement, _ in document.speaking_of(INVOKE.lower())[1]
        if not statement.not_resource
        for pattern in statement.resources or ()
    )


def _known_ways(state: FunctionState) -> Iterator[Way]:
    for entry in entries(state):
        anyone = anonymous(entry, state)
        callers, others, unread = _callers(entry, state)
        yield Way(
            entry.resource_arn,
            entry.url,
            entry.auth_type,
            entry.actions,
            answer_of(anyone),
            anyone.explain(),
            callers,
            others,
            unread,
        )


def _callers(entry: Entry, state: FunctionState) -> tuple[tuple[Caller, ...], int, str]:
    """Return the roles and users with an answer, how many have none, and why they are unknown."""
    if entry.is_without_signature:
        return (), 0, ""  # a call without a signature has no caller
    if state.identities.unread is not None:
        return (), 0, str(state.identities.unread)
    deciding = Callers.of(entry, state)
    found = [caller for identity in state.identities.identities if (caller := _caller(identity, deciding))]
    found.sort(key=lambda caller: (_WORST_FIRST[caller.answer], caller.arn))
    return tuple(found), len(state.identities.identities) - len(found), ""


def _caller(identity: Identity, deciding: Callers) -> Caller | None:
    """Return a role or user that may invoke or would, but for a Deny statement or its boundary. None for all others."""
    if not deciding.may_allow(identity):
        return None
    decision = deciding.identity(identity)
    if decision.denied and not _is_stopped(decision, identity, deciding):
        return None
    return Caller(identity.arn, kind_of(identity), answer_of(decision), decision.explain(), decision.statement)


def kind_of(identity: Identity) -> str:
    """Return the word for a role or user."""
    if identity.is_service_linked:
        return "service-linked role"
    return "role" if identity.is_role else "user"


def _is_stopped(decision: Decision, identity: Identity, deciding: Callers) -> bool:
    """Return whether a Deny statement or the boundary denies what a policy of the identity allows, or may."""
    if decision.decision is EvalDecision.IMPLICIT_DENY and decision.blocked_by == "identity":
        return False
    documents = policies_of(identity).identity
    return all(
        any(
            statement.match(request.resource, lookup)
            for document in documents
            for statement, _ in document.speaking_of(request.action.lower())[1]
        )
        for request in deciding.requests_of(identity)
        for lookup in (lookup_of(request),)
    )
