"""The caller of a request, and whether a Principal or NotPrincipal element matches it.

See "AWS JSON policy elements: Principal" in the IAM User Guide.
"""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.arn import is_account_id, parse_arn
from permission_guard.iam.context import shown
from permission_guard.iam.glob import compile_glob
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class PrincipalKind(StrEnum):
    """The type of a caller."""

    ROLE = "role"
    SESSION = "session"
    USER = "user"
    ACCOUNT = "account"
    SERVICE = "service"
    FEDERATED_USER = "federated-user"
    FEDERATED = "federated"
    ANONYMOUS = "anonymous"


IDENTITIES: Final = frozenset(
    {PrincipalKind.ROLE, PrincipalKind.SESSION, PrincipalKind.USER, PrincipalKind.FEDERATED_USER}
)
"""The types of callers to which identity-based policies apply."""


_SESSIONS: Final = frozenset({PrincipalKind.ROLE, PrincipalKind.SESSION})


@record
class Principal:
    """A caller. Create it with one of the class methods.

    `role` is a session of that role whose name is unknown. `session` is a session whose ARN is known. `user_arn` is the
    user who requested the credentials of a federated user, None if that is unknown.
    """

    arn: str
    account: str
    kind: PrincipalKind
    role_arn: str | None = None
    user_arn: str | None = None

    @classmethod
    def role(cls, arn: str) -> Principal:
        """Return a role, for any of its sessions."""
        return cls(arn, _account(arn), PrincipalKind.ROLE, arn)

    @classmethod
    def session(cls, arn: str, role_arn: str | None = None) -> Principal:
        """Return a session `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`, with its role's ARN if that is known."""
        return cls(arn, _account(arn), PrincipalKind.SESSION, role_arn)

    @classmethod
    def user(cls, arn: str) -> Principal:
        """Return an IAM user."""
        return cls(arn, _account(arn), PrincipalKind.USER)

    @classmethod
    def federated_user(cls, arn: str, user_arn: str | None = None) -> Principal:
        """Return the session `arn:aws:sts::ACCOUNT:federated-user/NAME`, with its user's ARN if that is known."""
        return cls(arn, _account(arn), PrincipalKind.FEDERATED_USER, None, user_arn)

    @classmethod
    def root(cls, account: str) -> Principal:
        """Return the root user of an account."""
        return cls(f"arn:aws:iam::{account}:root", account, PrincipalKind.ACCOUNT)

    @classmethod
    def service(cls, name: str) -> Principal:
        """Return an AWS service that calls as itself, such as `s3.amazonaws.com`."""
        return cls(name, "", PrincipalKind.SERVICE)

    @classmethod
    def federated(cls, provider: str) -> Principal:
        """Return a caller with a token from a web or SAML identity provider."""
        return cls(provider, _account(provider), PrincipalKind.FEDERATED)

    @classmethod
    def anonymous(cls) -> Principal:
        """Return a caller without credentials."""
        return cls("", "", PrincipalKind.ANONYMOUS)

    @classmethod
    def from_arn(cls, text: str) -> Principal:
        """Return the caller that an ARN, an account ID or a service principal names. ValueError for other texts."""
        if is_account_id(text):
            return cls.root(text)
        parsed = parse_arn(text)
        if parsed is None:
            if text.endswith((".amazonaws.com", ".amazon.com", ".amazonaws.com.cn")):
                return cls.service(text)
            raise ValueError(f"{text!r} is not a valid principal")
        kind = parsed.resource.partition("/")[0]
        kinds = {
            "root": PrincipalKind.ACCOUNT,
            "user": PrincipalKind.USER,
            "role": PrincipalKind.ROLE,
            "assumed-role": PrincipalKind.SESSION,
            "federated-user": PrincipalKind.FEDERATED_USER,
            "saml-provider": PrincipalKind.FEDERATED,
            "oidc-provider": PrincipalKind.FEDERATED,
        }
        if kind not in kinds:
            raise ValueError(f"{text!r} is not a valid principal")
        return cls(text, parsed.account, kinds[kind], text if kind == "role" else None)

    @property
    def is_identity(self) -> bool:
        """Whether identity-based policies apply to the caller."""
        return self.kind in IDENTITIES

    @property
    def is_service_linked(self) -> bool:
        """Whether the caller is a service-linked role, to which service and resource control policies do not apply."""
        return ":role/aws-service-role/" in (self.role_arn or self.arn)


