"""DynamoDB in memory: tables with items, conditions, updates, indexes and streams, a hundred times faster than moto.

It has the operations, parameters and expressions that the stack uses, and rejects the others loudly.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from permission_guard.model import limits
from tests.aws_limits import item_size
from tests.in_memory.dynamodb_expressions import holds, projected, require_names, same, updated
from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.in_memory.service import Operations

Item = dict[str, Any]
Record = dict[str, Any]

_DIGITS = 38
_EXPONENT = 125
_KEY_LENGTHS = (2_048, 1_024)


@dataclass(slots=True)
class Table:
    """A table. `keys` are its hash and its range key, with their types; so are those of each of its `indexes`.

    The indexes project only keys. TTL deletes the items whose `expires_attribute`
    is over. `records` are those of the stream in their order, in the form in which Lambda passes them on.
    """

    name: str
    keys: Mapping[str, str]
    indexes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    expires_attribute: str = ""
    has_stream: bool = False
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, properties: Mapping[str, Any]) -> Table:
        """Return the table with the properties of a CreateTable request, or of a template."""

        def keys(schema: Mapping[str, Any]) -> dict[str, str]:
            return {one["AttributeName"]: types[one["AttributeName"]] for one in schema["KeySchema"]}

        types = {one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]}
        indexes = properties.get("GlobalSecondaryIndexes", ())
        assert all(one["Projection"] == {"ProjectionType": "KEYS_ONLY"} for one in indexes), indexes
        expires = properties.get("TimeToLiveSpecification", {}).get("AttributeName", "")
        return cls(
            name,
            keys(properties),
            {one["IndexName"]: keys(one) for one in indexes},
            expires_attribute=expires,
            has_stream="StreamSpecification" in properties,
        )

    def key(self, item: Mapping[str, Any]) -> tuple[str, str]:
        """Return the values of an item's keys. RejectedError if one is missing, empty or too long."""
        values = [item.get(name, {}).get(kind) for name, kind in self.keys.items()]
        if not all(values) or any(len(v.encode()) > most for v, most in zip(values, _KEY_LENGTHS, strict=True)):
            raise _invalid("One or more parameter values were invalid: a key is missing, empty or too long")
        _require_numbers({name: item[name] for name in self.keys})
        return values[0], values[1]

    def sorted(self, items: Iterable[Item], index: str | None) -> list[Item]:
        """Return items in the order of the range key of an index, or of the table. An index has keys only."""
        if index is None:
            (_, name) = self.keys
            return sorted(items, key=lambda item: _order(item[name]))
        keys = self.indexes[index]
        (_, name) = keys
        entries = [item for item in items if all(kind in item.get(one, ()) for one, kind in keys.items())]
        entries.sort(key=lambda item: (_order(item[name]), self.key(item)))
        return [{one: item[one] for one in {**self.keys, **keys}} for item in entries]


