"""What DynamoDB answers to Query, Scan, BatchGetItem and BatchWriteItem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of
from tests.contracts.tables import Table, item, key, make_table, values

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

INVALID = "ValidationException"
PK = "FUNCTION#orders"


@pytest.fixture
def table(aws: Aws) -> Table:
    """Make a table."""
    return make_table(aws)


def test_a_query_reads_a_range_of_sort_keys_in_their_order(table: Table) -> None:
    """Both ends belong to it, the order is that of UTF-8 bytes, and other hash keys do not.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
    """
    for sk in ("b", "D", "a", "c", "ä", "e"):
        table.put(item(sk))
    table.put(item("b", "FUNCTION#other"))

    between = table.query("pk = :pk AND sk BETWEEN :a AND :b", ConsistentRead=True, **values(pk=PK, a="b", b="e"))
    every = table.query("pk = :pk", **values(pk=PK))

    assert between == [item("b"), item("c"), item("e")]
    assert [one["sk"]["S"] for one in every] == ["D", "a", "b", "c", "e", "ä"]


def test_a_query_reads_sort_keys_with_a_prefix(table: Table) -> None:
    """They are in their order, too.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
    """
    for sk in ("CHECK#a", "FINDING#b", "FINDING#a"):
        table.put(item(sk))

    found = table.query("pk = :pk AND begins_with(sk, :a)", **values(pk=PK, a="FINDING#"))

    assert found == [item("FINDING#a"), item("FINDING#b")]


def test_a_query_of_an_index_reads_in_the_order_of_its_range_key(table: Table) -> None:
    """The index of a status has only keys, and no item without the index's keys.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    for sk, changed_at in (("a", "2026-11-03"), ("b", "2026-11-01"), ("c", "2026-11-02")):
        table.put(item(sk, f"FUNCTION#{sk}", status="open", changed_at=changed_at, document="x"))
    table.put(item("d", status="resolved", changed_at="2026-11-01"))
    table.put(item("e", status="open"))

    name, given = {"ExpressionAttributeNames": {"#status": "status"}}, values(a="open")
    found = table.query("#status = :a", IndexName="by-status", **name, **given)

    assert found == [
        item(sk, f"FUNCTION#{sk}", status="open", changed_at=changed_at)
        for sk, changed_at in (("b", "2026-11-01"), ("c", "2026-11-02"), ("a", "2026-11-03"))
    ]


def test_an_index_follows_the_items(table: Table) -> None:
    """An item whose status changes is under the new one only.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    table.put(item("a", status="open", changed_at="2026-11-01"))
    table.update(key("a"), "SET #status = :a", ExpressionAttributeNames={"#status": "status"}, **values(a="resolved"))

    request = {"IndexName": "by-status", "ExpressionAttributeNames": {"#status": "status"}}

    assert table.query("#status = :a", **request, **values(a="open")) == []
    assert len(table.query("#status = :a", **request, **values(a="resolved"))) == 1


def test_a_consistent_query_of_an_index_is_rejected(table: Table) -> None:
    """A global secondary index is eventually consistent.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    request = {"IndexName": "by-status", "ExpressionAttributeNames": {"#status": "status"}, **values(a="open")}

    assert code_of(table.query, condition="#status = :a", ConsistentRead=True, **request) == INVALID


def batch_get(table: Table, *keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Read several items; return the reply."""
    request = {table.name: {"Keys": list(keys), **more}}
    reply: dict[str, Any] = table.dynamodb.batch_get_item(RequestItems=request)
    return reply


def test_several_items_are_read_at_once(table: Table) -> None:
    """Those that do not exist are left out. The order is undefined.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    for sk in "abc":
        table.put(item(sk, document=sk))

    reply = batch_get(table, key("c"), key("a"), key("missing"), ConsistentRead=True)
    found = sorted(reply["Responses"][table.name], key=lambda one: str(one["sk"]["S"]))

    assert found == [item("a", document="a"), item("c", document="c")]
    assert reply["UnprocessedKeys"] == {}


def test_a_projection_reads_only_some_attributes(table: Table) -> None:
    """An attribute that an item does not have is left out.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html
    """
    table.put(item("a", written=3, document="x"))

    reply = batch_get(table, key("a"), ProjectionExpression="pk, sk, written, missing_one")

    assert reply["Responses"][table.name] == [item("a", written=3)]


def test_a_batch_get_has_at_most_100_distinct_keys(table: Table) -> None:
    """One more is rejected, and so is a key twice.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    keys = [key(f"{number:03}") for number in range(101)]

    assert batch_get(table, *keys[:100])["Responses"] == {table.name: []}
    assert code_of(table.dynamodb.batch_get_item, RequestItems={table.name: {"Keys": keys}}) == INVALID
    assert code_of(table.dynamodb.batch_get_item, RequestItems={table.name: {"Keys": [keys[0]] * 2}}) == INVALID


@pytest.mark.differs(moto="accepts more")
def test_a_batch_write_puts_at_most_25_items(table: Table) -> None:
    """A rejected one writes nothing.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """
    writes = [{"PutRequest": {"Item": item(f"{number:03}")}} for number in range(26)]
    write = table.dynamodb.batch_write_item

    assert code_of(write, RequestItems={table.name: writes}) == INVALID
    assert table.query("pk = :pk", **values(pk=PK)) == []

    reply = write(RequestItems={table.name: writes[:25]})

    assert reply["UnprocessedItems"] == {}
    assert len(table.query("pk = :pk", **values(pk=PK))) == 25


def test_a_batch_write_with_an_item_twice_is_rejected(table: Table) -> None:
    """Nothing says which one would be the last.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """
    writes = [{"PutRequest": {"Item": item("a")}}] * 2

    assert code_of(table.dynamodb.batch_write_item, RequestItems={table.name: writes}) == INVALID


def test_a_scan_reads_every_item(table: Table) -> None:
    """The order is undefined.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
    """
    items = [item("a"), item("b"), item("a", "ROLES")]
    for one in items:
        table.put(one)

    found = table.dynamodb.scan(TableName=table.name)["Items"]

    assert sorted(found, key=str) == sorted(items, key=str)
