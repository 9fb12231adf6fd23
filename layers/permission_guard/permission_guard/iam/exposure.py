"""Whom a resource-based policy allows: anyone, services that anyone can make call, other accounts.

`evaluate()` evaluates one request. `exposure()` covers all requests from outside the trusted accounts and
organizations.
"""

from __future__ import annotations

from permission_guard.iam.arn import is_account_id, parse_arn
from permission_guard.iam.config_rule import is_public_to_config
from permission_guard.iam.denies import Denies
from permission_guard.iam.invoking import INVOKE_ACTIONS, is_for_url, is_invoke
from permission_guard.iam.principals import ANY_SERVICE, ANYONE, is_unique_id
from permission_guard.iam.restrictions import Restriction, Restrictions, TrustSet
from permission_guard.iam.scopes import Scope, has_no_colon_in_names, no_caller
from permission_guard.iam.scoping import (
    NOT_SENT_BY_SERVICES,
    SCOPING_KEYS,
    SERVICE_NAME_KEYS,
    SOURCE_KEYS,
    contradiction_of_callers,
    enforced_keys,
    forbidden_keys,
    holds_for_kind,
    scope_of,
    services_named,
)
from permission_guard.iam.statements import ALLOW, DENY
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    NeverSent = Callable[[str], frozenset[str]]

    from permission_guard.iam.denies import EffectiveDenies
    from permission_guard.iam.documents import Policy
    from permission_guard.iam.principals import Entry
    from permission_guard.iam.statements import Statement


