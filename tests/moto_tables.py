"""How moto's DynamoDB tables are copied and read without most of the time that this takes, and how a reply is lost.

For each action of a transaction, moto copies the table to undo the transaction. One copy is enough, and it can share
the records of the stream, which never change. And moto looks up each type that a value of an attribute may have, with
aliases, although an item has the values in the form of the reply.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from moto.core.models import botocore_stubber
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

_PLAIN = {"S", "N", "BOOL", "SS", "NS"}


def speed_up_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a transaction copy a table once, without the records of its stream, and send plain values as they are."""
    transact = DynamoDBBackend.transact_write_items

    def copying_once(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        copies: dict[int, Any] = {}

        def copied_once(table: Any, memo: dict[int, Any]) -> Any:
            if id(table) not in copies:
                copies[id(table)] = _copied(table, memo)
            return copies[id(table)]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Table, "__deepcopy__", copied_once)
            transact(backend, transact_items)

    monkeypatch.setattr(Table, "__deepcopy__", _copied, raising=False)
    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", copying_once)

    structure = BaseJSONSerializer._serialize_type_structure

    def serialized(self: Any, wrapper: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and isinstance(value, dict) and len(value) == 1 and set(value) <= _PLAIN:
            wrapper[key] = value
        else:
            structure(self, wrapper, value, shape, key)

    monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", serialized)


def lose_replies(client: Any, operation: str, count: int) -> list[bytes]:
    """Apply the next `count` requests of an operation and close the connection before the reply.

    Return the list to which the body of every request of the operation is appended.
    """
    bodies: list[bytes] = []

    def lose(event_name: str, request: Any, **_more: Any) -> None:
        bodies.append(request.body)
        if len(bodies) <= count:
            botocore_stubber(event_name, request)
            raise ConnectionClosedError(endpoint_url=request.url)

    client.meta.events.register_first(f"before-send.dynamodb.{operation}", lose)
    return bodies


def _copied(table: Any, memo: dict[int, Any]) -> Any:
    copied = copy.copy(table)
    copied.items = copy.deepcopy(table.items, memo)
    if table.stream_shard is not None:
        copied.stream_shard = copy.copy(table.stream_shard)
        copied.stream_shard.items = list(table.stream_shard.items)
    return copied
