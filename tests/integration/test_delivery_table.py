"""The delivery ledger in DynamoDB, with moto: one delivery at a time, with increasing revisions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.stub import Stubber
from moto import mock_aws

from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.delivery.ledger import KEEP_RESOLVED, LOCK_FOR, Claim, DeliveryOutcome, Skip, deliver
from permission_guard.errors import ConflictError, DeliveryBusyError
from permission_guard.model.findings import Finding, Status
from tests.moto_tables import lose_replies
from tests.paths import FINDINGS
from tests.stack_tables import DELIVERIES_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = DELIVERIES_TABLE["TableName"]
NOW = datetime(2026, 11, 20, 10, 15, 30, 250_000, tzinfo=UTC)
ATTEMPTS = 2
OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    """Return a client of moto's DynamoDB with the table."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        retries = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
        client = boto3.client("dynamodb", region_name="us-east-1", config=retries)
        client.create_table(**DELIVERIES_TABLE)
        yield client


@pytest.fixture
def ledger(dynamodb: DynamoDBClient) -> DeliveryTable:
    """Return the ledger under test."""
    return DeliveryTable(dynamodb, TABLE)


def take(ledger: DeliveryTable, revision: int = 1, now: datetime = NOW, channel: str = "slack") -> Claim:
    """Claim a delivery successfully."""
    claim = ledger.claim("f1", channel, revision, now)
    assert isinstance(claim, Claim)
    return claim


