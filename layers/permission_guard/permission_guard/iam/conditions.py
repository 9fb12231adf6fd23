"""The Condition element: operators AND, keys AND, values OR; negated operators are a NOR over the values.

What happens when a key is missing, with `IfExists`, `ForAllValues` and `ForAnyValue`, and with `Null` is written once,
here. See "IAM JSON policy elements: Condition" and "Set operators for multivalued context keys" in the IAM User Guide.
"""

from __future__ import annotations

from permission_guard.iam.context import ABSENT, UNKNOWN, plain
from permission_guard.iam.logic import FALSE, TRUE, any_of, negate
from permission_guard.iam.logic import UNKNOWN as MAYBE
from permission_guard.iam.operators import OPERATORS, Operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from permission_guard.iam.operators import PolicyValue
    from permission_guard.iam.policy_variables import Lookup

FOR_ALL: Final = "forallvalues"
FOR_ANY: Final = "foranyvalue"
_NULL: Final = "null"
_IF_EXISTS: Final = "ifexists"


class Condition:
    """One operator, one key, and the values.

    `operator` is None for Null, and for what cannot be read: then `problem` says why and the answer is unknown.
    """

    __slots__ = (
        "_absent_answer",
        "_exact",
        "_values",
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
        qualifier, colon, rest = name.lower().partition(":")
        self.qualifier = qualifier if colon else ""
        base = rest if colon else qualifier
        self.if_exists = base.endswith(_IF_EXISTS)
        texts = scalars(raw)
        self.texts: tuple[str, ...] = tuple(texts or ())
        if not texts:
            self.problem = f"the values of {key!r} are not one text or a list of texts"
        elif base == _NULL and not colon:
            self._prepare_null()
        else:
            self._prepare(base.removesuffix(_IF_EXISTS), texts, variables=variables)

    def _prepare_null(self) -> None:
        self.null = True
        if not all(text.lower() in {"true", "false"} for text in self.texts):
            self.problem = "Null takes true or false"

    def _prepare(self, base: str, texts: list[str], *, variables: bool) -> None:
        operator = OPERATORS.get(base)
        if operator is None or self.qualifier not in {"", FOR_ALL, FOR_ANY}:
            self.problem = f"{self.name!r} is no condition operator"
            return
        self.operator = operator
        if operator.name in {"StringEquals", "StringNotEquals"} and not (variables and any("${" in t for t in texts)):
            self._exact = frozenset(texts)
        else:
            self._values = [operator.prepare(text, variables) for text in texts]
        if self.qualifier == FOR_ALL:
            self._absent_answer = TRUE
        elif self.qualifier == FOR_ANY:
            self._absent_answer = MAYBE if self.if_exists else FALSE
        else:
            self._absent_answer = TRUE if self.if_exists or operator.negated else FALSE

    @property
    def negated(self) -> bool:
        """Whether the operator is a negated one."""
        return self.operator is not None and self.operator.negated

    @property
    def spoiled(self) -> bool:
        """Whether some value is one that no comparison, negated or not, ever holds for."""
        return any(item.never for item in self._values)

    def evaluate(self, lookup: Lookup) -> int:  # noqa: PLR0911 - one return a case reads best
        """Tell whether the condition holds."""
        if self.problem:
            return MAYBE
        found = lookup(self.key)
        if found is UNKNOWN:
            return MAYBE
        if self.null:
            wanted = "true" if found is ABSENT else "false"
            return TRUE if any(text.lower() == wanted for text in self.texts) else FALSE
        if found is ABSENT:
            return self._absent_answer
        if isinstance(found, tuple):
            return self._evaluate_many(found, lookup)
        answer = self.compare(found, lookup)
        if found == "" and self.qualifier == FOR_ALL:
            return max(answer, MAYBE)  # documented as an empty set, seen to be compared as a value
        return answer

    def _evaluate_many(self, found: tuple[str, ...], lookup: Lookup) -> int:
        if not self.qualifier:
            return FALSE
        answers = [self.compare(value, lookup) for value in found]
        if self.qualifier == FOR_ANY:
            return max(answers, default=FALSE)
        return min(answers, default=TRUE)

    def compare(self, value: str, lookup: Lookup) -> int:
        """Tell whether one present value satisfies the operator."""
        operator = self.operator
        if operator is None:
            return MAYBE
        if self._exact is not None:
            return TRUE if (value in self._exact) != operator.negated else FALSE
        if operator.readable is not None and not operator.readable(value):
            return FALSE
        matched = any_of(item.test(value, lookup) for item in self._values)
        if not operator.negated:
            return matched
        return FALSE if self.spoiled else negate(matched)

    def problems(self) -> Iterator[str]:
        """Yield why AWS would refuse the condition, or parts of it."""
        if self.problem:
            yield self.problem
        for value in self._values:
            if value.problem:
                yield f"{self.name} {self.key}: {value.problem}"

    def unknown_keys(self, lookup: Lookup) -> Iterator[str]:
        """Yield the keys whose values would be needed and are unknown."""
        if lookup(self.key) is UNKNOWN:
            yield self.spelled
        for value in self._values:
            for variable in value.variables:
                if lookup(variable.key) is UNKNOWN:
                    yield variable.spelled


def scalars(raw: object) -> list[str] | None:
    """Return the texts of a scalar or a list of scalars; None when it is anything else, or an empty list."""
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
    """Compile a Condition element; the second value says what could not be read."""
    conditions: list[Condition] = []
    problems: list[str] = []
    for name, keys in raw.items():
        if not isinstance(keys, dict):
            problems.append(f"the condition operator {name!r} does not hold an object")
            continue
        for key, values in keys.items():
            condition = Condition(str(name), str(key), values, variables=variables)
            conditions.append(condition)
            problems += condition.problems()
    return tuple(conditions), problems
