"""How moto's DynamoDB tables are copied: for each action of a transaction, moto copies the table to undo the action.

Records of a stream never change, so the copy can share them. Otherwise large transactions take most of the test time.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    import pytest


def share_stream_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make copies of a table share the records of its stream."""
    monkeypatch.setattr(Table, "__deepcopy__", _copied, raising=False)


def _copied(table: Any, memo: dict[int, Any]) -> Any:
    copied = copy.copy(table)
    copied.items = copy.deepcopy(table.items, memo)
    if table.stream_shard is not None:
        copied.stream_shard = copy.copy(table.stream_shard)
        copied.stream_shard.items = list(table.stream_shard.items)
    return copied
