"""Whom a resource-based policy allows: anyone, services that anyone can make call, other accounts.

`evaluate()` evaluates one request. `exposure()` covers all requests from outside the trusted accounts and
organizations.
"""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.arn import is_account_id, parse_arn
from permission_guard.iam.config_rule import is_public_to_config
from permission_guard.iam.denies import denies_all_of, remaining_scopes
from permission_guard.iam.invoking import INVOKE_ACTIONS, is_for_url, is_invoke
from permission_guard.iam.principals import is_unique_id
from permission_guard.iam.scoping import (
    NOT_SENT_BY_SERVICES,
    OWN,
    SCOPING_KEYS,
    SOURCE_KEYS,
    Scope,
    enforced_keys,
    forbidden_keys,
    holds_for_kind,
    no_caller,
    scope_of,
)
from permission_guard.iam.statements import ALLOW, DENY
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    NeverSent = Callable[[str], frozenset[str]]

    from permission_guard.iam.documents import Policy
    from permission_guard.iam.statements import Statement

ANYONE: Final = "*"


@record
class TrustSet:
    """The trusted accounts, including the account of the resource, and the trusted organizations."""

    accounts: frozenset[str]
    organizations: frozenset[str] = frozenset()


class Restriction(StrEnum):
    """How the conditions of its statement restrict a principal."""

    OPEN = "open"
    """It is not restricted."""
    WEAK = "weak"
    """It is restricted to a name without an account, such as a bucket's. A later owner of the name is allowed, too."""
    FOREIGN = "foreign"
    """It is restricted to an account or organization that is not trusted."""
    HELD = "held"
    """It is restricted to what is trusted."""
    NEVER = "never"
    """The conditions are never true for it."""


@record
class PrincipalExposure:
    """How one principal of a statement is restricted, and why.

    `kind` is `AWS`, `Service`, `Federated` or `CanonicalUser`. `accounts` and `organizations` are allowed and not
    trusted.
    """

    kind: str
    value: str
    restriction: Restriction
    accounts: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    why: str = ""


@record
class ScopingCondition:
    """A condition on a scoping key, and whether it restricts the callers."""

    key: str
    operator: str
    values: tuple[str, ...]
    effective: bool


@record
class StatementExposure:
    """Whom one Allow statement allows.

    `beyond_invoke` are its actions that grant more than invoking. `closed_by` is the Deny statement that denies
    everything it allows. `problems` are the reasons why AWS rejects it. If the statement is `malformed`, the other
    attributes are the worst case, and the properties of `Exposure` leave the statement out.
    """

    index: int
    sid: str | None
    principals: tuple[PrincipalExposure, ...]
    scoping: tuple[ScopingCondition, ...]
    grants_invoke: bool
    beyond_invoke: tuple[str, ...]
    never_matches: bool
    never_reason: str
    function_url: bool
    closed_by: str | None
    malformed: bool
    problems: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def public(self) -> bool:
        """Whether the statement allows anyone."""
        return any(item.kind == "AWS" and item.restriction is Restriction.OPEN for item in self.principals)

    def _services(self, restriction: Restriction) -> tuple[str, ...]:
        return tuple(
            item.value for item in self.principals if item.kind == "Service" and item.restriction is restriction
        )

    @property
    def services_open(self) -> tuple[str, ...]:
        """The service principals that anyone can make call the resource."""
        return self._services(Restriction.OPEN)

    @property
    def services_weak(self) -> tuple[str, ...]:
        """The service principals that are restricted only to a name without an account."""
        return self._services(Restriction.WEAK)

    @property
    def services_restricted(self) -> tuple[str, ...]:
        """The service principals that are restricted to what is trusted."""
        return self._services(Restriction.HELD)

    @property
    def services_foreign(self) -> tuple[str, ...]:
        """The service principals that are restricted to an account or organization that is not trusted."""
        return self._services(Restriction.FOREIGN)

    @property
    def weak(self) -> bool:
        """Whether a principal, which can be `*`, is restricted only to a name without an account."""
        return any(item.restriction is Restriction.WEAK for item in self.principals)

    @property
    def foreign_accounts(self) -> tuple[str, ...]:
        """The accounts of callers and sources that are allowed and not trusted."""
        return tuple(sorted({account for item in self.principals for account in item.accounts}))

    @property
    def foreign_organizations(self) -> tuple[str, ...]:
        """The organizations that are allowed and not trusted."""
        return tuple(sorted({name for item in self.principals for name in item.organizations}))

    @property
    def federated(self) -> tuple[str, ...]:
        """The identity providers whose users are allowed."""
        return tuple(
            item.value for item in self.principals if item.kind == "Federated" and item.restriction is Restriction.OPEN
        )

    @property
    def effective_keys(self) -> frozenset[str]:
        """The scoping keys, in lower case, whose conditions restrict the callers."""
        return frozenset(item.key.lower() for item in self.scoping if item.effective)

    @property
    def present_keys(self) -> frozenset[str]:
        """The scoping keys, in lower case, of all conditions."""
        return frozenset(item.key.lower() for item in self.scoping)


