"""A statement as the product of its parts, in the form in which `inclusion` compares it with others."""

from __future__ import annotations

import json

from permission_guard.iam.arn import PARTS, is_account_id, parse_arn, split_arn
from permission_guard.iam.conditions import FOR_ALL, FOR_ANY, Condition
from permission_guard.iam.key_tests import KeyTest, kind_of
from permission_guard.iam.languages import RUN, Language, is_comparable, symbols_of_arn, symbols_of_glob
from permission_guard.iam.principals import ANYONE
from permission_guard.iam.statements import ALLOW, DENY
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final, TypeVar

    from permission_guard.iam.key_tests import Reading
    from permission_guard.iam.languages import Symbol
    from permission_guard.iam.principals import Entry
    from permission_guard.iam.statements import Statement

    T = TypeVar("T")

_ACTION: Final = "action"
_RESOURCE: Final = "resource"
_ACCOUNT: Final = "account"
_OWN_POLICY: Final[Entry] = ("", "")
"""The only caller of an identity-based policy: the identity."""
_SERVICE: Final = 2


class Texts:
    """The values of an Action or Resource element."""

    __slots__ = ("_crossing", "_parted", "kind", "values")

    def __init__(self, kind: str, values: Sequence[str]) -> None:
        self.kind = kind
        self.values = tuple(values)
        self._crossing: Language | None = None
        self._parted: Language | None = None

    def language(self, reading: Reading) -> Language:
        """Return the texts that the values match."""
        if self._crossing is None or self._parted is None:
            self._crossing = Language(map(symbols_of_glob, self.values))
            parted = self._is_parted
            self._parted = Language(map(_symbols_of_resource, self.values)) if parted else self._crossing
        return self._crossing if reading.stars_cross_colons else self._parted

    @property
    def _is_parted(self) -> bool:
        return self.kind == _RESOURCE and any(map(_is_ambiguous, self.values))


