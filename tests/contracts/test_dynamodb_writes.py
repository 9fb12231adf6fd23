"""What DynamoDB does with PutItem and UpdateItem, and with their conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model import limits
from tests.contracts.implementations import code_of, error_of, unique
from tests.contracts.tables import Table, item, key, make_table, value, values

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

FAILED = "ConditionalCheckFailedException"
INVALID = "ValidationException"


@pytest.fixture
def table(aws: Aws) -> Table:
    """Make a table."""
    return make_table(aws)


CONDITIONS: list[tuple[str, dict[str, Any], bool]] = [
    ("attribute_not_exists(pk)", {}, False),
    ("attribute_not_exists(absent)", {}, True),
    ("attribute_exists(revision)", {}, True),
    ("attribute_exists(absent)", {}, False),
    ("revision = :a", {"a": 3}, True),
    ("revision = :a", {"a": "3"}, False),
    ("revision = :a", {"a": 4}, False),
    ("absent = :a", {"a": 3}, False),
    ("revision <> :a", {"a": 4}, True),
    ("absent <> :a", {"a": 4}, True),
    ("revision < :a", {"a": 20}, True),
    ("revision < :a", {"a": 3}, False),
    ("revision <= :a", {"a": 3}, True),
    ("revision >= :a", {"a": 20}, False),
    ("team > :a", {"a": "abc"}, True),
    ("revision BETWEEN :a AND :b", {"a": 3, "b": 20}, True),
    ("revision BETWEEN :a AND :b", {"a": 4, "b": 20}, False),
    ("attribute_type(revision, :a)", {"a": "N"}, True),
    ("attribute_type(revision, :a)", {"a": "S"}, False),
    ("attribute_type(absent, :a)", {"a": "N"}, False),
    ("begins_with(team, :a)", {"a": "team"}, True),
    ("begins_with(team, :a)", {"a": "a"}, False),
    ("contains(fixes, :a)", {"a": "one"}, True),
    ("contains(fixes, :a)", {"a": "on"}, False),
    ("contains(team, :a)", {"a": "am-"}, True),
    ("contains(absent, :a)", {"a": "one"}, False),
    ("size(fixes) < :a", {"a": 3}, True),
    ("size(fixes) < :a", {"a": 2}, False),
    ("size(team) = :a", {"a": 6}, True),
    ("NOT attribute_type(revision, :a)", {"a": "N"}, False),
    ("NOT attribute_type(absent, :a)", {"a": "N"}, True),
    ("revision = :a OR revision = :b AND team = :a", {"a": 3, "b": 3}, True),
    ("(revision = :a OR revision = :b) AND team = :a", {"a": 3, "b": 3}, False),
    ("NOT revision = :a AND team = :b", {"a": 4, "b": "team-a"}, True),
    ("NOT (revision = :a AND team = :b)", {"a": 3, "b": "team-a"}, False),
]


@pytest.mark.parametrize(
    ("condition", "given", "holds"), CONDITIONS, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_condition_holds_or_fails(table: Table, condition: str, given: dict[str, Any], holds: bool) -> None:
    """NOT binds stronger than AND, and AND stronger than OR. Attributes of different types are not equal.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
    """
    table.put(item("a", revision=3, team="team-a", fixes={"one", "two"}))
    more = values(**given) if given else {}

    if holds:
        table.put(item("a"), condition, **more)
    else:
        assert code_of(table.put, item=item("a"), condition=condition, **more) == FAILED


@pytest.mark.differs(moto="fails in Python")
def test_values_of_different_types_have_no_order(table: Table) -> None:
    """A number is neither less nor greater than a text, and the condition fails.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Condition.html
    """
    table.put(item("a", revision=3))

    codes = [code_of(table.put, item=item("a"), condition=f"revision {one} :a", **values(a="3")) for one in "<>"]

    assert codes == [FAILED, FAILED]


def test_a_condition_of_an_item_that_does_not_exist_sees_no_attribute(table: Table) -> None:
    """Only what holds without attributes holds.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
    """
    assert code_of(table.put, item=item("a"), condition="revision = :a", **values(a=1)) == FAILED
    assert (
        code_of(table.update, key=key("a"), expression="SET a = :a", condition="attribute_exists(pk)", **values(a=1))
        == FAILED
    )

    table.put(item("a"), "attribute_not_exists(pk)")

    assert code_of(table.put, item=item("a"), condition="attribute_not_exists(pk)") == FAILED


def test_a_write_whose_condition_fails_changes_nothing(table: Table) -> None:
    """Neither PutItem nor UpdateItem does, and the exception is that of the service's model.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html
    """
    before = item("a", revision=3)
    table.put(before)

    with pytest.raises(table.dynamodb.exceptions.ConditionalCheckFailedException):
        table.put(item("a", revision=4), "revision = :a", **values(a=2))
    with pytest.raises(table.dynamodb.exceptions.ConditionalCheckFailedException):
        table.update(key("a"), "SET revision = :b", "revision = :a", **values(a=2, b=4))

    assert table.get(key("a")) == before


def test_a_failed_condition_shows_the_item_that_is_there_if_the_request_wants_it(table: Table) -> None:
    """There is none without ReturnValuesOnConditionCheckFailure, and none of an item that does not exist.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """
    held, wanted = item("a", revision=3), {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    table.put(held)
    request = {"expression": "SET revision = :a", "condition": "revision = :a", **values(a=9)}

    of_update = error_of(table.update, key=key("a"), **request, **wanted)
    of_put = error_of(table.put, item=item("a"), condition="revision = :a", **values(a=9), **wanted)
    unwanted = error_of(table.update, key=key("a"), **request)
    missing = error_of(table.update, key=key("b"), **request, **wanted)

    assert (of_update["Item"], of_put["Item"]) == (held, held)
    assert "Item" not in unwanted
    assert "Item" not in missing


def test_put_item_replaces_an_item_and_update_item_keeps_its_other_attributes(table: Table) -> None:
    """A PutItem with other attributes leaves none of the old ones.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html
    """
    table.put(item("a", one="x", two="y"))
    updated = table.update(
        key("a"), "SET #two = :a REMOVE absent", ExpressionAttributeNames={"#two": "two"}, **values(a="z")
    )
    table.put(item("a", three="x"))

    assert updated == item("a", one="x", two="z")
    assert table.get(key("a")) == item("a", three="x")


def test_an_update_makes_an_item_that_does_not_exist(table: Table) -> None:
    """It has its key and what the update sets.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """
    assert table.update(key("a"), "SET revision = :a", **values(a=1)) == item("a", revision=1)


def test_set_and_remove_change_what_they_name(table: Table) -> None:
    """REMOVE of an attribute that does not exist does nothing.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    table.put(item("a", one="x", two="y"))

    updated = table.update(key("a"), "SET two = :a, three = :a REMOVE one, absent", **values(a="z"))

    assert updated == item("a", two="z", three="z")


