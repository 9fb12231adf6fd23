"""DynamoDB Streams in memory: reads the records of the tables' streams, each of one shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.in_memory.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.in_memory.dynamodb import Tables
    from tests.in_memory.service import Operations

_SHARD = "shardId-00000000000000000000-00000001"


class Streams(Service):
    """The streams of tables. An iterator is the table's name and the number of the next record."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"StreamDescription": {"StreamArn": params["StreamArn"], "Shards": [{"ShardId": _SHARD}]}}

    def _iterator(self, params: Mapping[str, Any]) -> dict[str, Any]:
        assert params["ShardIteratorType"] == "TRIM_HORIZON"
        return {"ShardIterator": f"{params['StreamArn'].partition('/')[0]}/0"}

    def _records(self, params: Mapping[str, Any]) -> dict[str, Any]:
        table, _, position = params["ShardIterator"].partition("/")
        records = self._tables.tables[table].records
        return {"Records": records[int(position) :], "NextShardIterator": f"{table}/{len(records)}"}

    operations: ClassVar[Operations] = {
        "DescribeStream": _describe,
        "GetRecords": _records,
        "GetShardIterator": _iterator,
    }
