"""Which callers a condition of a resource-based policy allows, over all possible requests.

A condition restricts the callers only if a request cannot avoid it: its operator is positive, and it has neither
IfExists nor ForAllValues, unless another condition requires the key. See "The confused deputy problem" in the IAM User
Guide.
"""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.arn import PARTS, is_account_id, split_arn
from permission_guard.iam.conditions import FOR_ALL
from permission_guard.iam.patterns import admits_account, admits_arn_of, admits_other_accounts
from permission_guard.iam.values import ip_network
from permission_guard.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from permission_guard.iam.conditions import Condition


class KeyKind(StrEnum):
    """What the values of a scoping key identify."""

    ACCOUNT = "account"
    ARN = "arn"
    ORGANIZATION = "organization"
    PATH = "organization path"
    NETWORK = "network"
    ADDRESS = "address"
    USER_ID = "user id"
    TOKEN = "token"  # noqa: S105


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
_SOURCE_ACCOUNTS: Final = frozenset({"aws:sourceaccount", "aws:sourceowner", "aws:sourcearn"})
_PRINCIPAL_ACCOUNTS: Final = frozenset({"aws:principalaccount", "aws:principalarn", "kms:calleraccount"})

_OWNER_KEYS: Final = {
    "aws:resourceaccount": frozenset({"${aws:principalaccount}", "${aws:sourceaccount}"}),
    "aws:resourceorgid": frozenset({"${aws:principalorgid}", "${aws:sourceorgid}"}),
}
"""The keys of the resource's owner, and the policy variables that require the caller to have the same owner."""

OWN: Final = "the account of the resource"
"""The placeholder for the resource's own account or organization, if a policy variable names it."""
_OWN_VARIABLES: Final = {
    KeyKind.ACCOUNT: "${aws:resourceaccount}",
    KeyKind.ORGANIZATION: "${aws:resourceorgid}",
}


