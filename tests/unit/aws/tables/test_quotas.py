"""No window has more messages of a channel than its limit, whoever sends them."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from permission_guard.aws.tables.quotas import SENT_WITHIN
from permission_guard.config.document import AlertLimit
from permission_guard.errors import ConflictError
from tests.unit.delivery.memory_limits import START, TABLE, Deliveries

LIMIT = AlertLimit(messages=3, minutes=10)
WINDOW = timedelta(minutes=LIMIT.minutes)


def item_of(deliveries: Deliveries) -> dict[str, Any]:
    """Return the item of the channel."""
    key = {"finding_id": {"S": "QUOTA"}, "channel": {"S": "sns"}}
    item: dict[str, Any] = deliveries.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    return item


def test_in_a_window_as_many_messages_as_the_limit_are_sent() -> None:
    """The next one is, when the first one is out of the window, and was sent by then."""
    deliveries = Deliveries(LIMIT)
    assert [deliveries.quota.take("sns", LIMIT, START, spare=0) for _ in range(4)] == [True, True, True, False]
    just_before = START + WINDOW + SENT_WITHIN - timedelta(milliseconds=1)
    assert not deliveries.quota.take("sns", LIMIT, just_before, spare=0)
    assert deliveries.quota.take("sns", LIMIT, START + WINDOW + SENT_WITHIN, spare=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_window_slides(seed: int) -> None:
    """Wherever it begins, and although messages are sent up to a minute after they are counted."""
    random = Random(seed)  # noqa: S311 - a seed must give the same times
    deliveries, now, sent = Deliveries(LIMIT), START, []
    for _ in range(300):
        now += timedelta(seconds=random.choice((0, 1, 30, 200, 599)))
        if deliveries.quota.take("sns", LIMIT, now, spare=0):
            sent.append(now + SENT_WITHIN * random.random())
    sent.sort()
    assert len(sent) > 50
    assert all(later - first >= WINDOW for first, later in zip(sent, sent[3:], strict=False))


def test_each_channel_has_its_own_limit() -> None:
    """The names are those in the table."""
    deliveries = Deliveries(LIMIT)
    assert all(deliveries.quota.take("sns", LIMIT, START, spare=0) for _ in range(3))
    assert deliveries.quota.take("slack", LIMIT, START, spare=0)
    assert deliveries.quota.channels() == ["slack", "sns"]


def test_what_is_spare_is_left() -> None:
    """Alerts leave the last message to digests."""
    deliveries = Deliveries(LIMIT)
    assert [deliveries.quota.take("sns", LIMIT, START, spare=1) for _ in range(3)] == [True, True, False]
    assert deliveries.quota.take("sns", LIMIT, START, spare=0)


def test_of_two_invocations_that_read_the_same_only_one_gets_the_last_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one reads again, and finds none."""
    deliveries, read = Deliveries(LIMIT), 0
    for _ in range(2):
        deliveries.quota.take("sns", LIMIT, START, spare=0)
    get_item = deliveries.dynamodb.get_item

    def slow_read(**request: Any) -> Any:
        nonlocal read
        read += 1
        found = get_item(**request)
        if read == 1:
            assert deliveries.quota.take("sns", LIMIT, START, spare=0)
        return found

    monkeypatch.setattr(deliveries.dynamodb, "get_item", slow_read)
    assert not deliveries.quota.take("sns", LIMIT, START, spare=0)
    assert read == 3


def test_whoever_is_always_slower_reports_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is then delivered again."""
    deliveries = Deliveries(AlertLimit(messages=100, minutes=1))
    get_item, is_other = deliveries.dynamodb.get_item, False

    def slow_read(**request: Any) -> Any:
        nonlocal is_other
        found = get_item(**request)
        if not is_other:
            is_other = True
            deliveries.quota.take("sns", deliveries.limit, START, spare=0)
            is_other = False
        return found

    monkeypatch.setattr(deliveries.dynamodb, "get_item", slow_read)
    with pytest.raises(ConflictError, match="quota of sns"):
        deliveries.quota.take("sns", deliveries.limit, START, spare=0)


@pytest.mark.parametrize("damaged", [{"S": "never"}, {"N": "1"}, {"S": ""}])
def test_of_an_item_that_cannot_be_read_nothing_is_sent_for_a_window(damaged: dict[str, str]) -> None:
    """Nobody knows what was sent before. After that, the item is as always."""
    deliveries = Deliveries(LIMIT)
    deliveries.quota.take("sns", LIMIT, START, spare=0)
    deliveries.dynamodb.put_item(TableName=TABLE, Item={**item_of(deliveries), "times": damaged})
    assert not deliveries.quota.take("sns", LIMIT, START, spare=0)
    later = START + WINDOW + 2 * SENT_WITHIN
    assert deliveries.quota.take("sns", LIMIT, later, spare=0)


@pytest.mark.parametrize("ahead", [timedelta(seconds=30), timedelta(minutes=2), WINDOW])
def test_a_clock_that_is_ahead_stops_nobody(ahead: timedelta) -> None:
    """What it has counted counts as one message that was sent now, for a window."""
    deliveries = Deliveries(LIMIT)
    assert deliveries.quota.take("sns", LIMIT, START + ahead, spare=0)
    assert [deliveries.quota.take("sns", LIMIT, START, spare=0) for _ in range(3)] == [True, True, False]
    assert deliveries.quota.take("sns", LIMIT, START + WINDOW + SENT_WITHIN, spare=0)


def test_a_time_that_no_clock_has_is_damage() -> None:
    """It would count as now until then."""
    deliveries = Deliveries(LIMIT)
    deliveries.quota.take("sns", LIMIT, START + timedelta(days=300), spare=0)
    assert not deliveries.quota.take("sns", LIMIT, START, spare=0)
    assert deliveries.quota.take("sns", LIMIT, START + WINDOW + SENT_WITHIN, spare=0)


def test_an_item_expires_after_whatever_waits_for_its_channel() -> None:
    """Waiting messages are found by it."""
    deliveries = Deliveries(LIMIT)
    deliveries.quota.take("sns", LIMIT, START, spare=0)
    assert int(item_of(deliveries)["expires_at"]["N"]) == int((START + timedelta(days=90)).timestamp())
