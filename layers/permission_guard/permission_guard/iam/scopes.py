"""The callers that the values of a condition allow, over all possible requests."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.arn import PARTS, is_account_id, split_arn
from permission_guard.iam.networks import is_wide
from permission_guard.iam.patterns import ANYTHING, FIELD_RUN, WITHOUT_COLON, accounts_of, admits_account, overlaps
from permission_guard.iam.values import ip_network, numbers_within, parse_number
from permission_guard.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

    from permission_guard.iam.patterns import Symbol

_FAMILIES: Final = ("String", "Arn", "Numeric", "Date", "Binary", "Bool")
_LAST_ACCOUNT: Final = 10**12 - 1


OWN: Final = "the account of the resource"
"""The placeholder for the resource's own account or organization, if a policy variable names it."""


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


OPEN: Final = Scope(is_open=True)
WEAK: Final = Scope(weak=True)
NARROW: Final = Scope(narrow=True)


def no_caller(why: str) -> Scope:
    """Return a scope without callers, for a condition that is never true."""
    return Scope(why=why)


def any_of(scopes: Iterable[Scope]) -> Scope:
    """Return the callers that at least one of the scopes allows."""
    found: list[Scope] = []
    for scope in scopes:
        if scope.is_open:
            return OPEN
        found.append(scope)
    return Scope(
        weak=any(scope.weak for scope in found),
        narrow=any(scope.narrow for scope in found),
        accounts=frozenset().union(*(scope.accounts for scope in found)),
        organizations=frozenset().union(*(scope.organizations for scope in found)),
        why=next((scope.why for scope in found if scope.why), ""),
    )


def values_scopes(
    kind: KeyKind, operator: str, texts: Sequence[str], *, variables: bool, without_colon: bool = False
) -> Iterator[Scope]:
    """Yield the callers that each value of a condition allows; those of addresses together.

    `without_colon`: the resource part of all ARNs that can be compared contains no colon.
    """
    if kind is KeyKind.ADDRESS:
        yield _addresses(operator, texts)
    else:
        for text in texts:
            yield _value(kind, operator, text, variables=variables, without_colon=without_colon)


def _value(  # noqa: PLR0911 - one return a case reads best
    kind: KeyKind, operator: str, text: str, *, variables: bool, without_colon: bool
) -> Scope:
    """Return the callers that one value of a condition allows."""
    family = next((name for name in _FAMILIES if operator.startswith(name)), "")
    if family == "Bool":
        return _boolean(text)
    if family in {"Numeric", "Date", "Binary"} and kind in {KeyKind.ACCOUNT, KeyKind.USER_ID}:
        return _account_number(operator, text)
    if family not in {"String", "Arn"}:
        return no_caller(f"{operator} cannot match a value of this key")
    if variables and "${" in text:
        return Scope(accounts=frozenset({OWN})) if text.lower() == _OWN_VARIABLES.get(kind) else OPEN
    wild = ("*" in text or "?" in text) and operator in {"StringLike", "ArnLike", "ArnEquals"}
    if kind is KeyKind.ARN:
        return _arn(operator, text, wild=wild, without_colon=without_colon)
    if family == "Arn":
        return no_caller(f"{text!r} is compared as an ARN, and the key contains no ARN") if text.strip("*") else OPEN
    scope = _account if kind is KeyKind.ACCOUNT else _identifier
    return scope(kind, operator, text, wild=wild)


def _boolean(text: str) -> Scope:
    """Evaluate a boolean that is compared with a value that is none, which counts as false."""
    return OPEN if text.lower() == "false" else no_caller(f"{text!r} is compared with a value that is not a boolean")


def _account_number(operator: str, text: str) -> Scope:
    """Evaluate a comparison of an account ID as a number, a date or binary data."""
    if operator == "BinaryEquals":
        return Scope(accounts=frozenset({text})) if is_account_id(text) else no_caller(f"{text!r} is not an account ID")
    if operator.startswith("Date"):  # an account ID can be read as seconds since 1970
        return OPEN
    bound = parse_number(text)
    if bound is None:
        return no_caller(f"{text!r} is not a number")
    low, high = numbers_within(operator.removeprefix("Numeric"), bound, _LAST_ACCOUNT)
    if low > high:
        return no_caller(f"no account ID matches {operator} {text}")
    return Scope(accounts=frozenset({str(low).zfill(12)})) if low == high else OPEN


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