def test_add_adds_to_numbers(table: Table) -> None:
    """An attribute that does not exist counts as zero.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    counts = [table.update(key("a"), "ADD started :a", **values(a=one))["started"] for one in (1, 1, 40, -2)]

    assert counts == [{"N": "1"}, {"N": "2"}, {"N": "42"}, {"N": "40"}]


def test_add_adds_to_sets(table: Table) -> None:
    """An element that is there already is not added again.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    found = [table.update(key("a"), "ADD fixes :a", **values(a=one))["fixes"]["SS"] for one in ({"x"}, {"y", "x"})]

    assert [sorted(one) for one in found] == [["x"], ["x", "y"]]


def test_add_to_an_attribute_of_another_type_is_rejected(table: Table) -> None:
    """The item keeps its attribute.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    before = item("a", started="text")
    table.put(before)

    assert code_of(table.update, key=key("a"), expression="ADD started :a", **values(a=1)) == INVALID
    assert table.get(key("a")) == before


def test_an_update_of_a_key_is_rejected(table: Table) -> None:
    """An item with another key is another item.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """
    assert code_of(table.update, key=key("a"), expression="SET sk = :a", **values(a="b")) == INVALID


@pytest.mark.parametrize("sk", ["", "a" * 1_025])
def test_a_key_that_is_empty_or_too_long_is_rejected(table: Table, sk: str) -> None:
    """A sort key has at most 1,024 bytes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
    """
    assert code_of(table.put, item=item(sk)) == INVALID


def test_a_key_of_another_type_or_without_a_part_is_rejected(table: Table) -> None:
    """Both parts of the key are needed.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
    """
    assert code_of(table.put, item={"pk": value("a"), "sk": value(1)}) == INVALID
    assert code_of(table.put, item={"pk": value("a")}) == INVALID


@pytest.mark.differs(moto="accepts an index key of any type")
def test_an_index_key_of_another_type_is_rejected(table: Table) -> None:
    """An item without an index key is accepted; it is not in the index.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    assert code_of(table.put, item=item("a", status=1, changed_at="2026")) == INVALID
    assert table.get(key("a")) is None