@record
class Scope:
    """The callers that a condition allows.

    `is_open`: all callers. `weak`: the owner of a name that contains no account. `narrow`: a network, a token or one
    identity. `accounts` and `organizations`: those that the condition names. If none of these is set, the condition is
    never true, and `why` is the reason. `subject` says whose accounts they are: `source`, `principal`, or empty.
    """

    is_open: bool = False
    weak: bool = False
    narrow: bool = False
    accounts: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    why: str = ""
    subject: str = field(default="", compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether no request can satisfy the condition."""
        return not (self.is_open or self.weak or self.narrow or self.accounts or self.organizations)

    def about(self, subject: str) -> Scope:
        """Return the same scope with another subject."""
        return Scope(self.is_open, self.weak, self.narrow, self.accounts, self.organizations, self.why, subject)

    def either(self, other: Scope) -> Scope:
        """Return the callers that at least one of two scopes allows."""
        return Scope(
            self.is_open or other.is_open,
            self.weak or other.weak,
            self.narrow or other.narrow,
            self.accounts | other.accounts,
            self.organizations | other.organizations,
            self.why or other.why,
            self.subject if self.subject == other.subject else "",
        )


OPEN: Final = Scope(is_open=True)
WEAK: Final = Scope(weak=True)
NARROW: Final = Scope(narrow=True)


def no_caller(why: str) -> Scope:
    """Return a scope without callers, for a condition that is never true."""
    return Scope(why=why)


def scope_of(condition: Condition, *, present: bool, variables: bool) -> Scope:
    """Return the callers that a condition allows.

    `present`: another condition requires the key. `variables`: the policy's version supports policy variables.
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
    values = [_value(kind, operator.name, text, variables=variables) for text in condition.texts]
    result = values[0]
    for value in values[1:]:
        result = result.either(value)
    return result.about(_subject(condition.key))


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


def _value(kind: KeyKind, operator: str, text: str, *, variables: bool) -> Scope:
    """Return the callers that one value of a condition allows."""
    if kind is KeyKind.ADDRESS:
        return _address(operator, text)
    family = next((name for name in ("String", "Arn", "Numeric") if operator.startswith(name)), "")
    if not family or (family == "Numeric" and kind is not KeyKind.ACCOUNT):
        return no_caller(f"{operator} cannot match a value of this key")
    if variables and "${" in text:
        return Scope(accounts=frozenset({OWN})) if text.lower() == _OWN_VARIABLES.get(kind) else OPEN
    wild = ("*" in text or "?" in text) and operator in {"StringLike", "ArnLike", "ArnEquals"}
    if kind is KeyKind.ARN:
        return _arn(operator, text, wild=wild)
    if family == "Arn":
        return no_caller(f"{text!r} is compared as an ARN, and the key contains no ARN") if text.strip("*") else OPEN
    scope = _account if kind is KeyKind.ACCOUNT else _identifier
    return scope(kind, operator, text, wild=wild)


def _identifier(kind: KeyKind, operator: str, text: str, *, wild: bool) -> Scope:
    """Evaluate a value that is an ID or starts with one: of an organization, a principal, a network or a skill."""
    if not wild and ("*" in text or "?" in text):
        return no_caller(f"{operator} compares the wildcard in {text!r} literally")
    ends = {KeyKind.PATH: "/", KeyKind.USER_ID: ":"}
    first = text.partition(ends[kind])[0] if kind in ends else text
    if "*" in first or "?" in first:
        return OPEN
    if kind in {KeyKind.ORGANIZATION, KeyKind.PATH}:
        return _organization(first)
    return Scope(accounts=frozenset({first})) if is_account_id(first) else NARROW


def _organization(text: str) -> Scope:
    return (
        Scope(organizations=frozenset({text}))
        if text.startswith("o-")
        else no_caller(f"{text!r} is not an organization ID")
    )


def _account(_kind: KeyKind, operator: str, text: str, *, wild: bool) -> Scope:
    if operator.startswith("Numeric"):
        text = text.zfill(12)
    if wild:
        return _account_like(text)
    if is_account_id(text):
        return Scope(accounts=frozenset({text}))
    if "*" in text or "?" in text:
        return no_caller(f"{operator} compares the wildcard in {text!r} literally")
    return no_caller(f"{text!r} is not an account ID")


def _account_like(pattern: str) -> Scope:
    """Evaluate a pattern of account IDs. A pattern that contains all twelve digits matches no other account."""
    digits = pattern.replace("*", "")
    if is_account_id(digits):
        return Scope(accounts=frozenset({digits}))
    return OPEN if admits_account(pattern) else no_caller(f"no account ID matches {pattern!r}")


def _arn(operator: str, text: str, *, wild: bool) -> Scope:
    if wild and not text.strip("*"):
        return OPEN
    segments = split_arn(text)
    exact = len(segments) == PARTS
    if not exact and (operator.startswith("Arn") or not wild):
        return no_caller(f"{text!r} is not an ARN")
    if not wild and ("*" in text or "?" in text) and not (exact and _is_log_group(segments)):
        return no_caller(f"{operator} compares the wildcard in {text!r} literally")
    if operator == "StringLike" and wild:
        return _arn_text(text, segments)
    return _arn_segments(text, segments, wild=wild)


def _is_log_group(segments: list[str]) -> bool:
    return segments[2] == "logs" and segments[5].endswith(":*") and "*" not in segments[5][:-1] + "".join(segments[:5])


def _arn_segments(text: str, segments: list[str], *, wild: bool) -> Scope:
    account, resource = segments[4], segments[5]
    if is_account_id(account):
        return Scope(accounts=frozenset({account}))
    name = resource.partition("/")[0] if segments[2] == "s3" else resource
    fixed = not (wild and ("*" in name or "?" in name))
    if account == "":
        return WEAK if fixed else OPEN
    if not ("*" in account or "?" in account):
        return Scope(narrow=True) if account == "aws" else no_caller(f"the account in {text!r} is not an account ID")
    if segments[2] == "s3" and not account.strip("*") and fixed:
        return WEAK
    return OPEN if not account.strip("*") else _account_like(account)


def _arn_text(text: str, segments: list[str]) -> Scope:
    """Evaluate an ARN that is compared as text, so that its `*` also match colons."""
    if len(segments) == PARTS and segments[4] == "" and not any("*" in part or "?" in part for part in segments[:4]):
        return _arn_segments(text, segments, wild=True)
    accounts = _accounts_in(text)
    if admits_other_accounts(text, accounts):
        return OPEN
    named = frozenset(account for account in accounts if admits_arn_of(text, account))
    if named:
        return Scope(accounts=named)
    return OPEN if admits_arn_of(text, "") else no_caller(f"no ARN matches {text!r}")


def _accounts_in(text: str) -> list[str]:
    fields = (piece.strip("*?") for piece in text.replace("*", ":*:").split(":"))
    return [piece for piece in fields if is_account_id(piece)]


def _address(operator: str, text: str) -> Scope:
    if operator != "IpAddress":
        like = operator == "StringLike"
        return OPEN if like and not text.strip("*.:/?") else NARROW
    network = ip_network(text)
    if network is None:
        return no_caller(f"{text!r} is not an IP network")
    return OPEN if network.prefix <= 1 else NARROW


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
    left = no_caller("a Deny applies to every caller")
    for condition in conditions:
        if service and condition.key in NOT_SENT_BY_SERVICES:
            continue
        name = condition.operator.name.replace("Not", "") if condition.operator else ""
        kind = SCOPING_KEYS[condition.key]
        for text in condition.texts:
            left = left.either(_value(kind, name, text, variables=variables))
    return left


def holds_for_kind(condition: Condition, kind: str, value: str) -> bool | None:
    """Return whether a condition on `aws:PrincipalIsAWSService` is true for a kind of principal; None if it depends."""
    operator = condition.operator
    if condition.key != "aws:principalisawsservice" or (kind, value) == ("AWS", "*"):
        return None
    if operator is None or operator.name not in {"Bool", "StringEquals"}:
        return None
    return ("true" if kind == "Service" else "false") in {text.lower() for text in condition.texts}