def _arn(operator: str, text: str, *, wild: bool, without_colon: bool) -> Scope:
    if wild and not text.strip("*"):
        return OPEN
    segments = split_arn(text)
    exact = len(segments) == PARTS
    if not exact and (operator.startswith("Arn") or not wild):
        return no_caller(f"{text!r} is not an ARN")
    if not wild and ("*" in text or "?" in text) and not (exact and _is_log_group(segments)):
        return no_caller(f"{operator} compares the wildcard in {text!r} literally")
    if operator == "StringLike" and wild:
        return _arn_text(text, segments, without_colon=without_colon)
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


def _arn_text(text: str, segments: list[str], *, without_colon: bool) -> Scope:
    """Evaluate an ARN that is compared as text, so that its `*` also match colons."""
    if len(segments) == PARTS and segments[4] == "" and not any("*" in part or "?" in part for part in segments[:4]):
        return _arn_segments(text, segments, wild=True)
    forms = _resources_of(segments, without_colon=without_colon)
    if len(segments) == PARTS and not any("*" in part or "?" in part for part in segments[:-1]):
        forms = [ANYTHING] if any(overlaps(segments[-1], form) for form in forms) else []
        text = ":".join([*segments[:-1], "*"])
    found = [accounts_of(text, form) for form in forms]
    if any(each.any for each in found):
        return OPEN
    named = frozenset().union(*(each.named for each in found))
    if named:
        return Scope(accounts=named)
    return OPEN if any(each.without for each in found) else no_caller(f"no ARN matches {text!r}")


def _resources_of(segments: list[str], *, without_colon: bool) -> list[tuple[Symbol, ...]]:
    """Return the forms of the resource part of the ARNs that a pattern with these segments can match."""
    service = segments[2] if len(segments) > 2 and not any("*" in part or "?" in part for part in segments[:3]) else ""  # noqa: PLR2004
    if service not in _RESOURCES:
        return [WITHOUT_COLON if without_colon and not service else ANYTHING]
    return [tuple(FIELD_RUN if sign == "*" else sign for sign in form) for form in _RESOURCES[service]]


def has_no_colon_in_names(principal: str) -> bool:
    """Return whether the sources of a service principal have no colon in the resource part of their ARNs."""
    return _RESOURCES.get(principal.partition(".")[0]) == _ONE_NAME


_ONE_NAME: Final = ("*",)
_RESOURCES: Final = {
    **dict.fromkeys(
        (
            "appsync",
            "bedrock",
            "cloudfront",
            "codecommit",
            "cognito-idp",
            "config",
            "connect",
            "elasticloadbalancing",
            "events",
            "mobiletargeting",
            "s3",
            "sns",
            "sqs",
            "vpc-lattice",
        ),
        _ONE_NAME,
    ),
    "iot": ("*", "certificateprovider:*"),
    "lex": ("bot-alias/*",),  # the intents of Lex V1 ended
    "logs": ("log-group:*:*",),
    "secretsmanager": ("secret:*",),
    "ses": ("receipt-rule-set/*:receipt-rule/*",),
}
"""The forms of the resource part in the ARNs of services that invoke functions; a `*` matches no colon.

Not listed are services whose names can contain a colon, such as alarms and the paths of an API.
"""


def _addresses(operator: str, texts: Sequence[str]) -> Scope:
    """Evaluate IP addresses and networks, which count as all callers if they are wide together."""
    if operator == "Bool":
        return any_of(map(_boolean, texts))
    if operator != "IpAddress":
        like = operator == "StringLike"
        return OPEN if like and any(map(_is_wide_text, texts)) else NARROW
    networks = [network for network in map(ip_network, texts) if network]
    if not networks:
        return no_caller(f"{texts[0]!r} is not an IP network")
    return OPEN if is_wide(networks) else NARROW


def _is_wide_text(pattern: str) -> bool:
    """Return whether a pattern has a wildcard in the first part of an IPv4, or the first two of an IPv6 address."""
    fixed = pattern.replace("?", "*").partition("*")[0]
    return fixed != pattern and "." not in fixed and fixed.count(":") < 2  # noqa: PLR2004