class Opaque:
    """An element that is compared by its text only."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[str]) -> None:
        self.values = tuple(values)


Test = Texts | KeyTest | Opaque


class Literal:
    """An element of a statement, and whether it is true. Equal ones are of the same element."""

    __slots__ = ("_split", "dimension", "test", "truth")

    def __init__(
        self, dimension: str, test: Test, split: Callable[[], tuple[Literal, ...]] | None = None, *, truth: bool = True
    ) -> None:
        self.dimension = dimension
        self.test = test
        self.truth = truth
        self._split = split

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.test is other.test and self.truth is other.truth

    def __hash__(self) -> int:
        return hash((id(self.test), self.truth))

    @property
    def negation(self) -> Literal:
        """The element with the opposite truth."""
        return Literal(self.dimension, self.test, truth=not self.truth)

    @property
    def is_opaque(self) -> bool:
        """Whether the element is compared by its text only."""
        return isinstance(self.test, Opaque)

    def split(self) -> tuple[Literal, ...]:
        """Return the parts of a list of values of which one suffices."""
        return self._split() if self._split is not None else (self,)

    def has_all_values_of(self, other: Literal) -> bool:
        """Return whether the same element with more values is meant, of which one suffices."""
        mine, its = self.test, other.test
        if not (self.truth and other.truth) or not set(its.values) <= set(mine.values):
            return False
        if isinstance(mine, Texts) and isinstance(its, Texts):
            return mine.kind == its.kind
        if not isinstance(mine, KeyTest) or not isinstance(its, KeyTest):
            return False
        one, another = mine.condition, its.condition
        return (one.name.lower(), one.key) == (another.name.lower(), another.key) and one_suffices(one)


@record
class Compiled:
    """A statement in parts.

    `identity` is equal for statements that say the same in the same words. `problem` is the reason why the statement
    can only be compared by that. `doubts` are the fields of `Reading` on which it depends. `resources` are the values
    of its Resource element.
    """

    identity: tuple[str, tuple[bool, ...], tuple[tuple[str, ...], ...]]
    denies: bool
    principals: tuple[Entry, ...]
    literals: tuple[Literal, ...]
    resources: tuple[str, ...]
    doubts: frozenset[str]
    problem: str

    def covers(self, entry: Entry, account: str) -> bool | None:
        """Return whether a caller of another statement is one of this one; None if that is unknown."""
        answers = [_covers(mine, entry, account, denies=self.denies) for mine in self.principals]
        return True if True in answers else None if None in answers else False


def one_suffices(condition: Condition) -> bool:
    """Return whether one matching value of a condition suffices, so that it is the union of its values."""
    return not condition.problem and not condition.negated and condition.qualifier in {"", FOR_ANY}


def compiled(statement: Statement, tests: dict[object, Test]) -> Compiled:
    """Return a statement in parts; equal elements of statements with the same `tests` are the same object."""
    literals: list[Literal] = []
    resources: tuple[str, ...] = ()
    problem = _problem(statement)
    if not problem:
        literals.append(_actions(statement, tests))
        if statement.resources is not None:
            resources = tuple(pattern.text for pattern in statement.resources)
            literals.append(_resources(statement, resources, tests))
        literals += [_condition(condition, tests) for condition in statement.conditions]
    return Compiled(
        identity=identity_of(statement),
        denies=statement.effect == DENY,
        principals=tuple(dict.fromkeys(map(_caller, _entries(statement)))),
        literals=tuple(dict.fromkeys(literals)),
        resources=() if statement.not_resource else resources,
        doubts=frozenset(doubt for literal in literals for doubt in _doubts(literal)),
        problem=problem,
    )


def _problem(statement: Statement) -> str:
    if statement.malformed or statement.effect not in {ALLOW, DENY} or statement.actions is None:
        return f"it is malformed: {'; '.join(statement.problems)}"
    if statement.principals is not None and statement.principals.negated:
        return "it has a NotPrincipal element"
    if statement.resources is None and not statement.is_trust:
        return "it has no Resource element"
    return ""


def identity_of(statement: Statement) -> tuple[str, tuple[bool, ...], tuple[tuple[str, ...], ...]]:
    """Return a value that is equal for statements that say the same in the same words, whatever their Sids are."""
    said = {name: value for name, value in statement.raw.items() if name != "Sid"}
    return (
        json.dumps(said, sort_keys=True, default=str),
        tuple(condition.has_variables for condition in statement.conditions),
        tuple(pattern.variables() for pattern in statement.resources or ()),
    )


def _doubts(literal: Literal) -> list[str]:
    test = literal.test
    if isinstance(test, Texts):
        return ["stars_cross_colons"] if test.kind == _RESOURCE and any(map(_is_ambiguous, test.values)) else []
    if isinstance(test, KeyTest):
        if test.condition.qualifier == FOR_ALL:
            return ["empty_is_no_value"]
        if test.condition.qualifier == FOR_ANY and test.condition.if_exists:
            return ["absent_any_if_exists"]
    return []


# ── Elements ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _actions(statement: Statement, tests: dict[object, Test]) -> Literal:
    values: list[str] = []
    opaque = False
    for text in map(str.lower, statement.action_texts):
        service, _, name = text.partition(":")
        if "*" not in text and "?" not in text:
            values.append(text)
        elif not text.strip("*") or (service == "*" and name and not name.strip("*")):
            values.append("*")
        elif name and len(text.split()) == 1 and text == text.strip():
            if "*" not in service and "?" not in service:
                values.append(text)
            elif statement.effect != ALLOW or statement.not_action:
                opaque = True
    if opaque or not all(map(is_comparable, values)):
        return _opaque(f"action {statement.not_action}", statement.action_texts, tests)
    return _texts(_ACTION, values, tests, truth=not statement.not_action)


def _resources(statement: Statement, values: tuple[str, ...], tests: dict[object, Test]) -> Literal:
    if any(pattern.variables() for pattern in statement.resources or ()) or not all(map(_is_plain_resource, values)):
        variables = [pattern.variables() for pattern in statement.resources or ()]
        return _opaque(f"resource {statement.not_resource} {variables}", values, tests)
    plain = ["*" if not value.strip("*") else value for value in values]
    return _texts(_RESOURCE, plain, tests, truth=not statement.not_resource)


def _is_plain_resource(value: str) -> bool:
    """Return whether it is known which resources a value matches."""
    if value and not value.strip("*"):
        return True
    parts = split_arn(value)
    if not value.startswith("arn:") or not is_comparable(value) or "${" in value:
        return False
    if len(parts) < PARTS:
        return value.endswith("*")
    kind = parts[-1].partition("/")[0]
    of_iam = parts[_SERVICE] == "iam" or _has_wildcard(parts[_SERVICE])
    return not (of_iam and parts[-1].strip("*") and _has_wildcard(kind))


def _is_ambiguous(value: str) -> bool:
    """Return whether a value has a wildcard before the resource part, which may match a colon."""
    return value.strip("*") != "" and any(map(_has_wildcard, split_arn(value)[:-1]))


def _symbols_of_resource(value: str) -> tuple[Symbol, ...]:
    return symbols_of_arn(value) if value.strip("*") else (RUN,)


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def _condition(condition: Condition, tests: dict[object, Test]) -> Literal:
    if not kind_of(condition):
        name = f"{condition.name.lower()} {condition.key} {condition.has_variables}"
        return _opaque(name, condition.texts, tests)
    return _keyed(condition, tests)


def _keyed(condition: Condition, tests: dict[object, Test]) -> Literal:
    name = condition.name.lower().replace("arnequals", "arnlike").replace("arnnotequals", "arnnotlike")
    test = _interned((name, condition.key, frozenset(condition.texts)), lambda: KeyTest(condition), tests)
    if len(condition.texts) == 1 or condition.null or not one_suffices(condition):
        return Literal(condition.key, test)

    def split() -> tuple[Literal, ...]:
        single = [Condition(condition.name, condition.spelled, text, variables=False) for text in condition.texts]
        return tuple(_keyed(each, tests) for each in single)

    return Literal(condition.key, test, split)


def _texts(kind: str, values: Sequence[str], tests: dict[object, Test], *, truth: bool) -> Literal:
    test = _interned((kind, frozenset(values)), lambda: Texts(kind, values), tests)

    def split() -> tuple[Literal, ...]:
        return tuple(_texts(kind, [value], tests, truth=True) for value in values)

    return Literal(kind, test, split if truth and len(values) > 1 else None, truth=truth)


def _opaque(name: str, values: Sequence[str], tests: dict[object, Test]) -> Literal:
    test = _interned((name, frozenset(values), None), lambda: Opaque(values), tests)
    return Literal(f"{name} {sorted(values)}", test)


def _interned(key: object, make: Callable[[], Test], tests: dict[object, Test]) -> Test:
    found = tests.get(key)
    if found is None:
        found = tests[key] = make()
    return found


# ── Principals ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _entries(statement: Statement) -> list[Entry]:
    return [_OWN_POLICY] if statement.principals is None else statement.principals.entries


def _caller(entry: Entry) -> Entry:
    """Return an entry in one form: an account can be written as its id or as the ARN of its root user."""
    kind, value = entry
    if kind != "AWS":
        return entry
    if is_account_id(value):
        return _ACCOUNT, value
    arn = parse_arn(value)
    root = arn is not None and arn.service == "iam" and arn.resource == "root" and is_account_id(arn.account)
    return (_ACCOUNT, arn.account) if root and arn is not None else entry


def _covers(mine: Entry, its: Entry, owner: str, *, denies: bool) -> bool | None:  # noqa: PLR0911 - one return a case
    """Return whether a principal that one statement names includes one that another names; None if unknown.

    An account delegates: in the resource's own account, its identities need a permission of their own besides.
    """
    if mine in {its, ANYONE}:
        return True
    if its == ANYONE:
        return None if is_unclear(mine) else False
    if is_unclear(mine) or is_unclear(its):
        return None if {mine[0], its[0]} != {"Service", "AWS"} else False
    its_arn, my_arn = parse_arn(its[1]), parse_arn(mine[1])
    if mine[0] == _ACCOUNT:
        if its_arn is None or its[0] != "AWS" or its_arn.account != mine[1]:
            return False
        return True if denies or (owner and owner != mine[1]) else False if owner else None
    if my_arn is None or its_arn is None or my_arn.account != its_arn.account or mine[0] != "AWS":
        return False
    # The session of a role: whether the role's boundary limits it depends on which of both is named.
    kinds = {my_arn.resource.partition("/")[0], its_arn.resource.partition("/")[0]}
    return None if kinds in ({"role", "assumed-role"}, {"user", "federated-user"}) else False


def is_unclear(entry: Entry) -> bool:
    """Return whether a principal is not compared exactly: with wildcards, of S3, or the unique id of a deleted one."""
    kind, value = entry
    if kind in {_ACCOUNT, ""} or entry == ANYONE:
        return False
    return kind == "CanonicalUser" or _has_wildcard(value) or (kind == "AWS" and ":" not in value)
