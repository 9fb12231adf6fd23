"""Answer one question: whether a principal, for a source, may invoke the function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import InputError
from permission_guard.explain.callers import answer_of, caller_elsewhere
from permission_guard.explain.explain import LIMITS
from permission_guard.explain.explanation import Answer, PrincipalAnswer, WayAnswer
from permission_guard.explain.ways import Callers, anonymous, entries, policies_of, tag_keys
from permission_guard.iam import Decision, PolicySet, Principal, PrincipalKind, parse_policy
from permission_guard.iam.arn import account_of, parse_arn
from permission_guard.invokers import Authority, invoker_of
from permission_guard.invokers.trigger_calls import decisions
from permission_guard.model.state import ResourcePolicy, Trigger, Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.explain.state import FunctionState
    from permission_guard.explain.ways import Entry
    from permission_guard.invokers import Invoker
    from permission_guard.model.identities import Identity

_BEST_FIRST: Final = (Answer.ALLOWED, Answer.UNKNOWN, Answer.DENIED)
_ALLOW_ALL: Final = parse_policy(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
"""What another account may allow its role or user."""

_BY_ROLE: Final = {
    Authority.OWN_ROLE: "it invokes functions with an IAM role. Give the ARN of that role with --principal.",
    Authority.EXECUTION_ROLE: "Lambda polls its {source} with the function's execution role.",
}


def may_invoke(state: FunctionState, principal: str, source: str = "") -> PrincipalAnswer:
    """Answer for a principal: an ARN, an account ID, a service principal or `*`. `source` is for services only.

    It may invoke if one way allows it. InputError if the principal is none, or the account has no such role or user.
    """
    caller = _parsed(principal)
    if source and caller.kind is not PrincipalKind.SERVICE:
        raise InputError("--source applies only to the principal of an AWS service, such as s3.amazonaws.com")
    if source and parse_arn(source) is None:
        raise InputError(f"--source requires the ARN of a resource; got {source!r:.200}")
    by_service = _by_service(state, principal, source)
    found = tuple(by_service if caller.kind is PrincipalKind.SERVICE else _by_credentials(state, caller))
    best = min(found, key=lambda way: _BEST_FIRST.index(way.answer))
    answer, reason = best.answer, best.reason
    if answer is Answer.DENIED and isinstance(state.aliases, Unread) and state.qualifier is None:
        answer, reason = Answer.UNKNOWN, f"The aliases were not read: one may allow it. {state.aliases}"
    return PrincipalAnswer(
        function_arn=state.arn,
        principal=principal,
        source=source,
        answer=answer,
        reason=reason,
        ways=found,
        limits=LIMITS[:1],
    )


def _parsed(principal: str) -> Principal:
    if principal == "*":
        return Principal.anonymous()
    try:
        return Principal.from_arn(principal)
    except ValueError as error:
        raise InputError(
            "--principal requires the ARN of a role or user, an account ID, a service such as s3.amazonaws.com, or "
            f"'*'; got {principal!r:.200}"
        ) from error


def _by_credentials(state: FunctionState, caller: Principal) -> Iterator[WayAnswer]:
    """Yield the answer for each way of a caller with credentials, or for anyone."""
    identity = _identity(state, caller)
    for entry in entries(state):
        if caller.kind is PrincipalKind.ANONYMOUS or entry.is_without_signature:
            decision = anonymous(entry, state)
        else:
            decision = _decide(Callers.of(entry, state), caller, identity, state)
        reason = _explained(decision, caller, entry, state)
        yield WayAnswer(entry.resource_arn, entry.url, answer_of(decision), reason, decision.statement)
    if identity is not None and state.qualifier is None:
        other = caller_elsewhere(identity, state)
        if other is not None:
            yield WayAnswer(f"{state.target.arn}:*", "", other.answer, other.reason, other.statement)


def _identity(state: FunctionState, caller: Principal) -> Identity | None:
    """Return the role or user of the account behind a caller, None if it has none or they were not read."""
    if not caller.is_identity or caller.account != state.target.account or state.identities.unread is not None:
        return None
    if caller.kind is PrincipalKind.FEDERATED_USER:
        return None
    role_name = caller.arn.split("/")[1] if caller.kind is PrincipalKind.SESSION else ""
    for identity in state.identities.identities:
        if identity.arn == caller.arn or (role_name and identity.is_role and _name(identity.arn) == role_name):
            return identity
    raise InputError(f"{caller.arn:.300} does not exist in account {state.target.account}: check the ARN")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _decide(callers: Callers, caller: Principal, identity: Identity | None, state: FunctionState) -> Decision:
    if identity is not None:
        if caller.kind is PrincipalKind.SESSION:
            caller = Principal.session(caller.arn, identity.arn)
        return callers.decide(caller, policies_of(identity), *tag_keys(identity))
    if not caller.is_identity:
        return callers.decide(caller, PolicySet())
    if caller.account != state.target.account:
        reason = f"those of account {caller.account} are not read"
    elif state.identities.unread is not None:
        reason = str(state.identities.unread)
    else:
        reason = "which user requested these credentials is unknown"
    return callers.decide(caller, PolicySet(unread=(reason,)))


def _explained(decision: Decision, caller: Principal, entry: Entry, state: FunctionState) -> str:
    """Return why, with what the function's policy cannot say of another account."""
    if caller.account in ("", state.target.account):
        return decision.explain()
    if decision.allowed and caller.kind is PrincipalKind.ACCOUNT:
        return f"{decision.explain()} A role or user of account {caller.account} also needs a policy of its own."
    if decision.denied:
        return f"{decision.explain()} Another account needs the function's policy and a policy of its own."
    side = Callers.of(entry, state).decide(caller, PolicySet(identity=(_ALLOW_ALL,)))
    if not side.allowed:
        return side.explain()
    return (
        f"The function's policy allows it. Account {caller.account} must allow it too, and its policies are not read."
    )


