"""The cursor of the sweep: what is stored is read again, and only one of two runs moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.errors import ConflictError
from permission_guard.sweep.sweep import Cursor, Step
from tests.fakes import FUNCTION_ARN
from tests.stack_tables import TABLE, TABLE_NAME

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def dynamodb(moto_account: None) -> DynamoDBClient:
    """Return a client of an account with an empty findings table."""
    client = boto3.client("dynamodb")
    client.create_table(**TABLE)
    return client


@pytest.fixture
def cursor(dynamodb: DynamoDBClient) -> SweepCursor:
    """Return the cursor of an empty table."""
    return SweepCursor(dynamodb, TABLE_NAME)


def test_before_the_first_sweep_none_is_in_progress(cursor: SweepCursor) -> None:
    """The table has no cursor."""
    assert cursor.read() == Cursor()


@pytest.mark.parametrize("after", ["", FUNCTION_ARN])
@pytest.mark.parametrize("step", Step)
def test_what_is_stored_is_read(cursor: SweepCursor, step: Step, after: str) -> None:
    """A new execution environment continues there."""
    moved = cursor.move(cursor.read(), step, after)
    assert moved == cursor.read() == Cursor(1, step, after)


def test_a_complete_sweep_leaves_no_step(cursor: SweepCursor) -> None:
    """The revision still counts on, so that a late run of that sweep cannot move the next one's cursor."""
    late = cursor.move(cursor.read(), Step.HAND_OVER_FINDINGS, FUNCTION_ARN)
    cursor.move(late, None)
    assert cursor.read() == Cursor(2)
    cursor.move(cursor.read(), Step.REQUEST_CHECKS)
    with pytest.raises(ConflictError):
        cursor.move(late, Step.HAND_OVER_FINDINGS, FUNCTION_ARN)
    assert cursor.read() == Cursor(3, Step.REQUEST_CHECKS)


def test_only_one_of_two_runs_moves_the_cursor(cursor: SweepCursor) -> None:
    """The other one stops."""
    before = cursor.read()
    cursor.move(before, Step.REQUEST_CHECKS)
    with pytest.raises(ConflictError, match="another run"):
        cursor.move(before, Step.REQUEST_CHECKS)
    assert cursor.read().revision == 1


@pytest.mark.parametrize(
    "position",
    [
        {"step": {"S": "read roles in bulk"}, "after": {"S": FUNCTION_ARN}},
        {"step": {"N": "1"}, "after": {"S": FUNCTION_ARN}},
        {"step": {"S": str(Step.REQUEST_CHECKS)}},
        {"step": {"S": str(Step.REQUEST_CHECKS)}, "after": {"N": "1"}},
    ],
)
def test_a_position_of_another_version_is_that_of_no_sweep(
    cursor: SweepCursor, dynamodb: DynamoDBClient, position: dict[str, Any]
) -> None:
    """The next sweep starts with the first function, and replaces it."""
    key = {"pk": {"S": "SWEEP"}, "sk": {"S": "CURSOR"}}
    dynamodb.put_item(TableName=TABLE_NAME, Item={**key, "revision": {"N": "7"}, **position})
    assert cursor.read() == Cursor(7)
    assert cursor.move(cursor.read(), Step.REQUEST_CHECKS) == Cursor(8, Step.REQUEST_CHECKS)


@pytest.mark.parametrize(
    "revision",
    [{"S": "7"}, {"NULL": True}, {"L": []}, {"SS": ["7"]}, {"N": "0.5"}, {"N": "-1"}, {"N": "1E+30"}, {"N": "1E-30"}],
    ids=str,
)
def test_an_item_whose_revision_cannot_be_read_is_replaced(
    cursor: SweepCursor, dynamodb: DynamoDBClient, revision: dict[str, Any]
) -> None:
    """Otherwise no sweep would ever run again. A run that read it before the next move is late."""
    key = {"pk": {"S": "SWEEP"}, "sk": {"S": "CURSOR"}}
    dynamodb.put_item(TableName=TABLE_NAME, Item={**key, "revision": revision})
    assert cursor.read().step is None
    moved = cursor.move(cursor.read(), Step.REQUEST_CHECKS)
    assert moved == cursor.read() == Cursor(0, Step.REQUEST_CHECKS)
    cursor.move(moved, Step.REQUEST_CHECKS, FUNCTION_ARN)
    with pytest.raises(ConflictError):
        cursor.move(moved, Step.REQUEST_CHECKS)


def test_an_item_without_a_revision_is_replaced(cursor: SweepCursor, dynamodb: DynamoDBClient) -> None:
    """Otherwise no sweep would ever run again."""
    dynamodb.put_item(TableName=TABLE_NAME, Item={"pk": {"S": "SWEEP"}, "sk": {"S": "CURSOR"}})
    assert cursor.read() == Cursor()
    assert cursor.move(cursor.read(), Step.REQUEST_CHECKS) == cursor.read() == Cursor(1, Step.REQUEST_CHECKS)