@record
class Exposure:
    """Whom a resource-based policy allows, by Allow statement.

    Two results can differ. `effectively_open` is the effect of the policy: a Deny statement counts if it denies
    everything that an Allow statement allows. `config_rule_public` is the result of AWS Config's rule
    `lambda-function-public-access-prohibited`, which is Security Hub's control Lambda.1.

    `unknown` are the reasons why the policy cannot be evaluated completely.
    """

    statements: tuple[StatementExposure, ...]
    config_rule_public: bool
    unknown: tuple[str, ...]

    @property
    def _in_effect(self) -> tuple[StatementExposure, ...]:
        return tuple(item for item in self.statements if item.closed_by is None and not item.malformed)

    @property
    def effectively_open(self) -> bool:
        """Whether anyone can use the resource, directly or through a service."""
        return any(item.public or item.services_open for item in self._in_effect)

    @property
    def public(self) -> bool:
        """Whether anyone can use the resource directly."""
        return any(item.public for item in self._in_effect)

    @property
    def services_open(self) -> tuple[str, ...]:
        """The service principals that anyone can make call the resource."""
        return tuple(sorted({name for item in self._in_effect for name in item.services_open}))

    @property
    def services_weak(self) -> tuple[str, ...]:
        """The service principals that are restricted only to a name without an account."""
        return tuple(sorted({name for item in self._in_effect for name in item.services_weak}))

    @property
    def foreign_accounts(self) -> tuple[str, ...]:
        """The accounts that are allowed and not trusted."""
        return tuple(sorted({account for item in self._in_effect for account in item.foreign_accounts}))

    @property
    def foreign_organizations(self) -> tuple[str, ...]:
        """The organizations that are allowed and not trusted."""
        return tuple(sorted({name for item in self._in_effect for name in item.foreign_organizations}))


def _no_keys(_service: str) -> frozenset[str]:
    return frozenset()


def exposure(policy: Policy, trust: TrustSet, never_sent: NeverSent = _no_keys) -> Exposure:
    """Return whom a resource-based policy allows from outside the trusted accounts and organizations.

    `never_sent` returns the condition keys, in lower case, that a service principal never sends, in addition to those
    that no service sends.
    """
    denies = [item for item in policy.statements if item.effect == DENY and not item.malformed]
    allows = [item for item in policy.statements if item.effect == ALLOW]
    unknown = tuple(policy.problems) if policy.unreadable else ()
    unknown += tuple(
        f"statement {item.sid or item.index}: {'; '.join(item.problems)}"
        for item in policy.statements
        if item.malformed or any(condition.problem for condition in item.conditions)
    )
    variables = policy.knows_variables
    return Exposure(
        tuple(_statement(item, denies, trust, never_sent, variables=variables) for item in allows),
        is_public_to_config(allows),
        unknown,
    )


def _statement(
    statement: Statement, denies: Sequence[Statement], trust: TrustSet, never_sent: NeverSent, *, variables: bool
) -> StatementExposure:
    enforced = enforced_keys(statement.conditions)
    scopes = [
        (condition, scope_of(condition, present=condition.key in enforced, variables=variables))
        for condition in statement.conditions
    ]
    contradiction = enforced & forbidden_keys(statement.conditions)
    common = [scope for _, scope in scopes]
    if contradiction:
        common.append(no_caller(f"{min(contradiction)} is required to be both present and absent"))
    principals = _principals(statement)
    closer = next((deny for deny in denies if denies_all_of(deny, statement)), None)
    others = () if closer else denies
    exposures = tuple(
        _principal_exposure(
            kind,
            value,
            [
                *common,
                *_of_kind(statement, kind, value),
                *remaining_scopes(statement, others, kind, value, variables=variables),
            ],
            enforced & _unsent(kind, value, never_sent),
            trust,
        )
        for kind, value in principals
    )
    never = bool(exposures) and all(item.restriction is Restriction.NEVER for item in exposures)
    beyond = (
        tuple(text for text in statement.action_texts if not is_invoke(text))
        if not statement.not_action
        else (tuple(f"everything but {text}" for text in statement.action_texts))
    )
    return StatementExposure(
        index=statement.index,
        sid=statement.sid,
        principals=exposures,
        scoping=tuple(
            ScopingCondition(condition.spelled, condition.name, condition.texts, not scope.is_open)
            for condition, scope in scopes
            if condition.key in SCOPING_KEYS
        ),
        grants_invoke=any(statement.match_action(action) for action in INVOKE_ACTIONS),
        beyond_invoke=beyond,
        never_matches=never,
        never_reason=exposures[0].why if never else "",
        function_url=is_for_url(statement, enforced),
        closed_by=None if closer is None else closer.sid or str(closer.index),
        malformed=statement.malformed,
        problems=statement.problems,
        reasons=tuple(dict.fromkeys(item.why for item in exposures if item.why)),
    )


