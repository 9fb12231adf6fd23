"""What DynamoDB does with TransactWriteItems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of, error_of
from tests.contracts.tables import Table, item, key, make_table, values

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

INVALID = "ValidationException"
FAILED = "ConditionalCheckFailed"


@pytest.fixture
def table(aws: Aws) -> Table:
    """Make a table."""
    return make_table(aws)


def put(sk: str, condition: str = "", **more: Any) -> dict[str, Any]:
    """Return the action that puts an item."""
    given = {"ConditionExpression": condition} if condition else {}
    return {"Put": {"Item": item(sk), **given, **more}}


def update(sk: str, expression: str, condition: str = "", **more: Any) -> dict[str, Any]:
    """Return the action that updates an item."""
    given = {"ConditionExpression": condition} if condition else {}
    return {"Update": {"Key": key(sk), "UpdateExpression": expression, **given, **more}}


def cancelled(table: Table, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the reasons for which a transaction is cancelled."""
    named = [{kind: {"TableName": table.name, **one} for kind, one in action.items()} for action in actions]
    reply = error_of(table.dynamodb.transact_write_items, TransactItems=named)
    assert reply["Error"]["Code"] == "TransactionCanceledException"
    reasons: list[dict[str, Any]] = reply["CancellationReasons"]
    return reasons


def transact(table: Table, *actions: dict[str, Any]) -> str:
    """Return the code with which a transaction is rejected."""
    named = [{kind: {"TableName": table.name, **one} for kind, one in action.items()} for action in actions]
    return code_of(table.dynamodb.transact_write_items, TransactItems=named)


def test_a_transaction_writes_every_item(table: Table) -> None:
    """Its conditions are about the items before it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    table.put(item("a", revision=1))

    table.transact(
        update("a", "SET revision = :b", "revision = :a", **values(a=1, b=2)),
        put("b", "attribute_not_exists(pk)"),
    )

    assert table.get(key("a")) == item("a", revision=2)
    assert table.get(key("b")) == item("b")


def test_a_transaction_with_a_failed_condition_writes_nothing(table: Table) -> None:
    """The exception is that of the service's model.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    before = item("b", revision=1)
    table.put(before)

    with pytest.raises(table.dynamodb.exceptions.TransactionCanceledException):
        table.transact(put("a"), put("b", "attribute_not_exists(pk)"), put("c"))

    assert [table.get(key(sk)) for sk in "abc"] == [None, before, None]


def test_the_reasons_of_a_cancelled_transaction_are_in_the_order_of_its_actions(table: Table) -> None:
    """Every failed condition has its own; an action that did not fail has the code None.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    held = item("b", revision=1)
    table.put(held)
    table.put(item("d"))
    shown = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    reasons = cancelled(
        table,
        put("a"),
        put("b", "attribute_not_exists(pk)", **shown),
        put("c", "attribute_not_exists(pk)"),
        put("d", "attribute_not_exists(pk)"),
        update("e", "SET revision = :a", "attribute_exists(pk)", **values(a=1)),
    )

    assert [one["Code"] for one in reasons] == ["None", FAILED, "None", FAILED, FAILED]
    assert [one.get("Item") for one in reasons] == [None, held, None, None, None]


@pytest.mark.differs(moto="answers with the error of the update")
def test_an_update_that_cannot_be_made_cancels_a_transaction(table: Table) -> None:
    """Its reason is ValidationError.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    table.put(item("b", started="text"))

    reasons = cancelled(table, put("a"), update("b", "ADD started :a", **values(a=1)))

    assert [one["Code"] for one in reasons] == ["None", "ValidationError"]
    assert table.get(key("a")) is None


def test_a_transaction_with_an_item_twice_is_rejected(table: Table) -> None:
    """The kinds of the actions do not matter.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    assert transact(table, put("a"), update("a", "SET revision = :a", **values(a=1))) == INVALID
    assert table.get(key("a")) is None


def test_a_transaction_has_at_most_100_actions(table: Table) -> None:
    """With one more nothing is written.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
    """
    actions = [put(f"{number:03}") for number in range(101)]
    table.transact(*actions[:100])

    assert transact(table, *actions) == INVALID
    assert len(table.query("pk = :a", **values(a="FUNCTION#orders"))) == 100


@pytest.mark.differs(moto="accepts a transaction of any size")
def test_a_transaction_has_at_most_4_mb(table: Table) -> None:
    """No item of it is too large by itself.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
    """
    large = [{"Put": {"Item": item(f"{number}", document="a" * 390_000)}} for number in range(11)]

    assert transact(table, *large) == INVALID
    assert table.query("pk = :a", **values(a="FUNCTION#orders")) == []