PrincipalMatch = tuple[int, int, int]
"""How a Principal element matches a caller, as three truth values.

By its account, which delegates to the account's own policies. By the role or user of a session, so that the permissions
boundary still limits it. Directly, by the ARN of the user or session, or by `*`.
"""

_NO: Final = (FALSE, FALSE, FALSE)
_BY_ACCOUNT: Final = (TRUE, FALSE, FALSE)
_BY_ROLE: Final = (FALSE, TRUE, FALSE)
_DIRECTLY: Final = (FALSE, FALSE, TRUE)
_PERHAPS: Final = (FALSE, FALSE, UNKNOWN)
_PERHAPS_BY_USER: Final = (FALSE, UNKNOWN, FALSE)

Entry = tuple[str, str]
"""A value of a Principal element: its type and the value."""

ANYONE: Final[Entry] = ("AWS", "*")
ANY_SERVICE: Final[Entry] = ("Service", "*")
"""Everyone, under conditions that only AWS services satisfy. AWS supports no such entry."""

_TYPES: Final = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_UNIQUE_IDS: Final = ("AIDA", "AROA", "AGPA", "ANPA", "ASCA", "APKA", "AIPA", "ABIA", "ACCA")


class PrincipalSet:
    """A compiled Principal or NotPrincipal element: pairs of a type and a value.

    A Deny with NotPrincipal excepts an identity only if all its ARNs are listed: a user's with its account's, and a
    session's with those of its role and account. A user or session that is not listed is denied, even if its account
    or role is. Without the account or the role, the result depends on the service, and is UNKNOWN.
    See "AWS JSON policy elements: NotPrincipal" in the IAM User Guide, and "How to restrict Amazon S3 bucket access to
    a specific IAM role" in the AWS Security Blog.
    """

    __slots__ = ("empty", "entries", "negated", "problems")

    def __init__(self, raw: object, *, negated: bool = False) -> None:
        self.negated = negated
        self.empty = raw in ("", [], {}, None)
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        if raw == "*":
            self.entries.append(ANYONE)
        elif isinstance(raw, dict) and raw:
            for kind, values in raw.items():
                self._add(kind, values)
        else:
            self.problems.append("the principal is neither '*' nor an object of principals")
            if isinstance(raw, str) and raw:
                self.entries.append(("AWS", raw))

    def _add(self, kind: object, values: object) -> None:
        listed = values if isinstance(values, (list, tuple)) else [values]
        self.empty = self.empty or not listed or "" in listed
        if kind not in _TYPES or not listed:
            self.problems.append(f"the principal type {shown(kind)} is invalid or has no values")
            return
        for value in listed:
            if isinstance(value, str) and value:
                self.entries.append((str(kind), value))
            else:
                self.problems.append(
                    f"the principal type {shown(kind)} contains {shown(value)}, which is not a string or is empty"
                )

    def match(self, principal: Principal, *, denies: bool, bounded: bool) -> PrincipalMatch:
        """Return whether, and how, the element matches a caller.

        `bounded`: the caller has a permissions boundary. Then a Deny with NotPrincipal always denies, as AWS documents.
        """
        account = role = direct = FALSE
        for kind, value in self.entries:
            by_account, by_role, directly = match_principal(kind, value, principal)
            account = max(account, by_account)
            role = max(role, by_role)
            direct = max(direct, directly)
        if self.problems:
            direct = max(direct, UNKNOWN)
        if not self.negated:
            return account, role, direct
        if ANYONE in self.entries or not principal.is_identity:
            return FALSE, FALSE, TRUE - max(account, role, direct)
        if not denies:  # AWS supports no Allow with NotPrincipal
            return FALSE, FALSE, TRUE - max(min(account, UNKNOWN), role, direct)
        if bounded:
            return _DIRECTLY
        complete = account == TRUE and (role == TRUE or principal.kind not in _SESSIONS)
        return FALSE, FALSE, TRUE - (direct if complete else min(direct, UNKNOWN))