def record(dynamodb: DynamoDBClient, channel: str = "slack") -> dict[str, Any]:
    """Return the stored item."""
    key = {"finding_id": {"S": "f1"}, "channel": {"S": channel}}
    return dict(dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item", {}))


def test_a_completed_delivery_records_its_revision_and_reference_and_releases_the_lock(
    ledger: DeliveryTable, dynamodb: DynamoDBClient
) -> None:
    """The record has the delivery and no lock."""
    ledger.complete(take(ledger), "oi-1", None)
    assert record(dynamodb) == {
        "finding_id": {"S": "f1"},
        "channel": {"S": "slack"},
        "revision": {"N": "1"},
        "reference": {"S": "oi-1"},
        "schema": {"N": "1"},
    }


def test_of_two_claims_at_the_same_time_one_succeeds(ledger: DeliveryTable) -> None:
    """The other one raises DeliveryBusyError."""
    take(ledger)
    with pytest.raises(DeliveryBusyError):
        ledger.claim("f1", "slack", 1, NOW)


def test_each_step_is_a_single_conditional_write(ledger: DeliveryTable, dynamodb: DynamoDBClient) -> None:
    """DynamoDB checks and writes in one step: two invocations cannot both get the lock or lose a write."""
    requests: list[tuple[str, str]] = []

    def remember(params: dict[str, Any], model: Any, **_context: object) -> None:
        requests.append((model.name, params["ConditionExpression"]))

    dynamodb.meta.events.register("provide-client-params.dynamodb", remember)
    ledger.release(take(ledger))
    ledger.complete(take(ledger), None, None)
    claim = "(attribute_not_exists(locked_until) OR locked_until <= :now OR locked_by = :token) AND "
    claim += "(attribute_not_exists(revision) OR revision < :revision)"
    assert requests == [("UpdateItem", condition) for condition in (claim, "locked_by = :token") * 2]


def test_a_newer_revision_waits_for_the_running_delivery(ledger: DeliveryTable) -> None:
    """Otherwise the older revision could arrive last."""
    take(ledger, revision=1)
    with pytest.raises(DeliveryBusyError):
        ledger.claim("f1", "slack", 2, NOW)


def test_the_lock_of_a_crashed_invocation_expires(ledger: DeliveryTable) -> None:
    """The message may be sent twice, but it is not lost."""
    take(ledger)
    with pytest.raises(DeliveryBusyError):
        ledger.claim("f1", "slack", 1, NOW + LOCK_FOR - timedelta(milliseconds=1))
    assert take(ledger, now=NOW + LOCK_FOR).token


def test_a_released_claim_can_be_taken_immediately(ledger: DeliveryTable) -> None:
    """A failed delivery does not delay its own retry."""
    ledger.release(take(ledger))
    assert take(ledger)


def test_a_revision_that_was_delivered_or_superseded_is_skipped(ledger: DeliveryTable) -> None:
    """The result says which, with the reference of the last delivery."""
    ledger.complete(take(ledger, revision=3), "oi-1", None)
    assert ledger.claim("f1", "slack", 3, NOW) == Skip(
        outcome=DeliveryOutcome.ALREADY_DELIVERED, revision=3, reference="oi-1"
    )
    assert ledger.claim("f1", "slack", 2, NOW) == Skip(outcome=DeliveryOutcome.SUPERSEDED, revision=3, reference="oi-1")


def test_a_claim_has_the_revision_and_the_reference_of_the_last_delivery(ledger: DeliveryTable) -> None:
    """A delivery without a reference keeps the last one."""
    ledger.complete(take(ledger, revision=1), "oi-1", None)
    second = take(ledger, revision=2)
    assert (second.delivered, second.reference) == (1, "oi-1")
    ledger.complete(second, None, None)
    assert take(ledger, revision=3).reference == "oi-1"


def test_channels_and_findings_do_not_lock_each_other(ledger: DeliveryTable) -> None:
    """A slow Slack does not delay SNS."""
    take(ledger, channel="slack")
    assert take(ledger, channel="sns")
    assert isinstance(ledger.claim("f2", "slack", 1, NOW), Claim)


def test_a_claim_that_lost_the_lock_neither_records_nor_releases(
    ledger: DeliveryTable, dynamodb: DynamoDBClient
) -> None:
    """The newer claim keeps its lock, and the slow one raises ConflictError."""
    slow = take(ledger, revision=1)
    quick = take(ledger, revision=2, now=NOW + LOCK_FOR)
    ledger.release(slow)
    with pytest.raises(ConflictError, match="took longer than its lock"):
        ledger.complete(slow, "oi-slow", None)
    assert record(dynamodb)["locked_by"] == {"S": quick.token}
    ledger.complete(quick, "oi-quick", None)
    assert record(dynamodb)["reference"] == {"S": "oi-quick"}


def test_the_record_of_a_resolved_finding_expires_unless_the_finding_reopens(
    ledger: DeliveryTable, dynamodb: DynamoDBClient
) -> None:
    """The table's TTL deletes only records that are no longer needed."""
    resolved = replace(OPENED, id="f1", revision=2, status=Status.RESOLVED)
    deliver(ledger, "slack", resolved, lambda _finding, _reference: None, current=lambda: resolved, clock=lambda: NOW)
    assert record(dynamodb)["expires_at"] == {"N": str(int((NOW + KEEP_RESOLVED).timestamp()))}
    claim = take(ledger, revision=3)
    assert "expires_at" not in record(dynamodb)
    ledger.complete(claim, None, None)
    assert "expires_at" not in record(dynamodb)


def test_any_other_error_of_dynamodb_is_raised_so_that_the_message_is_retried(ledger: DeliveryTable) -> None:
    """After throttling, a missing table or a missing permission, the message is neither dropped nor sent."""
    claim = take(ledger)
    missing = DeliveryTable(boto3.client("dynamodb", region_name="us-east-1"), "no-such-table")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        missing.claim("f1", "slack", 1, NOW)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        missing.complete(claim, None, None)


def test_a_failed_condition_without_the_item_is_a_conflict_and_not_a_delivery() -> None:
    """AWS returns the item along with the failed condition; without it the last delivery is unknown."""
    client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        stubber.add_client_error("update_item", "ConditionalCheckFailedException")
        with pytest.raises(ConflictError, match="changed meanwhile"):
            DeliveryTable(client, TABLE).claim("f1", "slack", 1, NOW)


# ── Lost replies ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_whose_reply_was_lost_does_not_find_its_own_lock(
    ledger: DeliveryTable, dynamodb: DynamoDBClient
) -> None:
    """The SDK sends the request again, with the same token. Another claim is still refused."""
    sent = lose_replies(dynamodb, "UpdateItem", 1)
    claim = take(ledger)
    assert len(sent) == 2
    assert record(dynamodb)["locked_by"] == {"S": claim.token}
    with pytest.raises(DeliveryBusyError):
        ledger.claim("f1", "slack", 2, NOW)
    ledger.complete(claim, "oi-1", None)
    assert record(dynamodb)["reference"] == {"S": "oi-1"}


