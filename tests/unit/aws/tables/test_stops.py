"""The items that stop fixing: what is written is read, writes are conditional, and damaged items are not believed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.tables.stops import BREAKER, SWITCH, StopTable
from permission_guard.errors import UNREADABLE, ConflictError
from permission_guard.fixes.stop import Breaker, FailedFix, Switch, SwitchState, why_stopped
from tests.fakes import NOW
from tests.in_memory.aws import InMemoryAws
from tests.stack_tables import DECISIONS_TABLE
from tests.unit.aws.conftest import Answers

if TYPE_CHECKING:
    from collections.abc import Callable

STOPPED = Switch(
    state=SwitchState.STOPPED,
    reason="Orders is down",
    by="arn:aws:sts::123456789012:assumed-role/platform/jane",
    at=NOW,
    nonce="1" * 32,
)
RESUMED = replace(STOPPED, state=SwitchState.RESUMED, nonce="2" * 32, opening="2026-11-20T09:30:00.000+00:00 a#1")
FAILED = tuple(FailedFix(NOW, f"{finding}#1") for finding in "abc")


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
def table(dynamodb: Any) -> StopTable:
    """Return the table."""
    return StopTable(dynamodb, "decisions")


def item(dynamodb: Any, name: str) -> Any:
    """Return an item as it is stored."""
    key = {"finding_id": {"S": name}, "revision": {"N": "0"}}
    return dynamodb.get_item(TableName="decisions", Key=key).get("Item")


def test_an_empty_table_stops_nothing(table: StopTable) -> None:
    """As after the deployment."""
    assert (table.switch(), table.breaker(), table.request("1" * 32)) == (None, Breaker(), None)
    assert why_stopped(table) == ""


def test_what_is_written_is_read(table: StopTable, dynamodb: Any) -> None:
    """The switch and the breaker stay; a request expires after 90 days. Each item has a schema version."""
    table.record(STOPPED, is_set=True, replaced="")
    table.record(RESUMED, is_set=True, replaced=STOPPED.nonce)
    assert (table.switch(), table.request(STOPPED.nonce), table.request(RESUMED.nonce)) == (RESUMED, STOPPED, RESUMED)
    first, second = Breaker(FAILED[:2], (), 1), Breaker((), FAILED, 2)
    for breaker in (first, second):
        table.put_breaker(breaker)
        assert table.breaker() == breaker
    entry = item(dynamodb, f"REQUEST#{STOPPED.nonce}")
    assert entry["expires_at"] == {"N": "1802943000"}
    for name in (SWITCH, BREAKER):
        assert "expires_at" not in item(dynamodb, name)
    for stored in (entry, item(dynamodb, SWITCH), item(dynamodb, BREAKER)):
        assert stored["schema"] == {"N": "1"}


def test_a_request_that_does_not_set_the_switch_is_recorded_alone(table: StopTable) -> None:
    """So that it is recognized when it comes again."""
    table.record(STOPPED, is_set=False, replaced="")
    assert (table.switch(), table.request(STOPPED.nonce)) == (None, STOPPED)


@pytest.mark.parametrize("replaced", ["", "9" * 32])
def test_a_switch_that_was_set_meanwhile_is_not_overwritten(table: StopTable, replaced: str) -> None:
    """Neither the request nor the switch is written."""
    table.record(STOPPED, is_set=True, replaced="")
    with pytest.raises(ConflictError):
        table.record(RESUMED, is_set=True, replaced=replaced)
    assert (table.switch(), table.request(RESUMED.nonce)) == (STOPPED, None)


def test_a_request_is_recorded_once(table: StopTable) -> None:
    """The switch stays as it is."""
    table.record(STOPPED, is_set=True, replaced="")
    table.record(RESUMED, is_set=True, replaced=STOPPED.nonce)
    with pytest.raises(ConflictError):
        table.record(STOPPED, is_set=True, replaced=RESUMED.nonce)
    assert table.switch() == RESUMED


def test_a_damaged_switch_can_be_replaced(table: StopTable, dynamodb: Any) -> None:
    """Whatever is there."""
    key = {"finding_id": {"S": SWITCH}, "revision": {"N": "0"}}
    dynamodb.put_item(TableName="decisions", Item={**key, "state": {"N": "7"}})
    table.record(STOPPED, is_set=True, replaced=None)
    assert table.switch() == STOPPED


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_breaker_that_was_written_meanwhile_is_not_overwritten(table: StopTable, number: int) -> None:
    """Only the next number is written."""
    table.put_breaker(Breaker(FAILED[:1], (), 1))
    table.put_breaker(Breaker(FAILED[:2], (), 2))
    with pytest.raises(ConflictError):
        table.put_breaker(Breaker((), FAILED, number))
    assert table.breaker().failed == FAILED[:2]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (SWITCH, {"state": {"S": "paused"}}),
        (SWITCH, {"state": None}),
        (SWITCH, {"reason": {"N": "1"}}),
        (SWITCH, {"set_by": {"S": "jane"}}),
        (SWITCH, {"set_at": {"S": "yesterday"}}),
        (SWITCH, {"set_at": {"S": "2026-11-20T09:30:00"}}),
        (SWITCH, {"opening": None}),
        (BREAKER, {"failed": {"L": [{"S": "yesterday a#1"}]}}),
        (BREAKER, {"failed": {"L": [{"S": "a#1"}]}}),
        (BREAKER, {"opened_by": {"L": [{"N": "1"}]}}),
        (BREAKER, {"opened_by": {"S": "x"}}),
        (BREAKER, {"number": {"S": "x"}}),
        (BREAKER, {"number": None}),
    ],
    ids=str,
)
def test_a_damaged_item_stops_fixing(table: StopTable, dynamodb: Any, name: str, change: dict[str, Any]) -> None:
    """It is not read as if it were absent."""
    table.record(RESUMED, is_set=True, replaced="")
    table.put_breaker(Breaker(FAILED[:1], (), 1))
    assert why_stopped(table) == ""
    stored = {key: value for key, value in {**item(dynamodb, name), **change}.items() if value is not None}
    dynamodb.put_item(TableName="decisions", Item=stored)
    read: Callable[[], Any] = table.switch if name == SWITCH else table.breaker
    with pytest.raises(UNREADABLE):
        read()
    assert why_stopped(table).startswith("fixing is stopped, because what stops it cannot be read: ")


def test_a_transaction_that_is_cancelled_for_another_reason_is_no_conflict() -> None:
    """It is raised, so that the person sends the request again."""
    answers = Answers("dynamodb")
    answers.fail("transact_write_items", "TransactionCanceledException", "ThrottlingError")
    with pytest.raises(ClientError, match="ThrottlingError"):
        StopTable(answers.client, "decisions").record(STOPPED, is_set=True, replaced="")


def test_other_errors_are_raised(dynamodb: Any) -> None:
    """The message is delivered again, and the person sends the request again."""
    table = StopTable(dynamodb, "absent")
    for call in (
        table.switch,
        lambda: table.put_breaker(Breaker((), (), 1)),
        lambda: table.record(STOPPED, is_set=True, replaced=""),
    ):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            call()
