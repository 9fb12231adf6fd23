"""Which callers a condition of a resource-based policy allows, over all possible requests.

A condition restricts the callers only if a request cannot avoid it: its operator is positive, and it has neither
IfExists nor ForAllValues, unless another condition requires the key. See "The confused deputy problem" in the IAM User
Guide.
"""

from __future__ import annotations

from permission_guard.iam.conditions import FOR_ALL
from permission_guard.iam.principals import ANYONE
from permission_guard.iam.scopes import OPEN, OWN, KeyKind, Scope, any_of, no_caller, values_scopes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

    from permission_guard.iam.conditions import Condition


SCOPING_KEYS: Final = {
    "aws:sourceaccount": KeyKind.ACCOUNT,
    "aws:sourceowner": KeyKind.ACCOUNT,
    "aws:principalaccount": KeyKind.ACCOUNT,
    "aws:vpceaccount": KeyKind.ACCOUNT,
    "kms:calleraccount": KeyKind.ACCOUNT,
    "aws:sourcearn": KeyKind.ARN,
    "aws:principalarn": KeyKind.ARN,
    "aws:sourcevpcarn": KeyKind.ARN,
    "lambda:sourcefunctionarn": KeyKind.ARN,
    "aws:sourceorgid": KeyKind.ORGANIZATION,
    "aws:principalorgid": KeyKind.ORGANIZATION,
    "aws:vpceorgid": KeyKind.ORGANIZATION,
    "aws:sourceorgpaths": KeyKind.PATH,
    "aws:principalorgpaths": KeyKind.PATH,
    "aws:vpceorgpaths": KeyKind.PATH,
    "aws:sourcevpc": KeyKind.NETWORK,
    "aws:sourcevpce": KeyKind.NETWORK,
    "aws:sourceip": KeyKind.ADDRESS,
    "aws:userid": KeyKind.USER_ID,
    "lambda:eventsourcetoken": KeyKind.TOKEN,
}
"""The condition keys that identify to whom a caller belongs.

Not among them are `aws:ResourceAccount`, `aws:SecureTransport`, `aws:RequestedRegion`, tags and
`lambda:FunctionUrlAuthType`: callers of any account satisfy conditions on them.
"""

