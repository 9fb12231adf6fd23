"""The expressions of DynamoDB: conditions, updates and projections.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Item = dict[str, Any]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[()=<>,+-]|[:#]?[A-Za-z_][A-Za-z0-9_]*)")
_KEYWORDS = ("ADD", "AND", "BETWEEN", "NOT", "OR", "REMOVE", "SET")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
_RESERVED = frozenset(ReservedKeywords.get_reserved_keywords())
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two attributes are equal: numbers by their value, sets in any order."""
    if first.keys() != second.keys():
        return False
    (kind,) = first
    if kind == "N":
        return Decimal(first["N"]) == Decimal(second["N"])
    return set(first[kind]) == set(second[kind]) if kind in ("SS", "NS") else bool(first[kind] == second[kind])


@cache
def _tokens(expression: str) -> tuple[str, ...]:
    found = _TOKEN.findall(expression)
    assert "".join(found) == re.sub(r"\s", "", expression), f"unknown syntax: {expression}"
    return tuple(found)


def require_names(request: Mapping[str, Any]) -> None:
    """Reject a request that uses a reserved word as a name, or that has an unused or undefined placeholder."""
    expressions = [text for name, text in request.items() if name.endswith("Expression")]
    if reserved := _reserved(*expressions):
        raise RejectedError(
            "ValidationException", f"Attribute name is a reserved keyword; reserved keyword: {min(reserved)}"
        )
    used = _placeholders(*expressions)
    for kind, parameter in (("#", "ExpressionAttributeNames"), (":", "ExpressionAttributeValues")):
        given = frozenset(request.get(parameter, ()))
        wanted = frozenset(name for name in used if name.startswith(kind))
        if given - wanted:
            unused = ", ".join(sorted(given - wanted))
            raise RejectedError(
                "ValidationException", f"Value provided in {parameter} unused in expressions: keys: {{{unused}}}"
            )
        if wanted - given:
            raise RejectedError("ValidationException", f"{min(wanted - given)} is used in an expression, not defined")


def holds(expression: str, item: Item, request: Mapping[str, Any]) -> bool:
    """Evaluate a condition: comparisons, BETWEEN, size, the functions below, NOT, AND, OR, parentheses."""
    parser = _Parser(_tokens(expression), item, request)
    result = parser.alternatives()
    assert not parser.rest, f"unknown syntax: {expression}"
    return result


def projected(item: Item, request: Mapping[str, Any]) -> Item:
    """Return the attributes of an item that the request's projection names; all without a projection."""
    if "ProjectionExpression" not in request:
        return item
    parser, names = _Parser(_tokens(request["ProjectionExpression"]), item, request), list[str]()
    while parser.rest:
        names.append(parser.name())
        if parser.rest:
            parser.next(",")
    return {name: item[name] for name in names if name in item}


def updated(expression: str, item: Item, request: Mapping[str, Any]) -> Item:
    """Return an item after SET (values only), REMOVE and ADD (numbers and sets of texts)."""
    parser, result = _Parser(_tokens(expression), item, request), dict(item)
    while parser.rest:
        clause = parser.next("SET", "REMOVE", "ADD")
        while True:
            name = parser.name()
            if clause == "SET":
                parser.next("=")
                result[name] = parser.value()
            elif clause == "REMOVE":
                result.pop(name, None)
            else:
                result[name] = _sum(item.get(name), parser.value())
            if not parser.is_next(","):
                break
            parser.next()
    return result


@cache
def _placeholders(*expressions: str) -> frozenset[str]:
    return frozenset(token for text in expressions for token in _tokens(text) if token[0] in "#:")


@cache
def _reserved(*expressions: str) -> frozenset[str]:
    words = {token for text in expressions for token in _tokens(text)} - {*_KEYWORDS, *_FUNCTIONS, "size"}
    return frozenset(word for word in words if word.upper() in _RESERVED)


