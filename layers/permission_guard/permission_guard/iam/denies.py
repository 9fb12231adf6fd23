"""The effect of Deny statements on an Allow: a Deny counts only if it covers the Allow completely."""

from __future__ import annotations

from permission_guard.iam.arn import account_of, is_account_id, parse_arn
from permission_guard.iam.conditions import FOR_ANY
from permission_guard.iam.glob import bits_of
from permission_guard.iam.patterns import PatternGroups, symbols_of
from permission_guard.iam.principals import ANY_SERVICE, ANYONE
from permission_guard.iam.scopes import OPEN, Scope, no_caller
from permission_guard.iam.scoping import SCOPING_KEYS, complement, holds_for_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

    from permission_guard.iam.conditions import Condition
    from permission_guard.iam.principals import Entry, PrincipalSet
    from permission_guard.iam.statements import Statement

_MEMBER_OF: Final = "a principal of"
_FEDERATED_USER_OF: Final = "a federated user of"


class Denies:
    """The Deny statements of a policy, compared with its Allow statements."""

    def __init__(self, statements: Iterable[Statement], *, variables: bool) -> None:
        self._denies = [
            _Deny(statement, statement.principals, variables=variables)
            for statement in statements
            if statement.principals and not statement.principals.problems
        ]
        self._actions = _Element((deny.actions, deny.statement.not_action) for deny in self._denies)
        self._resources = _Element((deny.resources, deny.statement.not_resource) for deny in self._denies)
        self._covering: dict[tuple[int, int, bool, bool], _Covering] = {}

    def on(self, allow: Statement) -> EffectiveDenies:
        """Return the effect on an Allow of the statements that apply to all its actions and resources."""
        by_action = by_resource = 0
        if self._denies and allow.actions is not None and not (allow.not_action or allow.not_resource):
            by_action = self._actions.covering([text.lower() for text in allow.action_texts])
            by_resource = self._resources.covering([pattern.text for pattern in allow.resources or ()])
        of_role, is_trust = allow.resources is None, allow.is_trust
        key = (by_action, by_resource, of_role, is_trust)
        if key not in self._covering:
            found = (
                deny
                for number, deny in enumerate(self._denies)
                if by_action & self._actions.groups[number]
                if deny.statement.actions is not None
                if deny.of_role == of_role and (of_role or by_resource & self._resources.groups[number])
            )
            self._covering[key] = _Covering([] if of_role and not is_trust else list(found))
        return EffectiveDenies(allow, self._covering[key])


class _Element:
    """The values of one element of all Deny statements, a group of patterns each, and whether they are negated."""

    def __init__(self, values: Iterable[tuple[list[str], bool]]) -> None:
        listed = list(values)
        self._patterns = PatternGroups([[symbols_of(text) for text in texts] for texts, _ in listed])
        self.groups = self._patterns.groups
        pairs = list(zip(self.groups, listed, strict=True))
        self._positive = sum(group for group, (_, negated) in pairs if not negated)
        # It is unknown what a policy variable excepts.
        self._negated = sum(group for group, (texts, negated) in pairs if negated and "${" not in "".join(texts))

    def covering(self, texts: Iterable[str]) -> int:
        """Return the groups that apply to everything that each of the texts matches."""
        covering = self._positive | self._negated
        for text in texts:
            found = self._patterns.within(text) & self._positive
            if self._negated and "${" not in text:
                found |= self._negated & ~self._patterns.overlapping(symbols_of(text))
            covering &= found
            if not covering:
                break
        return covering


class _Covering:
    """Deny statements that apply to the same actions and resources, with their effect if no condition is implied."""

    def __init__(self, denies: list[_Deny]) -> None:
        self.denies = denies
        self.lefts: list[Sequence[Condition]] = [deny.statement.conditions for deny in denies]
        self.by_class: dict[tuple[bool, bool], _ByClass] = {}
        self._implications = _Implications(self.lefts)

    def lefts_of(self, allow: Statement) -> list[Sequence[Condition]]:
        """Return the conditions of each Deny that those of an Allow do not imply; `lefts` itself if it implies none."""
        implied = self._implications.of(allow.conditions)
        if not implied:
            return self.lefts
        lefts = list(self.lefts)
        for number in {number for number, _ in implied}:
            lefts[number] = [each for place, each in enumerate(lefts[number]) if (number, place) not in implied]
        return lefts


