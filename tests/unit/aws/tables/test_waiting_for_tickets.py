"""The findings that wait for a ticket, in DynamoDB, with moto."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from permission_guard.aws.tables.waiting_for_tickets import KEEP_ENDED, WaitingForTicketsTable
from permission_guard.config.document import TicketLimit
from permission_guard.delivery.tickets import summary
from permission_guard.delivery.tickets.summary import WaitingEnd, WaitingForTicket
from permission_guard.model.verdicts import Severity
from tests.stack_tables import DELIVERIES_TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = DELIVERIES_TABLE["TableName"]
CHANNEL = "ticket:opsitem"
NOW = datetime(2026, 11, 20, 23, 15, 30, 250_000, tzinfo=UTC)
LIMIT = TicketLimit(tickets=2, hours=24)


def waiting(number: int) -> WaitingForTicket:
    """Return a finding that waits."""
    return WaitingForTicket(
        finding_id=f"{number:032x}",
        rule_id="PG201",
        severity=Severity.HIGH,
        account="123456789012",
        region="us-east-1",
        target_arn="arn:aws:lambda:us-east-1:123456789012:function:orders",
        title="orders cannot read its SQS queue",
        changed_at="2026-11-20T23:15:30.250+00:00",
    )


@pytest.fixture
def dynamodb(moto_account: None) -> DynamoDBClient:
    """Return a client of an account with the table."""
    client = boto3.client("dynamodb")
    client.create_table(**DELIVERIES_TABLE)
    return client


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> WaitingForTicketsTable:
    """Return the store under test."""
    return WaitingForTicketsTable(dynamodb, TABLE)


def test_a_limit_counts_each_finding_once_in_a_period(table: WaitingForTicketsTable) -> None:
    """A retry takes no room. Each system and each day has its own count."""
    taken = [table.take(CHANNEL, one, LIMIT, NOW) for one in ("a", "a", "b", "c", "a", "b")]
    assert taken == [True, True, True, False, True, True]
    assert table.take("ticket:shop", "c", LIMIT, NOW)
    assert not table.take(CHANNEL, "c", LIMIT, NOW + timedelta(minutes=44))
    assert table.take(CHANNEL, "c", LIMIT, NOW + timedelta(minutes=45))


def test_another_limit_has_another_count(table: WaitingForTicketsTable) -> None:
    """A new configuration takes effect at once."""
    for one in ("a", "b"):
        table.take(CHANNEL, one, LIMIT, NOW)
    assert table.take(CHANNEL, "c", replace(LIMIT, tickets=3), NOW)
    assert table.take(CHANNEL, "d", replace(LIMIT, hours=1), NOW)


def test_a_count_expires(table: WaitingForTicketsTable, dynamodb: DynamoDBClient) -> None:
    """A day after its period."""
    table.take(CHANNEL, "a", LIMIT, NOW)
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    assert item["expires_at"] == {"N": str(int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()))}
    assert item["channel"] == {"S": "24h/2026-11-20T00:00+00:00"}


def test_a_finding_waits_until_it_ends(table: WaitingForTicketsTable) -> None:
    """What it was and since when stays; it ends once."""
    assert not table.end(CHANNEL, waiting(1).finding_id, WaitingEnd.TICKET, NOW)
    table.begin(CHANNEL, waiting(1))
    table.begin(CHANNEL, replace(waiting(1), changed_at="2026-11-21T00:00:00.000+00:00"))
    assert table.findings(CHANNEL, NOW) == [waiting(1)]
    assert table.findings("ticket:shop", NOW) == []
    assert table.end(CHANNEL, waiting(1).finding_id, WaitingEnd.TICKET, NOW + timedelta(hours=1))
    assert not table.end(CHANNEL, waiting(1).finding_id, WaitingEnd.RESOLVED, NOW)
    ended = replace(waiting(1), end=WaitingEnd.TICKET, changed_at="2026-11-21T00:15:30.250+00:00")
    assert table.findings(CHANNEL, NOW) == [ended]


def test_a_finding_can_wait_again(table: WaitingForTicketsTable, dynamodb: DynamoDBClient) -> None:
    """It does not expire then."""
    table.begin(CHANNEL, waiting(1))
    table.end(CHANNEL, waiting(1).finding_id, WaitingEnd.RESOLVED, NOW)
    again = replace(waiting(1), changed_at="2026-11-23T00:00:00.000+00:00")
    table.begin(CHANNEL, again)
    assert table.findings(CHANNEL, NOW) == [again]
    assert "expires_at" not in dynamodb.scan(TableName=TABLE)["Items"][0]


def test_what_ended_is_shown_for_a_week(table: WaitingForTicketsTable) -> None:
    """DynamoDB deletes expired items days later."""
    table.begin(CHANNEL, waiting(1))
    table.end(CHANNEL, waiting(1).finding_id, WaitingEnd.RESOLVED, NOW)
    assert len(table.findings(CHANNEL, NOW + KEEP_ENDED - timedelta(seconds=1))) == 1
    assert table.findings(CHANNEL, NOW + KEEP_ENDED) == []


@pytest.mark.parametrize(
    "document", ["{", "[]", "{}", '{"finding_id": 1}', '{"severity": "worst"}', "[" * 100_000, None, "no time"]
)
def test_a_damaged_item_keeps_the_others(
    table: WaitingForTicketsTable, dynamodb: DynamoDBClient, document: str | None
) -> None:
    """The summary shows what can be read."""
    table.begin(CHANNEL, waiting(1))
    if document == "no time":
        table.begin(CHANNEL, replace(waiting(2), changed_at="2026-11-20T23:15:30"))
    else:
        key = {"finding_id": {"S": f"waiting/{CHANNEL}"}, "channel": {"S": "x"}}
        value = {"document": {"S": document}} if document is not None else {}
        dynamodb.put_item(TableName=TABLE, Item={**key, **value})
    assert table.findings(CHANNEL, NOW) == [waiting(1)]


def test_the_list_is_bounded(table: WaitingForTicketsTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than is shown, so that the summary can say so."""
    monkeypatch.setattr("permission_guard.aws.tables.waiting_for_tickets.MOST_SHOWN", 3)
    for number in range(6):
        table.begin(CHANNEL, waiting(number))
    assert len(table.findings(CHANNEL, NOW)) == 4
    for number in range(5):
        table.end(CHANNEL, waiting(number).finding_id, WaitingEnd.TICKET, NOW)
    assert [one.end for one in table.findings(CHANNEL, NOW)] == [WaitingEnd.TICKET] * 5 + [None]
    assert summary.MOST_SHOWN == 1_000