@record
class PrincipalExposure:
    """How one principal of a statement is restricted, and why.

    `kind` is `AWS`, `Service`, `Federated` or `CanonicalUser`. For everyone under a condition that only AWS services
    satisfy it is `Service`, and `value` the service that the condition names, or `*`. `accounts` and `organizations`
    are allowed and not trusted.
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
    denies = Denies(
        [item for item in policy.statements if item.effect == DENY and not item.malformed],
        variables=policy.knows_variables,
    )
    allows = [item for item in policy.statements if item.effect == ALLOW]
    unknown = tuple(policy.problems) if policy.unreadable else ()
    unknown += tuple(
        f"statement {item.sid or item.index}: {'; '.join(item.problems)}"
        for item in policy.statements
        if item.malformed or any(condition.problem for condition in item.conditions)
    )
    return Exposure(
        tuple(
            _statement(item, denies.on(item), trust, never_sent, variables=policy.knows_variables) for item in allows
        ),
        is_public_to_config(allows),
        unknown,
    )


def _statement(
    statement: Statement, denies: EffectiveDenies, trust: TrustSet, never_sent: NeverSent, *, variables: bool
) -> StatementExposure:
    enforced = enforced_keys(statement.conditions)
    contradiction = enforced & forbidden_keys(statement.conditions)

    def scopes(*, without_colon: bool) -> Iterator[Scope]:
        for condition in statement.conditions:
            present = condition.key in enforced
            yield scope_of(condition, present=present, variables=variables, without_colon=without_colon)
        if contradiction:
            yield no_caller(f"{min(contradiction)} is required to be both present and absent")

    general = list(scopes(without_colon=False))
    common = Restrictions(trust, general)
    named = common
    if any(kind == "Service" and has_no_colon_in_names(value) for kind, value in _entries(statement)):
        named = Restrictions(trust, scopes(without_colon=True))
    exposures = tuple(_principals(statement, (common, named), denies, enforced, never_sent))
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
            for condition, scope in zip(statement.conditions, general, strict=False)
            if condition.key in SCOPING_KEYS
        ),
        grants_invoke=any(statement.match_action(action) for action in INVOKE_ACTIONS),
        beyond_invoke=beyond,
        never_matches=never,
        never_reason=exposures[0].why if never else "",
        function_url=is_for_url(statement, enforced),
        closed_by=None if denies.closer is None else denies.closer.sid or str(denies.closer.index),
        malformed=statement.malformed,
        problems=statement.problems,
        reasons=tuple(dict.fromkeys(item.why for item in exposures if item.why)),
    )


def _entries(statement: Statement) -> list[Entry]:
    """Return the principals. An invalid Principal and any NotPrincipal count as anyone.

    Anyone under conditions that only services satisfy is replaced by these services.
    """
    found = [] if statement.principals is None or statement.principals.negated else statement.principals.entries
    entries = list(dict.fromkeys(found)) or [ANYONE]
    services = services_named(statement.conditions) if ANYONE in entries else None
    if services is None:
        return entries
    named = [("Service", name) for name in services] or [ANY_SERVICE]
    return list(dict.fromkeys([*(entry for entry in entries if entry != ANYONE), *named]))


def _principals(
    statement: Statement,
    common: tuple[Restrictions, Restrictions],
    denies: EffectiveDenies,
    enforced: frozenset[str],
    never_sent: NeverSent,
) -> Iterator[PrincipalExposure]:
    """Yield how each principal of a statement is restricted.

    `common` are the restrictions by the conditions, in general and for services without a colon in the names of their
    sources.
    """
    by_class: dict[tuple[bool, bool, bool], Restrictions] = {}
    for entry in _entries(statement):
        is_service = entry[0] == "Service"
        like = (is_service, entry == ANYONE, is_service and has_no_colon_in_names(entry[1]))
        if like not in by_class:
            scopes = [*_of_kind(statement, entry, enforced), *denies.for_everyone(entry)]
            by_class[like] = common[like[2]].and_also(scopes)
        unsent = enforced & _unsent(entry, never_sent)
        own = [no_caller(f"{_caller(entry)} never sends {min(unsent)}")] if unsent else []
        yield _exposed(entry, by_class[like].and_also([*own, *_own_scope(entry), *denies.for_entry(entry)]))


def _of_kind(statement: Statement, entry: Entry, enforced: frozenset[str]) -> Iterator[Scope]:
    """Yield scopes without callers if the conditions are never true for this type of principal."""
    kind, value = entry
    if any(holds_for_kind(condition, kind, value) is False for condition in statement.conditions):
        yield no_caller(f"aws:PrincipalIsAWSService never has this value for {value}")
    if entry == ANYONE:
        why = contradiction_of_callers(statement.conditions, enforced)
        if why:
            yield no_caller(why)


def _unsent(entry: Entry, never_sent: NeverSent) -> frozenset[str]:
    """Return the keys that a principal never sends. Only services send the source keys and their names."""
    kind, value = entry
    if kind == "Service":
        return NOT_SENT_BY_SERVICES | never_sent(value)
    return SOURCE_KEYS | SERVICE_NAME_KEYS if kind == "AWS" and entry != ANYONE else frozenset()


def _own_scope(entry: Entry) -> Iterator[Scope]:
    """Yield the scope that the value of a principal names."""
    kind, value = entry
    if kind == "CanonicalUser" or (kind == "AWS" and is_account_id(value)):
        yield Scope(accounts=frozenset({value}), subject="principal")
    elif kind == "AWS" and is_unique_id(value):
        yield no_caller(f"the principal {value} was deleted")
    elif kind == "AWS" and entry != ANYONE:
        parsed = parse_arn(value)
        if parsed is not None and is_account_id(parsed.account):
            yield Scope(accounts=frozenset({parsed.account}), subject="principal")
        elif "*" not in value:
            yield no_caller(f"{value!r} is not a valid principal")


def _exposed(entry: Entry, restrictions: Restrictions) -> PrincipalExposure:
    kind, value = entry
    restriction, accounts, organizations = restrictions.decide()
    why = ""
    if restriction is Restriction.NEVER:
        why = restrictions.never or ""
    elif restriction is Restriction.OPEN:
        why = _open_reason(entry)
    elif restriction is Restriction.WEAK:
        why = f"{_caller(entry)} is restricted only to a name that contains no account ID"
    elif restriction is Restriction.FOREIGN:
        why = f"{_caller(entry)} is restricted to {', '.join(sorted(accounts | organizations))}"
    return PrincipalExposure(kind, value, restriction, tuple(sorted(accounts)), tuple(sorted(organizations)), why)


def _caller(entry: Entry) -> str:
    return "a service" if entry == ANY_SERVICE else entry[1]


def _open_reason(entry: Entry) -> str:
    kind, value = entry
    if kind == "Service":
        return f"no condition restricts the account for which {_caller(entry)} calls"
    return "anyone can call" if entry == ANYONE else f"{value} is not restricted"