class _Implications:
    """Which conditions of Deny statements are true whenever a condition of an Allow is.

    The Allow's condition has the same key and only values that the other has. All conditions of a key are compared at
    once: a set of them is the bits of an integer.
    """

    def __init__(self, lefts: Iterable[Sequence[Condition]]) -> None:
        self._places: dict[int, tuple[int, int]] = {}
        self._conditions: dict[tuple[str, str], int] = {}
        self._values: dict[tuple[str, str, str], int] = {}
        patterns: dict[str, list[tuple[int, Condition]]] = {}
        bit = 1
        for number, conditions in enumerate(lefts):
            for place, condition in enumerate(conditions):
                if condition.operator is None or condition.qualifier or condition.negated:
                    continue
                self._places[bit] = number, place
                name, key = condition.operator.name, condition.key
                self._conditions[name, key] = self._conditions.get((name, key), 0) | bit
                for text in condition.texts:
                    self._values[name, key, text] = self._values.get((name, key, text), 0) | bit
                if name == "StringLike":
                    patterns.setdefault(key, []).append((bit, condition))
                bit <<= 1
        self._patterns = {key: _Patterns(group) for key, group in patterns.items()}

    def of(self, conditions: Iterable[Condition]) -> frozenset[tuple[int, int]]:
        """Return the number of the Deny, and the place among its conditions, of each implied condition."""
        implied = 0
        for condition in conditions:
            if condition.operator is None or condition.qualifier or condition.if_exists or condition.negated:
                continue
            name, key = condition.operator.name, condition.key
            found = self._conditions.get((name, key), 0)
            for text in condition.texts:
                found &= self._values.get((name, key, text), 0)
            implied |= found
            if name in {"StringEquals", "StringLike"} and key in self._patterns:
                implied |= self._patterns[key].within(condition.texts)
        return frozenset(self._places[bit] for bit in bits_of(implied))


class _Patterns:
    """The conditions with `StringLike` of one key."""

    def __init__(self, conditions: Sequence[tuple[int, Condition]]) -> None:
        self._groups = PatternGroups([map(symbols_of, condition.texts) for _, condition in conditions])
        self._bits = dict(zip(self._groups.groups, (bit for bit, _ in conditions), strict=True))

    def within(self, texts: Iterable[str]) -> int:
        """Return the conditions that are true for everything that each of the texts matches."""
        groups = self._groups.every
        for text in texts:
            groups &= self._groups.within(text)
        return sum(self._bits[group] for group in bits_of(groups))


class EffectiveDenies:
    """The effect of Deny statements on an Allow. Conditions that those of the Allow imply do not limit a Deny."""

    def __init__(self, allow: Statement, covering: _Covering) -> None:
        self._denies = covering.denies
        self._lefts = covering.lefts_of(allow)
        self._by_class = covering.by_class if self._lefts is covering.lefts else {}
        self.closer = self._closer(allow)
        if self.closer is not None:
            self._denies, self._lefts, self._by_class = [], [], {}

    def _closer(self, allow: Statement) -> Statement | None:
        """Return a Deny that denies everything that the Allow allows."""
        if allow.principals is None:
            return None
        names = [tuple(_names_of(entry)) for entry in allow.principals.entries]
        for deny, left in zip(self._denies, self._lefts, strict=True):
            if not left and not deny.negated and all(map(deny.names_one_of, names)):
                return deny.statement
        return None

    def for_everyone(self, entry: Entry) -> list[Scope]:
        """Return, for each Deny that names everyone, the exceptions among the principals of the entry's type."""
        return self._class_of(entry).for_everyone

    def for_entry(self, entry: Entry) -> list[Scope]:
        """Return, for each other Deny that denies a principal with exceptions, those exceptions."""
        return self._class_of(entry).for_entry(entry)

    def _class_of(self, entry: Entry) -> _ByClass:
        kind = (entry[0] == "Service", entry == ANYONE)
        if kind not in self._by_class:
            self._by_class[kind] = _ByClass(zip(self._denies, self._lefts, strict=True), entry)
        return self._by_class[kind]


