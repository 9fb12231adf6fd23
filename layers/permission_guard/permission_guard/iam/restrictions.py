"""How the conditions of a statement restrict a principal: all its scopes together."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.scopes import OWN, Scope
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

_MOST_NAMED: Final = 10

Outside = tuple[frozenset[str], frozenset[str]]
"""The accounts and organizations that a scope names and that are not trusted."""


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


class Restrictions:
    """Scopes that all apply, reduced to what decides: the time for each further scope does not depend on the others."""

    __slots__ = ("_common", "_empty", "_held", "_narrow", "_outside", "_trust", "_weak")

    def __init__(self, trust: TrustSet, scopes: Iterable[Scope] = ()) -> None:
        self._trust = trust
        self._empty: str | None = None
        self._held = self._narrow = False
        self._outside: Outside | None = None
        self._weak: frozenset[str] | None = None
        self._common: dict[str, tuple[frozenset[str], tuple[frozenset[str], ...]]] = {}
        for scope in scopes:
            self._add(scope)

    def and_also(self, scopes: Iterable[Scope]) -> Restrictions:
        """Return the restrictions with further scopes."""
        result = Restrictions(self._trust)
        result._empty, result._held, result._narrow = self._empty, self._held, self._narrow
        result._outside, result._weak, result._common = self._outside, self._weak, dict(self._common)
        for scope in scopes:
            result._add(scope)
        return result

    def _add(self, scope: Scope) -> None:
        if scope.is_open:
            return
        if scope.is_empty:
            self._empty = self._empty if self._empty is not None else scope.why
        elif scope.subject and _is_by_account(scope):
            common, every = self._common.get(scope.subject, (scope.accounts, ()))
            self._common[scope.subject] = (common & scope.accounts, (*every, scope.accounts))
        else:
            accounts, organizations = self._outside_of(scope)
            if not (scope.weak or scope.narrow or accounts or organizations):
                self._held = True
            self._narrow = self._narrow or (scope.narrow and not scope.weak)
            if scope.weak:
                self._weak = accounts if self._weak is None else self._weak & accounts
            elif accounts or organizations:
                self._outside = _smaller(self._outside, (accounts, organizations))

    def _outside_of(self, scope: Scope) -> Outside:
        return scope.accounts - self._trust.accounts - {OWN}, scope.organizations - self._trust.organizations

    @property
    def never(self) -> str | None:
        """The reason why no caller satisfies all scopes, None if one can."""
        if self._empty is not None:
            return self._empty
        for subject, (common, every) in self._common.items():
            if not common:
                return _different(subject, every)
        return None

    def decide(self) -> tuple[Restriction, frozenset[str], frozenset[str]]:
        """Return how a principal is restricted, and the accounts and organizations that are allowed and not trusted."""
        nobody: frozenset[str] = frozenset()
        if self.never is not None:
            return Restriction.NEVER, nobody, nobody
        named = [common - self._trust.accounts for common, _ in self._common.values()]
        held = self._held or not all(named)
        outside: Outside | None = None
        for each in (*((accounts, nobody) for accounts in reversed(named)), *filter(None, [self._outside])):
            outside = _smaller(outside, each)
        if held or (outside is None and self._narrow):
            return Restriction.HELD, nobody, nobody
        if outside is not None:
            return Restriction.FOREIGN, *outside
        return (Restriction.OPEN, nobody, nobody) if self._weak is None else (Restriction.WEAK, self._weak, nobody)


def _is_by_account(scope: Scope) -> bool:
    other = scope.is_open or scope.weak or scope.narrow or scope.organizations
    return bool(scope.accounts) and OWN not in scope.accounts and not other


def _smaller(one: Outside | None, two: Outside) -> Outside:
    return two if one is None or len(two[0]) + len(two[1]) < len(one[0]) + len(one[1]) else one


def _different(subject: str, sets: tuple[frozenset[str], ...]) -> str:
    why = f"the conditions require different {subject} accounts"
    if sum(map(len, sets)) > _MOST_NAMED:
        return why
    return f"{why}: {', '.join(sorted(frozenset().union(*sets)))}"
