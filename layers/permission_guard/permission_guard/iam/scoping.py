"""What a condition of a resource policy leaves open to callers outside the trusted accounts.

The question is asked over all foreign requests: is there a value, outside what is trusted, that satisfies it? Only
conditions that such a request cannot evade count: a positive operator, without IfExists and ForAllValues unless the
key's presence is enforced besides. See "The confused deputy problem" in the IAM User Guide.
"""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.arn import PARTS, is_account_id
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
    """What the values of a scoping key are."""

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
"""The keys that can tell callers apart by whose they are.

Not among them: `aws:ResourceAccount`, `aws:SecureTransport`, `aws:RequestedRegion`, tags, and
`lambda:FunctionUrlAuthType`, which a foreign caller satisfies as well as anybody.
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
"""The keys with which a service tells for whom it calls."""
_SOURCE_ACCOUNTS: Final = frozenset({"aws:sourceaccount", "aws:sourceowner", "aws:sourcearn"})
_PRINCIPAL_ACCOUNTS: Final = frozenset({"aws:principalaccount", "aws:principalarn", "kms:calleraccount"})

_OWNER_KEYS: Final = {
    "aws:resourceaccount": frozenset({"${aws:principalaccount}", "${aws:sourceaccount}"}),
    "aws:resourceorgid": frozenset({"${aws:principalorgid}", "${aws:sourceorgid}"}),
}
"""Keys that say whose the resource is, and the variables with which they say that the caller's owner is the same."""

OWN: Final = "the account of the resource"
"""Stands for the own account or organization where a variable names it."""
_OWN_VARIABLES: Final = {
    KeyKind.ACCOUNT: "${aws:resourceaccount}",
    KeyKind.ORGANIZATION: "${aws:resourceorgid}",
}


@record
class Scope:
    """Whom a condition lets in.

    `is_open`: anyone. `weak`: whoever owns a name without an account in it. `accounts` and `organizations` are named.
    `narrow`: a network, a token or an id of its own. Nothing at all of these: nobody, ever, and `why` says why.
    """

    is_open: bool = False
    weak: bool = False
    narrow: bool = False
    accounts: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    why: str = ""
    subject: str = field(default="", compare=False)

    @property
    def nobody(self) -> bool:
        """Whether no request can satisfy it."""
        return not (self.is_open or self.weak or self.narrow or self.accounts or self.organizations)

    def about(self, subject: str) -> Scope:
        """Return the same scope, of the `source` or the `principal`, or of neither."""
        return Scope(self.is_open, self.weak, self.narrow, self.accounts, self.organizations, self.why, subject)

    def either(self, other: Scope) -> Scope:
        """Return whom either of two lets in."""
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


def nobody(why: str) -> Scope:
    """Return a scope that lets nobody in."""
    return Scope(why=why)


