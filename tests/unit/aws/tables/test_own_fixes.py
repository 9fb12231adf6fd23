"""What the fixer records of a narrowing is read as written, and the bot itself undoes one fix of a finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from permission_guard.aws.tables.own_fixes import OwnFixTable
from permission_guard.errors import ConflictError
from permission_guard.fixes.own_undo import OwnFix
from tests.fakes import FINDING_ID, NOW
from tests.in_memory.aws import InMemoryAws
from tests.stack_tables import DECISIONS_TABLE

FIX = OwnFix(finding_id=FINDING_ID, plan_hash="a" * 64, applied_at=NOW)
UNDONE = replace(FIX, undone_for=7)
KEY = {"finding_id": {"S": f"WATCH#{FINDING_ID}"}, "revision": {"N": "0"}}


@pytest.fixture(params=["in memory", "moto"])
def dynamodb(request: pytest.FixtureRequest) -> Any:
    """Return a client with the table, of both stand-ins."""
    if request.param == "moto":
        request.getfixturevalue("moto_account")
        client: Any = boto3.client("dynamodb")
    else:
        client = InMemoryAws().client("dynamodb")
    client.create_table(**DECISIONS_TABLE)
    return client


@pytest.fixture
def table(dynamodb: Any) -> OwnFixTable:
    """Return the table."""
    return OwnFixTable(dynamodb, "decisions")


def stored(dynamodb: Any) -> Any:
    """Return the item as it is stored."""
    return dynamodb.get_item(TableName="decisions", Key=KEY)["Item"]


def test_what_is_written_is_read(table: OwnFixTable, dynamodb: Any) -> None:
    """It expires with the decisions; that the bot itself undid a fix never does."""
    assert table.own_fix(FINDING_ID) is None
    table.put_own_fix(FIX)
    assert (table.own_fix(FINDING_ID), "expires_at" in stored(dynamodb)) == (FIX, True)
    table.put_own_fix(UNDONE)
    assert (table.own_fix(FINDING_ID), "expires_at" in stored(dynamodb)) == (UNDONE, False)
    assert stored(dynamodb)["schema"] == {"N": "1"}


def test_a_later_fix_replaces_an_earlier_one_until_one_was_undone(table: OwnFixTable) -> None:
    """After that nothing is recorded any more."""
    later = replace(FIX, plan_hash="b" * 64)
    table.put_own_fix(FIX)
    table.put_own_fix(later)
    assert table.own_fix(FINDING_ID) == later
    table.put_own_fix(replace(later, undone_for=7))
    for other in (FIX, later, replace(later, undone_for=9)):
        with pytest.raises(ConflictError):
            table.put_own_fix(other)


def test_only_the_recorded_fix_is_undone(table: OwnFixTable) -> None:
    """Another invocation may have applied another one meanwhile."""
    with pytest.raises(ConflictError):
        table.put_own_fix(UNDONE)
    table.put_own_fix(replace(FIX, plan_hash="b" * 64))
    with pytest.raises(ConflictError):
        table.put_own_fix(UNDONE)


def test_an_undone_fix_that_another_one_follows_has_no_plan_any_more(table: OwnFixTable) -> None:
    """That the bot itself has undone one of the finding stays recorded, for ever."""
    used_up = replace(UNDONE, plan_hash="")
    with pytest.raises(ConflictError):
        table.put_own_fix(used_up)
    table.put_own_fix(FIX)
    table.put_own_fix(UNDONE)
    with pytest.raises(ConflictError):
        table.put_own_fix(replace(used_up, undone_for=9))
    table.put_own_fix(used_up)
    assert table.own_fix(FINDING_ID) == used_up
    for other in (FIX, UNDONE):
        with pytest.raises(ConflictError):
            table.put_own_fix(other)


def test_a_write_whose_reply_was_lost_is_no_conflict(table: OwnFixTable) -> None:
    """It is recorded already."""
    table.put_own_fix(FIX)
    table.put_own_fix(UNDONE)
    table.put_own_fix(UNDONE)
    assert table.own_fix(FINDING_ID) == UNDONE


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"plan_hash": {"S": "a"}, "applied_at": {"S": "yesterday"}},
        {"plan_hash": {"S": "a"}, "applied_at": {"S": "2026-11-20T09:30:00"}},
        {"plan_hash": {"S": "a"}, "applied_at": {"S": NOW}, "undone_for": {"S": "never"}},
    ],
)
def test_a_damaged_item_is_not_believed(table: OwnFixTable, dynamodb: Any, item: Any) -> None:
    """Only the fixer writes it, so people must learn of it."""
    dynamodb.put_item(TableName="decisions", Item={**KEY, **item})
    with pytest.raises(ValueError, match=f"WATCH#{FINDING_ID} is invalid"):
        table.own_fix(FINDING_ID)