NOT_SENT_BY_SERVICES: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:userid",
        "lambda:sourcefunctionarn",
    }
)
SOURCE_KEYS: Final = frozenset(
    {"aws:sourceaccount", "aws:sourceowner", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"}
)
"""The keys with which a service says for which resource, account or organization it calls."""
_SENT_ONLY_BY_SERVICES: Final = SOURCE_KEYS - {"aws:sourceowner"}
"""The source keys without one that some services also derive from the calling principal."""
_SENT_BY_OTHERS: Final = NOT_SENT_BY_SERVICES | {"aws:principaltype", "aws:username"}
SERVICE_NAME_KEYS: Final = frozenset({"aws:principalservicename", "aws:principalservicenameslist"})
_EXACT: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase"})
_NOT_EXACT: Final = frozenset({"StringNotEquals", "StringNotEqualsIgnoreCase"})
_BOTH: Final = frozenset({True, False})
_SOURCE_ACCOUNTS: Final = frozenset({"aws:sourceaccount", "aws:sourceowner", "aws:sourcearn"})
_PRINCIPAL_ACCOUNTS: Final = frozenset({"aws:principalaccount", "aws:principalarn", "kms:calleraccount"})

_OWNER_KEYS: Final = {
    "aws:resourceaccount": frozenset({"${aws:principalaccount}", "${aws:sourceaccount}"}),
    "aws:resourceorgid": frozenset({"${aws:principalorgid}", "${aws:sourceorgid}"}),
}
"""The keys of the resource's owner, and the policy variables that require the caller to have the same owner."""


def scope_of(condition: Condition, *, present: bool, variables: bool, without_colon: bool = False) -> Scope:
    """Return the callers that a condition allows.

    `present`: another condition requires the key. `variables`: the policy's version supports policy variables.
    `without_colon`: the resource part of all ARNs that can be compared contains no colon.
    """
    kind = SCOPING_KEYS.get(condition.key)
    operator = condition.operator
    if variables and condition.key in _OWNER_KEYS:
        return _same_owner(condition)
    if kind is None or operator is None or operator.negated:
        return OPEN
    if condition.if_exists and not present:
        return OPEN
    if condition.qualifier == FOR_ALL and not present:
        return OPEN
    if kind is KeyKind.PATH and not condition.qualifier:
        return no_caller(f"{condition.spelled} is multivalued and is compared without ForAnyValue")
    texts, name = condition.texts, operator.name
    scopes = values_scopes(kind, name, texts, variables=variables, without_colon=without_colon)
    return any_of(scopes).about(_subject(condition.key))


def _same_owner(condition: Condition) -> Scope:
    """Evaluate a condition that compares the resource's owner with the caller's through a policy variable."""
    operator = condition.operator
    if operator is None or operator.negated or not operator.name.startswith("String"):
        return OPEN
    if condition.if_exists or condition.qualifier == FOR_ALL:
        return OPEN
    same = {text.lower() for text in condition.texts} <= _OWNER_KEYS[condition.key]
    return Scope(accounts=frozenset({OWN})) if same else OPEN


def _subject(key: str) -> str:
    return "source" if key in _SOURCE_ACCOUNTS else "principal" if key in _PRINCIPAL_ACCOUNTS else ""


def enforced_keys(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the keys that must be present for the conditions to be true."""
    keys = set()
    for condition in conditions:
        if condition.null:
            if [text.lower() for text in condition.texts] == ["false"]:
                keys.add(condition.key)
        elif condition.operator and not (condition.negated or condition.if_exists or condition.qualifier == FOR_ALL):
            keys.add(condition.key)
    return frozenset(keys)


def forbidden_keys(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the keys that must be absent for the conditions to be true."""
    return frozenset(
        condition.key
        for condition in conditions
        if condition.null and [text.lower() for text in condition.texts] == ["true"]
    )


def complement(conditions: Iterable[Condition], *, variables: bool, service: bool) -> Scope:
    """Return the callers that a Deny with only negated conditions does not deny.

    For them at least one of the conditions is true without its negation. A service never sends some of the keys, and a
    negated condition is true if its key is absent.
    """

    def scopes() -> Iterator[Scope]:
        yield no_caller("a Deny applies to every caller")
        for condition in conditions:
            if not (service and condition.key in NOT_SENT_BY_SERVICES):
                name = condition.operator.name.replace("Not", "") if condition.operator else ""
                yield from values_scopes(SCOPING_KEYS[condition.key], name, condition.texts, variables=variables)

    return any_of(scopes())


def holds_for_kind(condition: Condition, kind: str, value: str) -> bool | None:
    """Return whether a condition on `aws:PrincipalIsAWSService` is true for a kind of principal; None if it depends."""
    if (kind, value) == ANYONE:
        return None
    is_service = _is_service(condition)
    return None if is_service is None else (kind == "Service") in is_service


def _is_service(condition: Condition) -> frozenset[bool] | None:
    """Return the values of `aws:PrincipalIsAWSService` for which a condition on it is true; None for another."""
    operator = condition.operator
    if condition.key != "aws:principalisawsservice" or operator is None:
        return None
    if operator.name not in {"Bool", *_EXACT, *_NOT_EXACT}:
        return None
    values = frozenset(text.lower() == "true" for text in condition.texts)
    return _BOTH - values if operator.negated else values


def services_named(conditions: Sequence[Condition]) -> list[str] | None:
    """Return the services that satisfy conditions, empty if any does; None if others satisfy them, too."""
    named: list[str] | None = None
    for condition in conditions:
        if _is_service(condition) == frozenset({True}) and not condition.if_exists and condition.qualifier != FOR_ALL:
            named = named or []
    enforced = enforced_keys(conditions)
    for condition in conditions:
        if condition.key in SERVICE_NAME_KEYS and condition.key in enforced:
            exact = condition.operator is not None and condition.operator.name in _EXACT
            named = named or (list(condition.texts) if exact else [])
    return named


def contradiction_of_callers(conditions: Sequence[Condition], enforced: frozenset[str]) -> str:
    """Return why neither a service nor a principal of an account satisfies conditions; empty if one can."""
    by_services = sorted(enforced & _SENT_ONLY_BY_SERVICES)
    by_others = sorted(key for key in enforced if key in _SENT_BY_OTHERS or key.startswith("aws:principaltag/"))
    if by_services and by_others:
        return f"only services send {by_services[0]}, and no service sends {by_others[0]}"
    if by_services and any(_is_service(condition) == frozenset({False}) for condition in conditions):
        return f"only services send {by_services[0]}"
    return ""