def scope_of(condition: Condition, *, present: bool, variables: bool) -> Scope:
    """Tell whom a condition lets in.

    `present`: another condition enforces that the key is there. `variables`: the document's version knows them.
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
        return nobody(f"{condition.spelled} holds several values and is compared without ForAnyValue")
    values = [_value(kind, operator.name, text, variables=variables) for text in condition.texts]
    result = values[0]
    for value in values[1:]:
        result = result.either(value)
    return result.about(_subject(condition.key))


def _same_owner(condition: Condition) -> Scope:
    """Judge a condition that compares the resource's owner with the caller's by a policy variable."""
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
    """Tell whom one value of a condition lets in."""
    if kind is KeyKind.ADDRESS:
        return _address(operator, text)
    family = next((name for name in ("String", "Arn", "Numeric") if operator.startswith(name)), "")
    if not family or (family == "Numeric" and kind is not KeyKind.ACCOUNT):
        return nobody(f"{operator} does not compare what the key holds")
    if variables and "${" in text:
        return Scope(accounts=frozenset({OWN})) if text.lower() == _OWN_VARIABLES.get(kind) else OPEN
    wild = ("*" in text or "?" in text) and operator in {"StringLike", "ArnLike", "ArnEquals"}
    if kind is KeyKind.ARN:
        return _arn(operator, text, wild=wild)
    if family == "Arn":
        return nobody(f"{text!r} is compared as an ARN, and the key holds none") if text.strip("*") else OPEN
    judge = _account if kind is KeyKind.ACCOUNT else _identifier
    return judge(kind, operator, text, wild=wild)


def _identifier(kind: KeyKind, operator: str, text: str, *, wild: bool) -> Scope:
    """Judge a value that starts with an id, or is one: of an organization, a principal, a network or a skill."""
    if not wild and ("*" in text or "?" in text):
        return nobody(f"{operator} takes the wildcard in {text!r} literally")
    ends = {KeyKind.PATH: "/", KeyKind.USER_ID: ":"}
    first = text.partition(ends[kind])[0] if kind in ends else text
    if "*" in first or "?" in first:
        return OPEN
    if kind in {KeyKind.ORGANIZATION, KeyKind.PATH}:
        return _organization(first)
    return Scope(accounts=frozenset({first})) if is_account_id(first) else NARROW


def _organization(text: str) -> Scope:
    return Scope(organizations=frozenset({text})) if text.startswith("o-") else nobody(f"{text!r} is no organization")


def _account(_kind: KeyKind, operator: str, text: str, *, wild: bool) -> Scope:
    if operator.startswith("Numeric"):
        text = text.zfill(12)
    if wild:
        return _account_like(text)
    if is_account_id(text):
        return Scope(accounts=frozenset({text}))
    if "*" in text or "?" in text:
        return nobody(f"{operator} takes the wildcard in {text!r} literally")
    return nobody(f"{text!r} is no account id")


def _account_like(pattern: str) -> Scope:
    """Judge a pattern of account ids; one that spells out all twelve digits fits no other account."""
    digits = pattern.replace("*", "")
    if is_account_id(digits):
        return Scope(accounts=frozenset({digits}))
    return OPEN if admits_account(pattern) else nobody(f"no account id is like {pattern!r}")


def _arn(operator: str, text: str, *, wild: bool) -> Scope:
    if wild and not text.strip("*"):
        return OPEN
    segments = text.split(":", PARTS - 1)
    exact = len(segments) == PARTS
    if not exact and (operator.startswith("Arn") or not wild):
        return nobody(f"{text!r} is not an ARN")
    if not wild and ("*" in text or "?" in text) and not (exact and _is_log_group(segments)):
        return nobody(f"{operator} takes the wildcard in {text!r} literally")
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
        return Scope(narrow=True) if account == "aws" else nobody(f"the account in {text!r} is no account id")
    if segments[2] == "s3" and not account.strip("*") and fixed:
        return WEAK
    return OPEN if not account.strip("*") else _account_like(account)


def _arn_text(text: str, segments: list[str]) -> Scope:
    """Judge an ARN that is compared as text, whose stars therefore cross colons."""
    if len(segments) == PARTS and segments[4] == "" and not any("*" in part or "?" in part for part in segments[:4]):
        return _arn_segments(text, segments, wild=True)
    accounts = _accounts_in(text)
    if admits_other_accounts(text, accounts):
        return OPEN
    named = frozenset(account for account in accounts if admits_arn_of(text, account))
    if named:
        return Scope(accounts=named)
    return OPEN if admits_arn_of(text, "") else nobody(f"no ARN is like {text!r}")


def _accounts_in(text: str) -> list[str]:
    fields = (piece.strip("*?") for piece in text.replace("*", ":*:").split(":"))
    return [piece for piece in fields if is_account_id(piece)]


def _address(operator: str, text: str) -> Scope:
    if operator != "IpAddress":
        like = operator == "StringLike"
        return OPEN if like and not text.strip("*.:/?") else NARROW
    network = ip_network(text)
    if network is None:
        return nobody(f"{text!r} is no network")
    return OPEN if network.prefix <= 1 else NARROW


def enforced_keys(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the keys that must be present for the conditions to hold."""
    keys = set()
    for condition in conditions:
        if condition.null:
            if [text.lower() for text in condition.texts] == ["false"]:
                keys.add(condition.key)
        elif condition.operator and not (condition.negated or condition.if_exists or condition.qualifier == FOR_ALL):
            keys.add(condition.key)
    return frozenset(keys)


def forbidden_keys(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the keys that must be absent for the conditions to hold."""
    return frozenset(
        condition.key
        for condition in conditions
        if condition.null and [text.lower() for text in condition.texts] == ["true"]
    )


def complement(conditions: Iterable[Condition], *, variables: bool, service: bool) -> Scope:
    """Return whom a Deny with only negated conditions leaves: those for whom any of the positive ones holds.

    A service never sends some of the keys, and a negated condition holds for a key that is missing.
    """
    left = nobody("a Deny leaves nobody")
    for condition in conditions:
        if service and condition.key in NOT_SENT_BY_SERVICES:
            continue
        name = condition.operator.name.replace("Not", "") if condition.operator else ""
        kind = SCOPING_KEYS[condition.key]
        for text in condition.texts:
            left = left.either(_value(kind, name, text, variables=variables))
    return left


def by_kind(condition: Condition, kind: str, value: str) -> bool | None:
    """Tell whether a condition on `aws:PrincipalIsAWSService` holds for a kind of principal; None where it may."""
    operator = condition.operator
    if condition.key != "aws:principalisawsservice" or (kind, value) == ("AWS", "*"):
        return None
    if operator is None or operator.name not in {"Bool", "StringEquals"}:
        return None
    return ("true" if kind == "Service" else "false") in {text.lower() for text in condition.texts}
