"""What DynamoDB writes into the stream of a table with NEW_AND_OLD_IMAGES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of
from tests.contracts.tables import Table, item, key, make_table, values

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

AN_HOUR = 3_600


@pytest.fixture
def table(aws: Aws) -> Table:
    """Make a table."""
    return make_table(aws)


def test_each_change_of_an_item_has_a_record_with_the_old_and_the_new_item(table: Table) -> None:
    """They are in the order of the changes, with the item's key and ascending sequence numbers.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    """
    first, second, third = (item("a", revision=number, fixes={"x"}) for number in (1, 2, 3))
    table.put(first)
    table.put(second)
    table.update(key("a"), "SET revision = :a", **values(a=3))

    records = table.records()
    numbers = [int(one["dynamodb"]["SequenceNumber"]) for one in records]

    assert table.changes() == [("INSERT", None, first), ("MODIFY", first, second), ("MODIFY", second, third)]
    assert [one["dynamodb"]["Keys"] for one in records] == [key("a")] * 3
    assert numbers == sorted(set(numbers))
    assert len({one["eventID"] for one in records}) == 3


@pytest.mark.differs(moto="writes a record for each write")
def test_a_write_that_changes_nothing_has_no_record(table: Table) -> None:
    """Neither does PutItem of the same item, nor an update that sets what is there, nor one that adds it to a set.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    """
    same = item("a", revision=1, fixes={"x", "y"})
    table.put(same)

    table.put(same)
    table.update(key("a"), "SET revision = :a", **values(a=1))
    table.update(key("a"), "ADD fixes :a", **values(a={"x"}))

    assert [name for name, _, _ in table.changes()] == ["INSERT"]


def test_a_write_whose_condition_fails_has_no_record(table: Table) -> None:
    """A stream has what was written.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    """
    table.put(item("a"))

    code_of(table.put, item=item("a", revision=1), condition="attribute_not_exists(pk)")
    code_of(table.update, key=key("b"), expression="SET revision = :a", condition="attribute_exists(pk)", **values(a=1))

    assert table.changes() == [("INSERT", None, item("a"))]


def actions(table: Table, condition: str) -> list[dict[str, Any]]:
    """Return a transaction of a put and an update; the update has a condition."""
    change = {"UpdateExpression": "SET revision = :a", "ConditionExpression": condition, **values(a=2)}
    one, two = {"Item": item("new")}, {"Key": key("held"), **change}
    return [{"Put": {"TableName": table.name, **one}}, {"Update": {"TableName": table.name, **two}}]


def test_a_transaction_has_a_record_for_each_item(table: Table) -> None:
    """They are in no order.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    held = item("held", revision=1)
    table.put(held)

    table.dynamodb.transact_write_items(TransactItems=actions(table, "attribute_exists(pk)"))

    changes = sorted(table.changes(), key=str)
    assert changes == [
        ("INSERT", None, held),
        ("INSERT", None, item("new")),
        ("MODIFY", held, item("held", revision=2)),
    ]


def test_a_cancelled_transaction_has_no_record(table: Table) -> None:
    """The actions that did not fail have none either.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    table.put(item("held", revision=1))

    code_of(table.dynamodb.transact_write_items, TransactItems=actions(table, "attribute_not_exists(pk)"))

    assert [name for name, _, _ in table.changes()] == ["INSERT"]


def test_a_batch_write_has_a_record_for_each_item(table: Table) -> None:
    """They are in no order.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    """
    writes = [{"PutRequest": {"Item": item(sk)}} for sk in "ab"]

    table.dynamodb.batch_write_item(RequestItems={table.name: writes})

    assert sorted(table.changes(), key=str) == [("INSERT", None, item("a")), ("INSERT", None, item("b"))]


@pytest.mark.differs(moto="deletes no expired item", ministack="deletes each minute, without a record")
def test_an_item_that_ttl_deletes_has_a_record_of_its_removal(table: Table) -> None:
    """The service is the identity of the change, so that it differs from a deletion by a person.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    specification = {"Enabled": True, "AttributeName": "expires_at"}
    table.dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=specification)
    expired = item("a", expires_at=table.aws.now() - AN_HOUR)
    kept = item("b", expires_at=table.aws.now() + AN_HOUR)
    table.put(expired)
    table.put(kept)

    removed = table.aws.eventually(lambda: [one for one in table.records() if one["eventName"] == "REMOVE"])

    assert [one["dynamodb"]["OldImage"] for one in removed] == [expired]
    assert "NewImage" not in removed[0]["dynamodb"]
    assert removed[0]["userIdentity"] in (
        {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
    )
    assert [table.get(key("a")), table.get(key("b"))] == [None, kept]
