"""Whether the policy of a function URL grants its callers both permissions that a URL requires.

https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import (
    FUNCTION_URL_KEYS,
    SOURCE_KEYS,
    Context,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    Restriction,
    evaluate,
)
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES, enforced_keys
from permission_guard.invokers import cloudfront, invoker_of
from permission_guard.invokers.allowed import statements_of
from permission_guard.invokers.trigger_calls import url_keys
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import Decision, PrincipalExposure, TrustSet
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.state import FunctionUrl, ResourcePolicy, Snapshot

URL_ACTIONS: Final = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
"""The permissions that a call through a function URL requires: both."""

OLDER: Final = (
    "The URL was created before October 2025: AWS announced that the exception for such URLs, which required only "
    "lambda:InvokeFunctionUrl, ends on 1 November 2026."
)

_NOT_OF_ANYONE: Final = NOT_SENT_BY_SERVICES | SOURCE_KEYS
"""The condition keys that a call without credentials never has."""


@record
class HalfAllowed:
    """A caller whom a statement allows one of the two actions, and no statement the other, `missing` one.

    `source_arn` is the source that the statement requires, empty if it requires none.
    """

    principal: str
    source_arn: str
    missing: str
    by: str


def denied_to_anyone(url: FunctionUrl, policy: ResourcePolicy) -> tuple[str, ...]:
    """Return which of the two actions a policy certainly denies a caller without credentials."""
    return tuple(action for action, decision in _decisions_on_anyone(url, policy) if decision.denied)


def is_closed_to_anyone(url: FunctionUrl, policy: ResourcePolicy) -> bool:
    """Return whether a Deny statement denies a caller without credentials: no Allow statement overrides it."""
    return any(one.decision is EvalDecision.EXPLICIT_DENY for _, one in _decisions_on_anyone(url, policy))


def _decisions_on_anyone(url: FunctionUrl, policy: ResourcePolicy) -> list[tuple[str, Decision]]:
    context = Context(url_keys(url.auth_type), absent=_NOT_OF_ANYONE)
    policies = PolicySet(resource=policy.document)
    requests = [Request(Principal.anonymous(), action, policy.resource_arn, context) for action in URL_ACTIONS]
    return [(request.action, evaluate(request, policies)) for request in requests]


def half_allowed(
    url: FunctionUrl, policy: ResourcePolicy, snapshot: Snapshot, trust: TrustSet
) -> Iterator[HalfAllowed]:
    """Yield the callers of other accounts, and the services, to whom a policy grants one of the two actions.

    An identity-based policy can grant callers of the own account the other one.
    """
    statements = [
        allowed
        for allowed in statements_of(policy, snapshot, trust)
        if allowed.exposure.closed_by is None and not allowed.exposure.malformed
    ]
    for allowed in statements:
        if not allowed.statement.match_conditions(_context(url, {}).lookup):
            continue
        for item in allowed.exposure.principals:
            if item.restriction is Restriction.NEVER or _is_own(item, allowed) or not _is_for_url(allowed, item):
                continue
            known = _required(allowed)
            if item.kind == "Service" and not invoker_of(item.value).admits(known.get("aws:sourcearn", "*")):
                continue  # no source has this ARN: PG105
            missing = [
                action
                for action in URL_ACTIONS
                if not any(_grants(other, action, item, _context(url, known)) for other in statements)
            ]
            if len(missing) == 1:
                yield HalfAllowed(item.value, str(known.get("aws:sourcearn", "")), missing[0], allowed.name)


def _context(url: FunctionUrl, known: dict[str, str]) -> Context:
    return Context({**url_keys(url.auth_type), **known})


def _required(allowed: Allowed) -> dict[str, str]:
    """Return a value that the statement allows for each key that it requires, as far as one is evident."""
    return {
        condition.key: condition.texts[0]
        for condition in allowed.statement.conditions
        if condition.texts and condition.operator is not None and not condition.negated and not condition.qualifier
        if condition.key in _NOT_OF_ANYONE
    }


def _is_own(item: PrincipalExposure, allowed: Allowed) -> bool:
    """Return whether a caller is of the function's account, or is restricted to it."""
    own = allowed.snapshot.target.account
    if item.kind != "AWS":
        return item.kind != "Service"
    return own in item.value.split(":") or own in {_required(allowed).get("aws:principalaccount")}


def _is_for_url(allowed: Allowed, item: PrincipalExposure) -> bool:
    """Return whether a statement is for calls through a URL."""
    if allowed.statement.match_action("lambda:invokefunctionurl"):
        return True
    by_cloudfront = item.kind == "Service" and invoker_of(item.value) is cloudfront.INVOKER
    through_url = not FUNCTION_URL_KEYS.isdisjoint(enforced_keys(allowed.statement.conditions))
    return (by_cloudfront or through_url) and bool(allowed.statement.match_action("lambda:invokefunction"))


def _grants(other: Allowed, action: str, item: PrincipalExposure, context: Context) -> bool:
    """Return whether a statement grants a caller an action, or may."""
    return (
        bool(other.statement.match_action(action.lower()))
        and any(_includes(principal, item) for principal in other.exposure.principals)
        and bool(other.statement.match_conditions(context.lookup))
    )


def _includes(principal: PrincipalExposure, item: PrincipalExposure) -> bool:
    """Return whether a principal of a statement is a caller, everyone, or the caller's account."""
    if principal.kind == "AWS" and principal.value == "*":
        return True
    if principal.kind != item.kind:
        return False
    account = principal.value.removesuffix(":root").rpartition(":")[2]
    is_account = principal.value == account or principal.value.endswith(":root")
    return principal.value.lower() == item.value.lower() or (is_account and account in item.value.split(":"))