class _ByClass:
    """The effect of Deny statements on all principals for which the same conditions hold."""

    def __init__(self, denies: Iterable[tuple[_Deny, Sequence[Condition]]], entry: Entry) -> None:
        self._named: dict[Entry, list[Scope]] = {}
        self._negated: list[_Deny] = []
        everyone: dict[Scope, None] = {}
        for deny, left in denies:
            rest = [condition for condition in left if holds_for_kind(condition, *entry) is not True]
            if deny.negated:
                if not rest:
                    self._negated.append(deny)
            elif all(map(_has_exceptions, rest)):
                scope = deny.exceptions(rest, service=entry[0] == "Service")
                if deny.names_everyone:
                    everyone[scope] = None
                else:
                    for named in deny.entries:
                        self._named.setdefault(named, []).append(scope)
        self.for_everyone = list(everyone)
        self._excepting: dict[Entry, set[int]] = {}
        for number, deny in enumerate(self._negated):
            for excepted in deny.excepted:
                self._excepting.setdefault(excepted, set()).add(number)

    def for_entry(self, entry: Entry) -> list[Scope]:
        scopes = [scope for name in _names_of(entry) for scope in self._named.get(name, ())]
        if not self._negated:
            return scopes
        if entry == ANYONE:
            return [*scopes, *(deny.exceptions_of_anyone() for deny in self._negated)]
        excepting = set().union(*(self._excepting.get(name, ()) for name in _excepted_by(entry)))
        if len(excepting) == len(self._negated):
            return scopes
        return [*scopes, no_caller(f"{entry[1]} is not an exception of a Deny")]


class _Deny:
    """A Deny statement, with what is compared of it."""

    def __init__(self, statement: Statement, principals: PrincipalSet, *, variables: bool) -> None:
        self.statement = statement
        self._variables = variables
        self.negated = principals.negated
        self.entries = frozenset(principals.entries)
        self.names_everyone = ANYONE in self.entries and not self.negated
        self.of_role = statement.resources is None and statement.is_trust
        self.actions = [text.lower() for text in statement.action_texts]
        self.resources = [pattern.text for pattern in statement.resources or ()]
        self._exceptions: dict[tuple[bool, tuple[int, ...]], Scope] = {}
        self.excepted = {name for entry in self.entries for name in _excepts(entry)}

    def names_one_of(self, names: Iterable[Entry]) -> bool:
        """Return whether the Deny names everyone, or one of the names of a principal."""
        return self.names_everyone or any(name in self.entries for name in names)

    def exceptions(self, conditions: Sequence[Condition], *, service: bool) -> Scope:
        """Return the callers that the Deny does not deny, because of these of its conditions."""
        key = (service, tuple(map(id, conditions)))
        if key not in self._exceptions:
            self._exceptions[key] = complement(conditions, variables=self._variables, service=service)
        return self._exceptions[key]

    def exceptions_of_anyone(self) -> Scope:
        """Return the callers that a Deny with NotPrincipal does not deny."""
        if ANYONE in self.entries or any(kind != "AWS" for kind, _ in self.entries):
            return OPEN  # an excepted service is not denied, and anyone can make it call
        return Scope(accounts=frozenset(_account(value) for _, value in self.entries))


def _names_of(entry: Entry) -> Iterator[Entry]:
    """Yield the principals that stand for a principal: itself, its account, and its account's root user."""
    yield entry
    kind, value = entry
    account = _account(value)
    if kind == "AWS" and is_account_id(account):
        yield kind, account
        yield kind, f"arn:aws:iam::{account}:root"


def _excepts(entry: Entry) -> Iterator[Entry]:
    """Yield what an entry of a NotPrincipal stands for: itself, some service, and somebody of its account."""
    yield entry
    kind, value = entry
    if kind == "Service":
        yield ANY_SERVICE
    elif kind == "AWS":
        yield _MEMBER_OF, _account(value)
        if ":federated-user/" in value:
            yield _FEDERATED_USER_OF, _account(value)


def _excepted_by(entry: Entry) -> Iterator[Entry]:
    """Yield what of a NotPrincipal can except a principal or some of its sessions.

    An account, a role and a session can be excepted by any ARN of their account. A user must be listed itself.
    """
    kind, value = entry
    yield from (entry, ANYONE)
    arn = parse_arn(value)
    is_user = arn is not None and arn.resource.startswith("user/")
    if kind == "AWS":
        yield _FEDERATED_USER_OF if is_user else _MEMBER_OF, _account(value)


def _has_exceptions(condition: Condition) -> bool:
    """Return whether a Deny with this condition denies all callers except those that the key's values name."""
    if not condition.negated or condition.key not in SCOPING_KEYS:
        return False
    return condition.qualifier != FOR_ANY and not condition.compares_no_arn


def _account(value: str) -> str:
    return account_of(value) or value