class Tables(Service):
    """The tables of an account. `on_record` gets each record of a table's stream: the table's name and the record."""

    def __init__(self, *tables: Table, on_record: Callable[[str, Record], None] = lambda _table, _record: None) -> None:
        self.tables = {table.name: table for table in tables}
        self._on_record = on_record

    @property
    def items(self) -> dict[str, dict[tuple[str, str], Item]]:
        """Return the items of each table by their keys."""
        return {name: table.items for name, table in self.tables.items()}

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call. RejectedError for an error."""
        unknown = params.keys() - _PARAMETERS[operation]
        assert not unknown, f"{operation}: unknown parameters {unknown}"
        return super().answer(operation, params)

    def put(self, table: str, item: Item) -> None:
        """Store an item, without a condition."""
        self._store(self.tables[table], item)

    def expire(self, table: str, now: float) -> None:
        """Delete the items whose time is over. AWS does it within days.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
        """
        held = self.tables[table]
        for key, item in list(held.items.items()):
            if float(item.get(held.expires_attribute, {}).get("N", "inf")) <= now:
                del held.items[key]
                identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
                self._record(held, item, None, userIdentity=identity)

    # ── Operations ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _create_table(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["TableName"]
        if name in self.tables:
            raise RejectedError("ResourceInUseException", f"Table already exists: {name}")
        self.tables[name] = Table.of(name, request)
        return {"TableDescription": {"TableName": name, "TableStatus": "ACTIVE", "LatestStreamArn": f"{name}/stream"}}

    def _update_time_to_live(self, request: Mapping[str, Any]) -> dict[str, Any]:
        specification = request["TimeToLiveSpecification"]
        assert specification["Enabled"]
        self._table(request).expires_attribute = specification["AttributeName"]
        return {"TimeToLiveSpecification": specification}

    def _get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(request)
        item = table.items.get(table.key(request["Key"]))
        return {} if item is None else {"Item": _copied(item)}

    def _query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer Query in one page."""
        table, condition = self._table(request), request["KeyConditionExpression"]
        if "IndexName" in request and request.get("ConsistentRead"):
            raise _invalid("Consistent reads are not supported on global secondary indexes")
        require_names(request)
        found = (item for item in table.items.values() if holds(condition, item, request))
        items = [_copied(item) for item in table.sorted(found, request.get("IndexName"))][: request.get("Limit")]
        return {"Items": items, "Count": len(items)}

    def _scan(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer Scan in one page."""
        items = [_copied(item) for item in self._table(request).items.values()]
        return {"Items": items, "Count": len(items)}

    def _batch_get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        if sum(len(one["Keys"]) for one in request["RequestItems"].values()) > limits.BATCH_GET_ITEMS:
            raise _invalid("Too many items requested for the BatchGetItem call")
        for name, wanted in request["RequestItems"].items():
            table = self._table({"TableName": name})
            keys = [table.key(key) for key in wanted["Keys"]]
            _require_distinct(keys, "Provided list of item keys contains duplicates")
            items = (table.items[key] for key in keys if key in table.items)
            found[name] = [_copied(projected(item, wanted)) for item in items]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _put_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(request)
        self._store(table, _put(table, request))
        return {}

    def _update_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(request)
        item = _update(table, request)
        self._store(table, item)
        assert request.get("ReturnValues", "NONE") in ("NONE", "ALL_NEW")
        return {"Attributes": _copied(item)} if request.get("ReturnValues") == "ALL_NEW" else {}

    def _transact_write_items(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer TransactWriteItems: every action or none."""
        actions = [(kind, one) for action in request["TransactItems"] for kind, one in action.items()]
        if len(actions) > limits.TRANSACTION_ACTIONS:
            raise _invalid("Member must have length less than or equal to 100")
        tables = [self._table(one) for _, one in actions]
        keys = [
            (table.name, table.key(one.get("Item") or one["Key"]))
            for table, (_, one) in zip(tables, actions, strict=True)
        ]
        _require_distinct(keys, "Transaction request cannot include multiple operations on one item")
        if sum(item_size(one["Item"]) for _, one in actions if "Item" in one) > limits.TRANSACTION:
            raise _invalid("Transaction request is over the limit of 4 MB")
        planned, reasons = list[Item | None](), list[dict[str, Any]]()
        for table, (kind, one) in zip(tables, actions, strict=True):
            try:
                planned.append(_ACTIONS[kind](table, one))
                reasons.append({"Code": "None"})
            except RejectedError as error:
                reasons.append({"Code": _REASONS[error.code], "Message": error.message, **error.reply})
        if len(planned) < len(actions):
            codes = ", ".join(reason["Code"] for reason in reasons)
            text = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
            raise RejectedError("TransactionCanceledException", text, CancellationReasons=reasons)
        for (name, key), item in zip(keys, planned, strict=True):
            self._write(self.tables[name], key, item)
        return {}

    def _batch_write_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if sum(map(len, request["RequestItems"].values())) > limits.BATCH_WRITE_ITEMS:
            raise _invalid("Too many items requested for the BatchWriteItem call")
        for name, writes in request["RequestItems"].items():
            table = self._table({"TableName": name})
            items = [_put(table, write["PutRequest"]) for write in writes]
            _require_distinct(map(table.key, items), "Provided list of item keys contains duplicates")
            for item in items:
                self._store(table, item)
        return {"UnprocessedItems": {}}

    # ── Items and records ───────────────────────────────────────────────────────────────────────────────────────────

    def _table(self, request: Mapping[str, Any]) -> Table:
        if request["TableName"] not in self.tables:
            raise RejectedError("ResourceNotFoundException", "Requested resource not found")
        return self.tables[request["TableName"]]

    def _store(self, table: Table, item: Item) -> None:
        self._write(table, table.key(item), item)

    def _write(self, table: Table, key: tuple[str, str], item: Item | None) -> None:
        """Store an item, or delete it."""
        old = table.items.pop(key, None)
        if item is not None:
            table.items[key] = item
        if old is not None or item is not None:
            self._record(table, old, item)

    def _record(self, table: Table, old: Item | None, new: Item | None, **more: Any) -> None:
        """Write a record into the stream. A write that changes nothing has none.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
        """
        if not table.has_stream or (old is not None and new is not None and _same(old, new)):
            return
        images = {name: _copied(item) for name, item in (("NewImage", new), ("OldImage", old)) if item is not None}
        keys = {name: value for name, value in (new or old or {}).items() if name in table.keys}
        number = f"{len(table.records) + 1:021}"
        record = {
            "eventID": f"{table.name}-{number}",
            "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
            "dynamodb": {"Keys": keys, "SequenceNumber": number, "StreamViewType": "NEW_AND_OLD_IMAGES", **images},
            **more,
        }
        table.records.append(record)
        self._on_record(table.name, record)

    operations: ClassVar[Operations] = {
        "BatchGetItem": _batch_get_item,
        "BatchWriteItem": _batch_write_item,
        "CreateTable": _create_table,
        "GetItem": _get_item,
        "PutItem": _put_item,
        "Query": _query,
        "Scan": _scan,
        "TransactWriteItems": _transact_write_items,
        "UpdateItem": _update_item,
        "UpdateTimeToLive": _update_time_to_live,
    }


_ACTION = {"TableName", "ConditionExpression", "ReturnValuesOnConditionCheckFailure"}
_PLACEHOLDERS = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_CREATE = {"BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "StreamSpecification"}
_PARAMETERS = {
    "BatchGetItem": {"RequestItems"},
    "BatchWriteItem": {"RequestItems"},
    "CreateTable": {"TableName", *_CREATE},
    "GetItem": {"TableName", "Key", "ConsistentRead"},
    "PutItem": {"Item", *_ACTION, *_PLACEHOLDERS},
    "Query": {"TableName", "IndexName", "KeyConditionExpression", "ConsistentRead", "Limit", *_PLACEHOLDERS},
    "Scan": {"TableName", "ConsistentRead"},
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
    "UpdateItem": {"Key", "UpdateExpression", "ReturnValues", *_ACTION, *_PLACEHOLDERS},
    "UpdateTimeToLive": {"TableName", "TimeToLiveSpecification"},
}
"""The parameters that each operation knows."""


def _put(table: Table, request: Mapping[str, Any]) -> Item:
    """Return the item that a Put writes. RejectedError if its condition fails."""
    _require_condition(table, request, request["Item"])
    _require_valid(table, request["Item"])
    return _copied(request["Item"])


def _update(table: Table, request: Mapping[str, Any]) -> Item:
    """Return the item that an Update writes. RejectedError if its condition fails."""
    _require_condition(table, request, request["Key"])
    held = table.items.get(table.key(request["Key"]), request["Key"])
    item = _copied(updated(request["UpdateExpression"], held, request))
    if any(item.get(name) != value for name, value in request["Key"].items()):
        raise _invalid("One or more parameter values were invalid: Cannot update an attribute that is part of the key")
    _require_valid(table, item)
    return item


def _delete(table: Table, request: Mapping[str, Any]) -> None:
    """Check what a Delete deletes. RejectedError if its condition fails."""
    _require_condition(table, request, request["Key"])


_ACTIONS: Mapping[str, Callable[[Table, Mapping[str, Any]], Item | None]] = {
    "Delete": _delete,
    "Put": _put,
    "Update": _update,
}
_REASONS = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}
"""The reasons for which a transaction is cancelled, by the error of the action alone.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""


def _require_condition(table: Table, request: Mapping[str, Any], key: Mapping[str, Any]) -> None:
    held, condition = table.items.get(table.key(key)), request.get("ConditionExpression")
    require_names(request)
    if condition is None or holds(condition, held or {}, request):
        return
    shows = held is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    reply: dict[str, Any] = {"Item": _copied(held)} if held is not None and shows else {}
    raise RejectedError("ConditionalCheckFailedException", "The conditional request failed", **reply)


def _require_valid(table: Table, item: Item) -> None:
    for index, keys in table.indexes.items():
        for name, kind in keys.items():
            if name in item and kind not in item[name]:
                text = f"Type mismatch for Index Key {name} Expected: {kind} IndexName: {index}"
                raise _invalid(f"One or more parameter values were invalid: {text}")
    if item_size(item) > limits.TABLE_ITEM:
        raise _invalid("Item size has exceeded the maximum allowed size")
    if any(value.get("SS") == [] for value in item.values()):
        raise _invalid("One or more parameter values were invalid: An string set  may not be empty")
    _require_numbers(item)


def _require_numbers(item: Item) -> None:
    for value in item.values():
        if "N" not in value:
            continue
        number = Decimal(value["N"])
        if len("".join(map(str, number.as_tuple().digits)).strip("0")) > _DIGITS:
            raise _invalid("Attempting to store more than 38 significant digits in a Number")
        if number.adjusted() > _EXPONENT:
            raise _invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")


def _require_distinct(keys: Iterable[Any], text: str) -> None:
    every = list(keys)
    if len(set(every)) < len(every):
        raise _invalid(text)


def _invalid(text: str) -> RejectedError:
    return RejectedError("ValidationException", text)


def _order(value: Mapping[str, str]) -> Any:
    return Decimal(value["N"]) if "N" in value else value["S"]


def _same(old: Item, new: Item) -> bool:
    return old == new or (old.keys() == new.keys() and all(same(value, new[name]) for name, value in old.items()))


def _copied(item: Mapping[str, Any]) -> Item:
    """Return a copy of an item. Texts and numbers need no deep copy, and most attributes are such."""
    return {name: dict(value) if "S" in value or "N" in value else copy.deepcopy(value) for name, value in item.items()}