def match_principal(kind: str, value: str, principal: Principal) -> PrincipalMatch:
    """Return whether, and how, one value of a Principal element matches a caller."""
    if kind == "Service":
        return _match_text(value, principal, PrincipalKind.SERVICE)
    if kind == "Federated":
        return _match_text(value, principal, PrincipalKind.FEDERATED)
    if kind == "CanonicalUser":
        # It identifies an account, and only S3 knows which.
        known = principal.is_identity or principal.kind is PrincipalKind.ACCOUNT
        return (UNKNOWN, FALSE, FALSE) if known else _NO
    if value == "*":
        return _DIRECTLY
    if principal.kind in {PrincipalKind.SERVICE, PrincipalKind.ANONYMOUS, PrincipalKind.FEDERATED}:
        return _NO
    return _match_aws(value, principal)


def _match_text(value: str, principal: Principal, kind: PrincipalKind) -> PrincipalMatch:
    if principal.kind is not kind:
        return _NO
    if value == principal.arn:
        return _DIRECTLY
    wild = "*" in value or "?" in value
    return _PERHAPS if wild and compile_glob(value).matches(principal.arn) else _NO


def _match_aws(value: str, principal: Principal) -> PrincipalMatch:  # noqa: PLR0911 - one return a case reads best
    if value == principal.account or (value.endswith(":root") and _is_root(value, principal.account)):
        return _DIRECTLY if principal.kind is PrincipalKind.ACCOUNT else _BY_ACCOUNT
    if value == principal.arn:
        return _BY_ROLE if principal.kind is PrincipalKind.ROLE else _DIRECTLY
    if "*" in value or "?" in value:
        glob = compile_glob(value)
        return _PERHAPS if glob.matches(principal.arn) or glob.matches(principal.role_arn or "") else _NO
    parsed = parse_arn(value)
    if parsed is None or parsed.account != principal.account:
        return _NO
    sort, _, rest = parsed.resource.partition("/")
    if principal.kind is PrincipalKind.FEDERATED_USER and sort == "user":
        return _match_user(value, principal)
    if principal.kind is PrincipalKind.SESSION and sort == "role":
        if principal.role_arn is not None:
            return _BY_ROLE if value == principal.role_arn else _NO
        return _BY_ROLE if rest.rpartition("/")[2] == _role_name(principal.arn) else _NO
    if principal.kind is PrincipalKind.ROLE and sort == "assumed-role":
        return _PERHAPS if rest.partition("/")[0] == principal.arn.rpartition("/")[2] else _NO
    return _NO


def _match_user(value: str, principal: Principal) -> PrincipalMatch:
    """Match a user with the session of a federated user, which usually has the name of the user who requested it."""
    if principal.user_arn is not None:
        return _BY_ROLE if value == principal.user_arn else _NO
    return _BY_ROLE if value.rpartition("/")[2] == principal.arn.rpartition("/")[2] else _PERHAPS_BY_USER


def _is_root(value: str, account: str) -> bool:
    parsed = parse_arn(value)
    return parsed is not None and parsed.service == "iam" and parsed.account == account and parsed.resource == "root"


def _role_name(session_arn: str) -> str:
    parsed = parse_arn(session_arn)
    return parsed.resource.split("/")[1] if parsed and parsed.resource.count("/") else ""


def _account(arn: str) -> str:
    parsed = parse_arn(arn)
    return parsed.account if parsed else ""


def is_unique_id(value: str) -> bool:
    """Return whether a principal is the unique ID with which AWS replaces a deleted user or role."""
    return value.startswith(_UNIQUE_IDS) and ":" not in value and value.isalnum()
