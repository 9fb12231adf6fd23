"""The Condition element: AND over operators and keys, OR over values, NOR over the values of a negated operator.

This module also evaluates missing keys, `IfExists`, `ForAllValues`, `ForAnyValue` and `Null`. See "IAM JSON policy
elements: Condition" and "Set operators for multivalued context keys" in the IAM User Guide.
"""

from __future__ import annotations

from permission_guard.iam.context import ABSENT, UNKNOWN, plain, shown
from permission_guard.iam.logic import FALSE, TRUE, any_of, negate
from permission_guard.iam.logic import UNKNOWN as MAYBE
from permission_guard.iam.operators import OPERATORS, Operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from permission_guard.iam.context import Found
    from permission_guard.iam.operators import PolicyValue
    from permission_guard.iam.policy_variables import Lookup

FOR_ALL: Final = "forallvalues"
FOR_ANY: Final = "foranyvalue"
_NULL: Final = "null"
_IF_EXISTS: Final = "ifexists"
_MANY: Final = 8
"""With fewer values it is as fast to compare again as to compare what the last result depended on."""


class Condition:
    """One operator, one key and its values.

    `operator` is None for Null. It is also None if the condition is invalid: then `problem` says why, and the result is
    UNKNOWN. `has_variables`: a value contains a policy variable, or `${*}`, `${?}` or `${$}`.
    """

    __slots__ = (
        "_exact",
        "_if_absent",
        "_inputs",
        "_last",
        "_values",
        "has_variables",
        "if_exists",
        "key",
        "name",
        "null",
        "operator",
        "problem",
        "qualifier",
        "spelled",
        "texts",
    )

    def __init__(self, name: str, key: str, raw: object, *, variables: bool) -> None:
        self.name = name
        self.key = key.lower()
        self.spelled = key
        self.problem = ""
        self.operator: Operator | None = None
        self.null = False
        self._exact: frozenset[str] | None = None
        self._values: list[PolicyValue] = []
        self._inputs: tuple[str, ...] = ()
        self._last: tuple[tuple[Found, ...], int] | None = None
        qualifier, colon, rest = name.lower().partition(":")
        self.qualifier = qualifier if colon else ""
        base = rest if colon else qualifier
        self.if_exists = base.endswith(_IF_EXISTS)
        texts = scalars(raw)
        self.texts: tuple[str, ...] = tuple(texts or ())
        self.has_variables = variables and any("${" in text for text in self.texts)
        if not texts:
            self.problem = f"the values of {key!r} are neither a string nor a list of strings"
        elif base == _NULL and not colon:
            self._prepare_null()
        else:
            self._prepare(base.removesuffix(_IF_EXISTS), texts, variables=variables)

    def _prepare_null(self) -> None:
        self.null = True
        if not all(text.lower() in {"true", "false"} for text in self.texts):
            self.problem = "Null requires true or false"

    def _prepare(self, base: str, texts: list[str], *, variables: bool) -> None:
        operator = OPERATORS.get(base)
        if operator is None or self.qualifier not in {"", FOR_ALL, FOR_ANY}:
            self.problem = f"{self.name!r} is not a condition operator"
            return
        self.operator = operator
        if operator.name in {"StringEquals", "StringNotEquals"} and not self.has_variables:
            self._exact = frozenset(texts)
        else:
            self._values = [operator.prepare(text, variables) for text in texts]
            keys = (variable.key for value in self._values for variable in value.variables)
            self._inputs = tuple(dict.fromkeys((self.key, *keys)))
        if self.qualifier == FOR_ALL:
            self._if_absent = TRUE
        elif self.qualifier == FOR_ANY:
            self._if_absent = MAYBE if self.if_exists else FALSE
        else:
            self._if_absent = TRUE if self.if_exists or operator.negated else FALSE

    @property
    def negated(self) -> bool:
        """Whether the operator is negated."""
        return self.operator is not None and self.operator.negated

    @property
    def compares_no_arn(self) -> bool:
        """Whether a value that is compared as an ARN has fewer than six parts.

        It matches no ARN. AWS does not document whether the negated operator is then true.
        """
        return any(item.not_an_arn for item in self._values)

    def evaluate(self, lookup: Lookup) -> int:
        """Return whether the condition is true."""
        if self.problem:
            return MAYBE
        found = lookup(self.key)
        if found is UNKNOWN:
            return MAYBE
        if self.null:
            wanted = "true" if found is ABSENT else "false"
            return TRUE if any(text.lower() == wanted for text in self.texts) else FALSE
        if found is ABSENT:
            return self._if_absent
        if len(self._values) < _MANY:
            return self._evaluate_present(found, lookup)
        # A role is evaluated for many actions, with the same values of the keys.
        inputs = tuple(map(lookup, self._inputs))
        last = self._last
        if last is None or last[0] != inputs:
            last = self._last = inputs, self._evaluate_present(found, lookup)
        return last[1]

    def _evaluate_present(self, found: str | tuple[str, ...], lookup: Lookup) -> int:
        if isinstance(found, tuple):
            return self._evaluate_many(found, lookup)
        result = self.compare(found, lookup)
        if found == "" and self.qualifier == FOR_ALL:
            return max(result, MAYBE)  # AWS documents it as an empty set, but was observed to compare it as a value
        return result

    def _evaluate_many(self, found: tuple[str, ...], lookup: Lookup) -> int:
        if not self.qualifier:
            return FALSE
        results = [self.compare(value, lookup) for value in found]
        if self.qualifier == FOR_ANY:
            return max(results, default=FALSE)
        return min(results, default=TRUE)

    def compare(self, value: str, lookup: Lookup) -> int:
        """Return whether one value of the request satisfies the operator."""
        operator = self.operator
        if operator is None:
            return MAYBE
        if self._exact is not None:
            return TRUE if (value in self._exact) != operator.negated else FALSE
        if operator.is_comparable is not None and not operator.is_comparable(value):
            return FALSE
        matched = any_of(item.test(value, lookup) for item in self._values)
        if not operator.negated:
            return matched
        return min(negate(matched), MAYBE) if self.compares_no_arn else negate(matched)

    def problems(self) -> Iterator[str]:
        """Yield the reasons why AWS rejects the condition or one of its values."""
        if self.problem:
            yield self.problem
        for value in self._values:
            if value.problem:
                yield f"{self.name} {self.key}: {value.problem}"

    def unknown_keys(self, lookup: Lookup) -> Iterator[str]:
        """Yield the keys whose values the condition requires and that are unknown."""
        if lookup(self.key) is UNKNOWN:
            yield self.spelled
        for value in self._values:
            for variable in value.variables:
                if lookup(variable.key) is UNKNOWN:
                    yield variable.spelled


def scalars(raw: object) -> list[str] | None:
    """Return a scalar, or a list of scalars, as strings. Return None for an empty list and for any other value."""
    if isinstance(raw, str):
        return [raw]
    if isinstance(raw, (bool, int, float)):
        return [plain(raw)]
    if not isinstance(raw, (list, tuple)) or not raw:
        return None
    if all(type(item) is str for item in raw):
        return list(raw)
    if any(not isinstance(item, (str, bool, int, float)) for item in raw):
        return None
    return [plain(item) for item in raw]


def parse_conditions(raw: Mapping[str, object], *, variables: bool) -> tuple[tuple[Condition, ...], list[str]]:
    """Compile a Condition element. Return its conditions, and what is invalid in it."""
    conditions: list[Condition] = []
    problems: list[str] = []
    for name, keys in raw.items():
        if not isinstance(keys, dict):
            problems.append(f"the value of the condition operator {shown(name)} is not an object")
            continue
        for key, values in keys.items():
            condition = Condition(plain(name), plain(key), values, variables=variables)
            conditions.append(condition)
            problems += condition.problems()
    return tuple(conditions), problems