class _Parser:
    def __init__(self, tokens: tuple[str, ...], item: Item, request: Mapping[str, Any]) -> None:
        self.rest = list(reversed(tokens))
        self._item = item
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})

    def next(self, *expected: str) -> str:
        token = self.rest.pop()
        assert not expected or token in expected, f"{token} is not one of {expected}"
        return token

    def is_next(self, token: str) -> bool:
        return bool(self.rest) and self.rest[-1] == token

    def name(self) -> str:
        token = self.next()
        return str(self._names[token]) if token.startswith("#") else token

    def value(self) -> Any:
        """Return the value of a name, of a placeholder, or of a size; None for a missing attribute."""
        if self.rest[-1].startswith(":"):
            return self._values[self.next()]
        if self.is_next("size"):
            self.next()
            self.next("(")
            size = _size(self._item.get(self.name()))
            self.next(")")
            return size
        return self._item.get(self.name())

    def alternatives(self) -> bool:
        result = self._parts()
        while self.is_next("OR"):
            self.next()
            result = self._parts() or result
        return result

    def _parts(self) -> bool:
        result = self._condition()
        while self.is_next("AND"):
            self.next()
            result = self._condition() and result
        return result

    def _condition(self) -> bool:
        if self.is_next("("):
            self.next()
            result = self.alternatives()
            self.next(")")
            return result
        if self.is_next("NOT"):
            self.next()
            return not self._condition()
        if self.rest[-1] in _FUNCTIONS:
            return self._function()
        first = self.value()
        if self.is_next("BETWEEN"):
            self.next()
            low, _, high = self.value(), self.next("AND"), self.value()
            return _compare(low, first, "<=") and _compare(first, high, "<=")
        operator, second = self.next("=", "<>", *_OPERATORS), self.value()
        return _compare(first, second, operator)

    def _function(self) -> bool:
        function = self.next()
        self.next("(")
        found = self.value()
        if test := _TESTS.get(function):
            self.next(",")
            operand = self.value()
            self.next(")")
            return found is not None and test(found, operand)
        self.next(")")
        return (found is not None) is (function == "attribute_exists")


def _contains(found: Any, operand: Any) -> bool:
    """Return whether a text contains a text, or a set an element of its type."""
    ((kind, held),) = found.items()
    ((operand_kind, element),) = operand.items()
    return (kind == operand_kind == "S" or kind == f"{operand_kind}S") and element in held


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "attribute_type": lambda found, kind: kind["S"] in found,
    "begins_with": lambda found, prefix: "S" in found and found["S"].startswith(prefix["S"]),
    "contains": _contains,
}
_FUNCTIONS = ("attribute_exists", "attribute_not_exists", *_TESTS)


def _compare(first: Any, second: Any, operator: str) -> bool:
    """Compare two attributes. Those of different types are unequal, and no one is less than the other."""
    if operator in ("=", "<>"):
        return (first is not None and second is not None and same(first, second)) is (operator == "=")
    if first is None or second is None or first.keys() != second.keys():
        return False
    (kind,) = first
    if kind == "N":
        return _OPERATORS[operator](Decimal(first["N"]), Decimal(second["N"]))
    return kind == "S" and _OPERATORS[operator](first["S"], second["S"])


def _size(held: Any) -> Any:
    """Return the length of a text, or the number of elements of a set, a list or a map."""
    sized = held is not None and held.keys() & {"S", "SS", "NS", "L", "M"}
    return {"N": str(len(next(iter(held.values()))))} if sized else None


def _sum(held: Any, added: Any) -> Any:
    if held is None:
        return added
    if "SS" in held and "SS" in added:
        return {"SS": sorted({*held["SS"], *added["SS"]})}
    if "N" not in held or "N" not in added:
        raise RejectedError("ValidationException", "An operand in the update expression has an incorrect data type")
    return {"N": format(Decimal(held["N"]) + Decimal(added["N"]), "f")}
