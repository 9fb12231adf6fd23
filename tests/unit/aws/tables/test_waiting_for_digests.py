"""What waits is recorded along with its delivery, and removed along with the record of its digest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.delivery.ledger import Claim, DeliveryOutcome, Skip
from permission_guard.delivery.waiting import WaitingFinding, waiting_finding
from permission_guard.errors import ConflictError
from permission_guard.model.findings import Status, Transition
from tests.unit.delivery.examples import OPENED
from tests.unit.delivery.memory_limits import TABLE, Deliveries

RESOLVED = replace(OPENED, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)
DIGEST = "exceptions-" + "0" * 32


def claimed(deliveries: Deliveries, identifier: str = OPENED.id, revision: int = 1) -> Claim:
    """Claim a delivery."""
    claim = deliveries.ledger.claim(identifier, "sns", revision, deliveries.now)
    assert isinstance(claim, Claim)
    return claim


def postponed(deliveries: Deliveries, **more: Any) -> WaitingFinding:
    """Let a finding wait."""
    finding = waiting_finding(replace(OPENED, **more), None)
    deliveries.waiting.postpone(claimed(deliveries, finding.id, finding.revision), finding, None)
    return finding


def digests(deliveries: Deliveries) -> Claim:
    """Claim the digests of the channel."""
    return claimed(deliveries, "WAITING")


def test_what_waits_is_recorded_as_delivered() -> None:
    """Its event has nothing left to do, and its lock is released."""
    deliveries = Deliveries()
    finding = postponed(deliveries)
    (item,) = deliveries.waiting.items("sns")
    assert (item.id, item.finding) == (OPENED.id, finding)
    assert deliveries.waiting.item("sns", OPENED.id) == item
    skip = deliveries.ledger.claim(OPENED.id, "sns", 1, deliveries.now)
    assert isinstance(skip, Skip)
    assert skip.outcome is DeliveryOutcome.ALREADY_DELIVERED
    assert isinstance(deliveries.ledger.claim(OPENED.id, "sns", 2, deliveries.now), Claim)


def test_whoever_has_lost_the_lock_lets_nothing_wait() -> None:
    """Both are written, or neither."""
    deliveries = Deliveries()
    claim = claimed(deliveries)
    deliveries.later(minutes=6)
    claimed(deliveries)
    with pytest.raises(ConflictError, match="has taken over the delivery"):
        deliveries.waiting.postpone(claim, waiting_finding(OPENED, None), None)
    assert deliveries.waiting.items("sns") == []


def test_a_newer_revision_replaces_an_older_one_and_remembers_what_happened() -> None:
    """Nobody has heard of the opening."""
    first = waiting_finding(OPENED, None)
    second = waiting_finding(RESOLVED, first)
    assert (second.revision, second.is_over) == (2, True)
    assert second.transitions == (Transition.OPENED, Transition.RESOLVED)
    for revision in range(3, 20):
        second = waiting_finding(replace(RESOLVED, revision=revision, transition=Transition.REOPENED), second)
    assert second.transitions == (Transition.OPENED, *[Transition.REOPENED] * 3)


def test_a_digest_waits_without_a_finding() -> None:
    """Its text is in the findings table."""
    deliveries = Deliveries()
    deliveries.waiting.postpone(claimed(deliveries, DIGEST), None, deliveries.now)
    (item,) = deliveries.waiting.items("sns")
    assert (item.id, item.finding) == (DIGEST, None)


def test_the_channels_for_which_something_waits_are_known() -> None:
    """Something waits only for a channel that got messages before."""
    deliveries = Deliveries()
    for channel in ("sns", "slack"):
        deliveries.limits.take(channel)
    assert deliveries.waiting.channels() == []
    postponed(deliveries)
    assert deliveries.waiting.channels() == ["sns"]


def test_what_a_digest_has_reported_waits_no_more() -> None:
    """Everything else does."""
    deliveries = Deliveries()
    for number in range(3):
        postponed(deliveries, id=f"{number}" * 32)
    first, second, third = deliveries.waiting.items("sns")
    deliveries.waiting.sent(digests(deliveries), [first, third])
    assert deliveries.waiting.items("sns") == [second]


def test_a_revision_that_came_meanwhile_waits_on() -> None:
    """The digest has reported the one before."""
    deliveries = Deliveries()
    for number in range(3):
        postponed(deliveries, id=f"{number}" * 32)
    items = deliveries.waiting.items("sns")
    newer = postponed(deliveries, id="1" * 32, revision=2, transition=Transition.RESOLVED)
    deliveries.waiting.sent(digests(deliveries), items)
    assert [one.finding for one in deliveries.waiting.items("sns")] == [newer]


def test_what_was_removed_by_a_try_whose_reply_is_lost_is_no_error() -> None:
    """The digest was sent."""
    deliveries = Deliveries()
    postponed(deliveries)
    items, claim = deliveries.waiting.items("sns"), digests(deliveries)
    deliveries.waiting.sent(claim, items)
    deliveries.waiting.sent(claim, items)
    assert deliveries.waiting.items("sns") == []


def test_whoever_has_lost_the_lock_removes_nothing() -> None:
    """Another invocation sends the same."""
    deliveries = Deliveries()
    postponed(deliveries)
    claim = digests(deliveries)
    deliveries.later(minutes=6)
    deliveries.ledger.claim("WAITING", "sns", 2, deliveries.now)
    with pytest.raises(ConflictError, match="another invocation sends what waits for sns"):
        deliveries.waiting.sent(claim, deliveries.waiting.items("sns"))
    assert len(deliveries.waiting.items("sns")) == 1


@pytest.mark.parametrize("document", [{"S": "{"}, {"S": "{}"}, {"N": "1"}, {"S": '{"id": "other"}'}, None])
def test_an_item_that_cannot_be_read_is_known_by_its_id_and_can_be_removed(document: dict[str, str] | None) -> None:
    """It keeps no other finding from the digest."""
    deliveries = Deliveries()
    key = {"finding_id": {"S": "WAITING#sns"}, "channel": {"S": OPENED.id}}
    damaged = {**key, "document": document} if document else key
    deliveries.dynamodb.put_item(TableName=TABLE, Item=damaged)
    (item,) = deliveries.waiting.items("sns")
    assert (item.id, item.finding) == (OPENED.id, None)
    deliveries.waiting.sent(digests(deliveries), [item])
    assert deliveries.waiting.items("sns") == []


def test_a_conflict_with_another_transaction_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a second and a half; then the message is delivered again."""
    deliveries, waits = Deliveries(), list[float]()
    table = WaitingForDigestsTable(deliveries.dynamodb, TABLE, wait=waits.append)
    write, failures = deliveries.dynamodb.transact_write_items, [2]
    error = deliveries.dynamodb.exceptions.TransactionCanceledException(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
        },
        "TransactWriteItems",
    )

    def busy(**request: Any) -> Any:
        if failures[0]:
            failures[0] -= 1
            raise error
        return write(**request)

    monkeypatch.setattr(deliveries.dynamodb, "transact_write_items", busy)
    table.postpone(claimed(deliveries), waiting_finding(OPENED, None), None)
    assert waits == [0.0, 0.1, 0.2]
    failures[0] = 9
    with pytest.raises(ConflictError, match="same items each time"):
        table.sent(digests(deliveries), table.items("sns"))