def _principals(statement: Statement) -> list[tuple[str, str]]:
    """Return the principals as pairs of type and value. An invalid Principal and any NotPrincipal count as anyone."""
    if statement.principals is None or statement.principals.negated:
        return [("AWS", ANYONE)]
    entries = list(dict.fromkeys(statement.principals.entries))
    return entries or [("AWS", ANYONE)]


def _of_kind(statement: Statement, kind: str, value: str) -> list[Scope]:
    """Return a scope without callers if a condition is never true for this kind of principal."""
    if any(holds_for_kind(condition, kind, value) is False for condition in statement.conditions):
        return [no_caller(f"aws:PrincipalIsAWSService never has this value for {value}")]
    return []


def _unsent(kind: str, value: str, never_sent: NeverSent) -> frozenset[str]:
    """Return the keys that a principal never sends. Only services send the source keys."""
    if kind == "Service":
        return NOT_SENT_BY_SERVICES | never_sent(value)
    return SOURCE_KEYS if kind == "AWS" and value != ANYONE else frozenset()


def _principal_exposure(
    kind: str, value: str, scopes: list[Scope], unsent: frozenset[str], trust: TrustSet
) -> PrincipalExposure:
    """Return how the scopes, all of which apply, restrict one principal.

    `unsent` are the keys that the conditions require and that the principal never sends.
    """
    if unsent:
        scopes = [*scopes, no_caller(f"{value} never sends {min(unsent)}")]
    if kind == "AWS" and is_unique_id(value):
        return PrincipalExposure(kind, value, Restriction.NEVER, why=f"the principal {value} was deleted")
    if kind == "AWS" and value != ANYONE:
        scopes = [_own_scope(value), *scopes]
    elif kind == "CanonicalUser":
        scopes = [Scope(accounts=frozenset({value}), subject="principal"), *scopes]
    scopes = _with_common_accounts(scopes)
    empty = next((scope for scope in scopes if scope.is_empty), None)
    if empty is not None:
        return PrincipalExposure(kind, value, Restriction.NEVER, why=empty.why)
    return _restriction(kind, value, [scope for scope in scopes if not scope.is_open], trust)


def _own_scope(value: str) -> Scope:
    if is_account_id(value):
        return Scope(accounts=frozenset({value}), subject="principal")
    parsed = parse_arn(value)
    if parsed is None or not is_account_id(parsed.account):
        wild = "*" in value
        return Scope(is_open=True) if wild else no_caller(f"{value!r} is not a valid principal")
    return Scope(accounts=frozenset({parsed.account}), subject="principal")


def _with_common_accounts(scopes: list[Scope]) -> list[Scope]:
    """Replace the scopes on the source's accounts by one with their common accounts; likewise the principal's."""
    combined = list(scopes)
    for subject in ("source", "principal"):
        named = [scope for scope in combined if scope.subject == subject and _is_by_account(scope)]
        if len(named) > 1:
            common = frozenset.intersection(*(scope.accounts for scope in named))
            every = ", ".join(sorted(frozenset().union(*(scope.accounts for scope in named))))
            why = "" if common else f"the conditions require different {subject} accounts: {every}"
            combined = [scope for scope in combined if scope not in named] + [Scope(accounts=common, why=why)]
    return combined


def _is_by_account(scope: Scope) -> bool:
    other = scope.is_open or scope.weak or scope.narrow or scope.organizations
    return bool(scope.accounts) and OWN not in scope.accounts and not other


def _restriction(kind: str, value: str, narrowing: list[Scope], trust: TrustSet) -> PrincipalExposure:
    if not narrowing:
        return PrincipalExposure(kind, value, Restriction.OPEN, why=_open_reason(kind, value))
    outside: list[tuple[frozenset[str], frozenset[str]]] = []
    for scope in narrowing:
        accounts = scope.accounts - trust.accounts - {OWN}
        organizations = scope.organizations - trust.organizations
        if not (scope.weak or scope.narrow or accounts or organizations):
            return PrincipalExposure(kind, value, Restriction.HELD)
        if not scope.weak and (accounts or organizations):
            outside.append((accounts, organizations))
    if not outside and any(scope.narrow and not scope.weak for scope in narrowing):
        return PrincipalExposure(kind, value, Restriction.HELD)
    if not outside:
        weak = [scope.accounts - trust.accounts - {OWN} for scope in narrowing]
        accounts = frozenset.intersection(*weak)
        why = f"{value} is restricted only to a name that contains no account ID"
        return PrincipalExposure(kind, value, Restriction.WEAK, tuple(sorted(accounts)), why=why)
    accounts, organizations = min(outside, key=lambda pair: len(pair[0]) + len(pair[1]))
    why = f"{value} is restricted to {', '.join(sorted(accounts | organizations))}"
    return PrincipalExposure(
        kind, value, Restriction.FOREIGN, tuple(sorted(accounts)), tuple(sorted(organizations)), why
    )


def _open_reason(kind: str, value: str) -> str:
    if kind == "Service":
        return f"no condition restricts the account for which {value} calls"
    return "anyone can call" if value == ANYONE else f"{value} is not restricted"