@pytest.mark.differs(moto="rejects more than 405,000 bytes")
def test_an_item_has_at_most_400_kb(table: Table) -> None:
    """Its names count, too. Neither PutItem nor UpdateItem makes a larger one.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
    """
    rest = sum(len(name) + len(one["S"]) for name, one in item("a").items()) + len("document")
    largest = "a" * (limits.TABLE_ITEM - rest)
    table.put(item("a", document=largest))

    assert code_of(table.put, item=item("a", document=largest + "a")) == INVALID
    assert code_of(table.update, key=key("a"), expression="SET document = :a", **values(a=largest + "a")) == INVALID
    assert table.get(key("a")) == item("a", document=largest)


def test_an_empty_set_is_rejected(table: Table) -> None:
    """Texts may be empty, sets may not.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    """
    table.put(item("a", owner=""))

    assert code_of(table.put, item={**item("a"), "fixes": {"SS": []}}) == INVALID


@pytest.mark.differs(moto="accepts numbers of any length")
def test_a_number_has_at_most_38_digits(table: Table) -> None:
    """More are rejected instead of rounded.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    """
    table.put(item("a") | {"revision": {"N": "9" * 38}})

    assert code_of(table.put, item=item("a") | {"revision": {"N": "9" * 39}}) == INVALID


def test_each_placeholder_must_be_defined_and_used(table: Table) -> None:
    """Both mistakes are rejected, for names and for values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeValues.html
    """
    undefined = {"expression": "SET a = :a, b = :b", **values(a=1)}
    unused = {"expression": "SET a = :a", **values(a=1, b=1)}
    unused_name = {"expression": "SET a = :a", "ExpressionAttributeNames": {"#b": "b"}, **values(a=1)}

    assert [code_of(table.update, key=key("a"), **one) for one in (undefined, unused, unused_name)] == [INVALID] * 3


@pytest.mark.parametrize("name", ["status", "Owner"])
def test_a_reserved_word_must_not_be_a_name_in_an_expression(table: Table, name: str) -> None:
    """A placeholder can stand for it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
    """
    names = {"#name": name}

    assert code_of(table.update, key=key("a"), expression=f"SET {name} = :a", **values(a="x")) == INVALID
    assert code_of(table.put, item=item("a"), condition=f"attribute_not_exists({name})") == INVALID
    assert table.update(key("a"), "SET #name = :a", ExpressionAttributeNames=names, **values(a="x")) == item(
        "a", **{name: "x"}
    )


def test_a_table_that_does_not_exist_is_an_error(table: Table) -> None:
    """Reading and writing it have the same one.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    missing = Table(table.aws, unique("missing"), "")

    with pytest.raises(table.dynamodb.exceptions.ResourceNotFoundException):
        missing.get(key("a"))
    assert code_of(missing.put, item=item("a")) == "ResourceNotFoundException"
    assert code_of(missing.query, condition="pk = :a", **values(a="a")) == "ResourceNotFoundException"