def test_a_claim_without_any_reply_leaves_no_lock(ledger: DeliveryTable, dynamodb: DynamoDBClient) -> None:
    """The message is delivered again, and so may be a newer revision: neither waits for the lock to expire."""
    lose_replies(dynamodb, "UpdateItem", ATTEMPTS)
    with pytest.raises(ConnectionClosedError):
        ledger.claim("f1", "slack", 1, NOW)
    assert "locked_by" not in record(dynamodb)
    assert take(ledger)


def test_a_lock_expires_if_its_release_gets_no_reply_either(ledger: DeliveryTable, dynamodb: DynamoDBClient) -> None:
    """The error is that of the claim. The lock expires before SQS delivers the message again."""

    def close(request: Any, **_more: Any) -> None:
        raise ConnectionClosedError(endpoint_url=request.url)

    dynamodb.meta.events.register_first("before-send.dynamodb.UpdateItem", close)
    with pytest.raises(ConnectionClosedError):
        ledger.claim("f1", "slack", 1, NOW)


def test_a_claim_does_not_release_the_lock_of_another(ledger: DeliveryTable, dynamodb: DynamoDBClient) -> None:
    """A message that SQS delivers twice at the same time: only one delivery runs."""
    claim = take(ledger)
    lose_replies(dynamodb, "UpdateItem", ATTEMPTS)
    with pytest.raises(ConnectionClosedError):
        ledger.claim("f1", "slack", 1, NOW)
    assert record(dynamodb)["locked_by"] == {"S": claim.token}


def test_a_delivery_whose_record_lost_its_reply_is_not_sent_again(
    ledger: DeliveryTable, dynamodb: DynamoDBClient
) -> None:
    """The second try of the SDK no longer has the lock, so the message is processed again, and skipped."""
    sent: list[int] = []

    def send(finding: Finding, _reference: str | None) -> str:
        if not sent:
            lose_replies(dynamodb, "UpdateItem", 1)
        sent.append(finding.revision)
        return "oi-1"

    finding = replace(OPENED, id="f1")
    with pytest.raises(ConflictError):
        deliver(ledger, "slack", finding, send, current=lambda: finding, clock=lambda: NOW)
    again = deliver(ledger, "slack", finding, send, current=lambda: finding, clock=lambda: NOW)
    assert (again.outcome, again.reference) == (DeliveryOutcome.ALREADY_DELIVERED, "oi-1")
    assert sent == [1]


def test_a_release_whose_reply_was_lost_is_no_error(ledger: DeliveryTable, dynamodb: DynamoDBClient) -> None:
    """The second try finds no lock."""
    claim = take(ledger)
    lose_replies(dynamodb, "UpdateItem", 1)
    ledger.release(claim)
    assert take(ledger)


def test_what_is_withheld_can_be_delivered_later_but_nothing_older(ledger: DeliveryTable) -> None:
    """The record has the revision before, in the table too."""
    newer = replace(OPENED, revision=3)
    withheld = deliver(
        ledger, "sns", newer, lambda *_: None, current=lambda: newer, is_withheld=lambda *_: True, clock=lambda: NOW
    )
    assert withheld.outcome is DeliveryOutcome.BELOW_THRESHOLD
    sent: list[int] = []
    for revision in (1, 2, 3):
        finding = replace(OPENED, revision=revision)
        deliver(
            ledger, "sns", finding, lambda one, _: sent.append(one.revision), current=lambda: newer, clock=lambda: NOW
        )
    assert sent == [3]