def _by_service(state: FunctionState, principal: str, source: str) -> Iterator[WayAnswer]:
    """Yield the answer for each ARN of the function and a service that calls as itself."""
    invoker = invoker_of(principal)
    obstacle = _obstacle(invoker, source)
    for arn in state.resource_arns:
        if obstacle:
            yield WayAnswer(arn, "", Answer.DENIED, obstacle)
        else:
            yield _of_service(state, arn, principal, source)


def _obstacle(invoker: Invoker, source: str) -> str:
    """Return why a service never invokes, whatever the policy says; empty if it can."""
    if not invoker.invokes_by_policy:
        how = _BY_ROLE[invoker.authority].format(source=invoker.source)
        return f"{invoker.principal} never invokes through the function's policy: {how}"
    if invoker.ended is not None:
        return f"{invoker.principal} was discontinued on {invoker.ended}."
    if source and not invoker.admits(source):
        return f"{invoker.principal} never calls for {source}: {invoker.a_source} has another form of ARN."
    return ""


def _of_service(state: FunctionState, arn: str, principal: str, source: str) -> WayAnswer:
    invoker, policy = invoker_of(principal), state.policy_of(arn)
    if policy is None:
        return WayAnswer(arn, "", Answer.DENIED, "There is no resource-based policy: no service may invoke it.")
    if isinstance(policy, Unread):
        return WayAnswer(arn, "", Answer.UNKNOWN, f"The policy was not read. {policy}")
    account = account_of(source) or _owner(state, source)
    trigger = Trigger(principal, source, (source,), account, arn, invoker.a_source)
    made = [_of_action(trigger, action, policy, state) for action in invoker.actions]
    decision = max(made, key=lambda one: _BEST_FIRST.index(answer_of(one)))
    answer, reason = answer_of(decision), decision.explain()
    if answer is Answer.UNKNOWN and not source:
        reason = f"{reason} Name the source with --source."
    elif answer is Answer.UNKNOWN and not account:
        reason = f"{reason} The account that owns {source} is unknown."
    return WayAnswer(arn, "", answer, reason, decision.statement)


def _of_action(trigger: Trigger, action: str, policy: ResourcePolicy, state: FunctionState) -> Decision:
    """Return the best of the decisions on the calls that the service may make: AWS does not always document which."""
    made = decisions(trigger, action, policy, state.invokes.own_organization)
    return min(made, key=lambda one: _BEST_FIRST.index(answer_of(one)))


def _owner(state: FunctionState, source: str) -> str:
    """Return the account of a source whose ARN has none: the own one if its list has the source, empty if unknown."""
    for inventory in state.invokes.inventories:
        if not isinstance(inventory.sources, Unread) and source in inventory.sources:
            return state.target.account
    return ""
