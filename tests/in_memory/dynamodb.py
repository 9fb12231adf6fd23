"""DynamoDB in memory: tables with items, conditions and updates, a hundred times faster than moto.

It has the operations and expressions that the stack uses, and rejects the others loudly. `test_dynamodb.py` compares it
with moto.
"""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from permission_guard.model import limits
from tests.aws_limits import item_size
from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Item = dict[str, Any]
_TOKEN = re.compile(r"\s*(<=|>=|<>|[()=<>,+-]|[:#]?[A-Za-z_][A-Za-z0-9_]*)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Tables:
    """The tables of an account. `keys` are the hash and the range key of each table, with their types.

    `orders` are the attributes that order what an index returns. `on_change` gets each change of an item: the table,
    the old and the new item.
    """

    def __init__(
        self,
        keys: Mapping[str, Mapping[str, str]],
        *,
        orders: Mapping[str, str] | None = None,
        on_change: Callable[[str, Item | None, Item | None], None] = lambda _table, _old, _new: None,
    ) -> None:
        self._keys = dict(keys)
        self._orders = orders or {}
        self._on_change = on_change
        self.items: dict[str, dict[tuple[str, str], Item]] = {name: {} for name in keys}

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call."""
        reply: dict[str, Any] = _ANSWERS[operation](self, params)
        return reply

    def put(self, table: str, item: Item) -> None:
        """Store an item, without a condition."""
        key = self._key(table, item)
        old, self.items[table][key] = self.items[table].get(key), item
        self._on_change(table, old, item)

    def expire(self, table: str, now: float, attribute: str = "expires_at") -> None:
        """Delete the items whose time is over. AWS does it within days."""
        for key, item in list(self.items[table].items()):
            if attribute in item and float(item[attribute]["N"]) <= now:
                self._on_change(table, self.items[table].pop(key), None)

    def get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer GetItem."""
        item = self.items[request["TableName"]].get(self._key(request["TableName"], request["Key"]))
        return {} if item is None else {"Item": _copied(item)}

    def query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer Query in one page; the items of an index are those with its hash key."""
        condition = request["KeyConditionExpression"]
        found = [item for item in self.items[request["TableName"]].values() if _holds(condition, item, request)]
        kinds = self._keys[request["TableName"]]
        order = [self._orders.get(request.get("IndexName", ""), ""), *kinds]
        found.sort(key=lambda item: [str(item.get(name)) for name in order])
        return {"Items": [_copied(item) for item in found]}

    def scan(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer Scan in one page."""
        return {"Items": [_copied(item) for item in self.items[request["TableName"]].values()]}

    def batch_get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer BatchGetItem with whole items."""
        found: dict[str, list[Item]] = {}
        for table, wanted in request["RequestItems"].items():
            if len(wanted["Keys"]) > limits.BATCH_GET_ITEMS:
                raise RejectedError("ValidationException", "too many items")
            items = (self.items[table].get(self._key(table, key)) for key in wanted["Keys"])
            found[table] = [_copied(item) for item in items if item is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def put_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer PutItem."""
        self._check(request, request["Item"])
        _validate(request["Item"])
        self.put(request["TableName"], _copied(request["Item"]))
        return {}

    def update_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer UpdateItem with all new attributes."""
        self._check(request, request["Key"])
        key = self._key(request["TableName"], request["Key"])
        item = _copied(self.items[request["TableName"]].get(key) or request["Key"])
        _update(request["UpdateExpression"], item, request)
        _validate(item)
        self.put(request["TableName"], item)
        return {"Attributes": _copied(item)} if request.get("ReturnValues") == "ALL_NEW" else {}

    def transact_write_items(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer TransactWriteItems: every action or none."""
        actions = [next(iter(action.items())) for action in request["TransactItems"]]
        keys = [(one["TableName"], self._key(one["TableName"], one.get("Item") or one["Key"])) for _, one in actions]
        size = sum(item_size(one["Item"]) for _, one in actions if "Item" in one)
        if len(actions) > limits.TRANSACTION_ACTIONS or size > limits.TRANSACTION or len(set(keys)) < len(keys):
            raise RejectedError("ValidationException", "the transaction is too large, or has an item twice")
        before, on_change = {name: dict(items) for name, items in self.items.items()}, self._on_change
        changes: list[tuple[str, Item | None, Item | None]] = []
        self._on_change = lambda *change: changes.append(change)
        reasons = []
        for kind, one in actions:
            try:
                {"Put": self.put_item, "Update": self.update_item}[kind](one)
                reasons.append({"Code": "None"})
            except RejectedError as error:
                reasons.append({"Code": error.code.removesuffix("Exception")})
        self._on_change = on_change
        if any(reason["Code"] != "None" for reason in reasons):
            self.items = before
            raise RejectedError("TransactionCanceledException", CancellationReasons=reasons)
        for change in changes:
            on_change(*change)
        return {}

    def batch_write_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer BatchWriteItem."""
        for table, writes in request["RequestItems"].items():
            if len(writes) > limits.BATCH_WRITE_ITEMS:
                raise RejectedError("ValidationException", "too many items")
            for write in writes:
                self.put_item({"TableName": table, "Item": write["PutRequest"]["Item"]})
        return {"UnprocessedItems": {}}

    def _check(self, request: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        held = self.items[request["TableName"]].get(self._key(request["TableName"], key))
        condition = request.get("ConditionExpression")
        if condition is not None and not _holds(condition, held or {}, request):
            reply: dict[str, Any] = (
                {"Item": _copied(held)} if held and "ReturnValuesOnConditionCheckFailure" in request else {}
            )
            raise RejectedError("ConditionalCheckFailedException", "The conditional request failed", **reply)

    def _key(self, table: str, item: Mapping[str, Any]) -> tuple[str, str]:
        kinds = self._keys[table]
        values = [item.get(name, {}).get(kind) for name, kind in kinds.items()]
        longest = (2_048, 1_024)
        if not all(values) or any(len(v.encode()) > most for v, most in zip(values, longest, strict=True)):
            raise RejectedError("ValidationException", "a key is missing, empty or too long")
        _validate({name: item[name] for name in kinds})
        return values[0], values[1]


_ANSWERS: dict[str, Callable[[Tables, Mapping[str, Any]], dict[str, Any]]] = {
    "BatchGetItem": Tables.batch_get_item,
    "BatchWriteItem": Tables.batch_write_item,
    "GetItem": Tables.get_item,
    "PutItem": Tables.put_item,
    "Query": Tables.query,
    "Scan": Tables.scan,
    "TransactWriteItems": Tables.transact_write_items,
    "UpdateItem": Tables.update_item,
}


def _copied(item: Mapping[str, Any]) -> Item:
    """Return a copy of an item. Texts and numbers need no deep copy, and most attributes are such."""
    return {name: dict(value) if "S" in value or "N" in value else copy.deepcopy(value) for name, value in item.items()}


def _validate(item: Item) -> None:
    if item_size(item) > limits.TABLE_ITEM:
        raise RejectedError("ValidationException", "Item size has exceeded the maximum allowed size")
    for value in item.values():
        if "N" not in value:
            continue
        number = Decimal(value["N"])
        if len("".join(map(str, number.as_tuple().digits)).strip("0")) > _DIGITS:
            raise RejectedError("ValidationException", "Attempting to store more than 38 significant digits")
        if number.adjusted() > _EXPONENT:
            raise RejectedError("ValidationException", "Number overflow")


_DIGITS = 38
_EXPONENT = 125

# ── Expressions ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _tokens(expression: str) -> tuple[str, ...]:
    found = _TOKEN.findall(expression)
    assert "".join(found) == re.sub(r"\s", "", expression), f"unknown syntax: {expression}"
    return tuple(found)


def _holds(expression: str, item: Item, request: Mapping[str, Any]) -> bool:
    """Evaluate a condition: comparisons, BETWEEN, size, the functions below, NOT, AND, OR, parentheses."""
    parser = _Parser(_tokens(expression), item, request)
    result = parser.alternatives()
    assert not parser.rest, f"unknown syntax: {expression}"
    return result


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
        """Return the value of a name, of a placeholder, or of the size of a set; None for a missing attribute."""
        if self.rest[-1].startswith(":"):
            return self._values[self.next()]
        if self.is_next("size"):
            self.next()
            self.next("(")
            held = self._item.get(self.name())
            self.next(")")
            return {"N": str(len(held["SS"]))} if held and "SS" in held else None
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
        operator, second = self.next(*_OPERATORS), self.value()
        return _compare(first, second, operator)

    def _function(self) -> bool:
        function = self.next()
        self.next("(")
        found = self.value()
        if test := _TESTS.get(function):
            self.next(",")
            operand = self.value()["S"]
            self.next(")")
            return found is not None and test(found, operand)
        self.next(")")
        return (found is not None) is (function == "attribute_exists")


_TESTS: dict[str, Callable[[Any, str], bool]] = {
    "attribute_type": lambda found, kind: kind in found,
    "begins_with": lambda found, prefix: found.get("S", "").startswith(prefix),
    "contains": lambda found, text: text in found.get("SS", ()),
}
_FUNCTIONS = ("attribute_exists", "attribute_not_exists", *_TESTS)


def _compare(first: Any, second: Any, operator: str) -> bool:
    """Compare two attributes. Those of different types are unequal, and no one is less than the other."""
    if first is None or second is None or first.keys() != second.keys():
        return operator == "<>"
    (kind,) = first
    if kind == "N":
        return _OPERATORS[operator](Decimal(first["N"]), Decimal(second["N"]))
    return (operator in "=<>" or kind == "S") and _OPERATORS[operator](first[kind], second[kind])


def _update(expression: str, item: Item, request: Mapping[str, Any]) -> None:
    """Apply SET (values only), REMOVE and ADD (numbers and sets of texts) to an item."""
    parser = _Parser(_tokens(expression), dict(item), request)
    while parser.rest:
        clause = parser.next("SET", "REMOVE", "ADD")
        while True:
            name = parser.name()
            if clause == "SET":
                parser.next("=")
                item[name] = copy.deepcopy(parser.value())
            elif clause == "REMOVE":
                item.pop(name, None)
            else:
                item[name] = _sum(item.get(name), parser.value())
            if not parser.is_next(","):
                break
            parser.next()


def _sum(held: Any, added: Any) -> Any:
    if held is None:
        return copy.deepcopy(added)
    if "SS" in held and "SS" in added:
        return {"SS": sorted({*held["SS"], *added["SS"]})}
    if "N" not in held or "N" not in added:
        raise RejectedError("ValidationException", "An operand in the update expression has an incorrect data type")
    return {"N": format(Decimal(held["N"]) + Decimal(added["N"]), "f")}
