"""Mutated items of the deliveries table, to everything that reads them."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.quotas import QuotaTable
from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.config.document import AlertLimit
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.formats.plain import text
from permission_guard.delivery.ledger import Claim, Skip
from permission_guard.delivery.waiting import waiting_finding
from permission_guard.delivery.waiting_digests import waiting_digest
from permission_guard.errors import UNREADABLE, ConflictError, DeliveryBusyError
from tests.fakes import ACCOUNT, NOW, REGION
from tests.fuzz.aws import DELIVERIES, ORDERS, FakeAws
from tests.fuzz.material import finding_of
from tests.fuzz.test_items import AT, mutated

if TYPE_CHECKING:
    from tests.in_memory.dynamodb import Item


def test_a_damaged_delivery_record_is_read_or_rejected() -> None:
    """A claim succeeds, or is skipped, or fails for this one finding: nothing else is raised."""
    aws = FakeAws()
    ledger = DeliveryTable(aws.client("dynamodb"), DELIVERIES)
    sample: Item = {
        "finding_id": {"S": "cee529e84633a62d46d03b2a1ea636a0"},
        "channel": {"S": "sns"},
        "revision": {"N": "2"},
        "reference": {"S": "oi-000000000001"},
        "locked_until": {"N": "1795169400000"},
        "locked_by": {"S": "5d3c1a522b3f4d4e9c5b0a1b2c3d4e5f"},
        "expires_at": {"N": "1795169400"},
    }
    outcomes: dict[type, int] = {Claim: 0, Skip: 0}
    for seed, item in mutated([sample], ("finding_id", "channel")):
        aws.start()
        aws.tables.put(DELIVERIES, item)
        try:
            outcomes[type(ledger.claim(item["finding_id"]["S"], "sns", Random(seed).choice((2, 3)), AT))] += 1
        except (ConflictError, DeliveryBusyError, *UNREADABLE) as error:
            outcomes[type(error)] = outcomes.get(type(error), 0) + 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item}") from error
    assert all(outcomes[one] for one in (Claim, Skip))


def test_a_damaged_quota_lets_no_more_through_than_the_limit() -> None:
    """It is read, or counts as used up for a window; it is never in the way for longer."""
    aws = FakeAws()
    table, limit = QuotaTable(aws.client("dynamodb"), DELIVERIES), AlertLimit(messages=3, minutes=10)
    at = int(AT.timestamp() * 1_000)
    sample: Item = {
        "finding_id": {"S": "QUOTA"},
        "channel": {"S": "sns"},
        "times": {"S": f"{at - 900_000} {at - 500_000} {at - 1_000}"},
        "expires_at": {"N": "1795169400"},
    }
    taken = {True: 0, False: 0}
    for seed, item in mutated([sample], ("finding_id", "channel")):
        aws.start()
        aws.tables.put(DELIVERIES, item)
        try:
            taken[table.take("sns", limit, AT, spare=0)] += 1
            later = AT + timedelta(minutes=20)
            assert [table.take("sns", limit, later, spare=0) for _ in range(4)] == [True, True, True, False]
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item}") from error
    assert all(taken.values())


def test_a_damaged_waiting_item_is_reported_and_removed() -> None:
    """By its id if by nothing else; the others are in the digest, too."""
    aws = FakeAws()
    dynamodb = aws.client("dynamodb")
    table = WaitingForDigestsTable(dynamodb, DELIVERIES, wait=lambda _seconds: None)
    good, bad = (waiting_finding(finding_of(ORDERS, number), None) for number in (1, 2))
    sample: Item = {
        "finding_id": {"S": "WAITING#sns"},
        "channel": {"S": bad.id},
        "document": {"S": json.dumps(bad.to_document())},
        "expires_at": {"N": "1795169400"},
    }
    read = {True: 0, False: 0}
    for seed, item in mutated([sample], ("finding_id", "channel")):
        aws.start()
        aws.tables.put(
            DELIVERIES, {**sample, "channel": {"S": good.id}, "document": {"S": json.dumps(good.to_document())}}
        )
        aws.tables.put(DELIVERIES, item)
        claim = DeliveryTable(dynamodb, DELIVERIES).claim("WAITING", "sns", 1, AT)
        assert isinstance(claim, Claim)
        try:
            items = table.items("sns")
            made = waiting_digest(items, "sns", AlertLimit(), account=ACCOUNT, region=REGION, now=NOW, command="list")
            shown = text(compose_digest(made.digest))
            assert good.id in shown
            assert bad.id in shown
            table.sent(claim, made.items)
            assert table.items("sns") == []
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
        read[next(one for one in items if one.id == bad.id).finding is not None] += 1
    assert all(read.values())
