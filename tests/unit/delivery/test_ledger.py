"""Each revision of a finding is delivered to each channel once, and never after a newer one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from permission_guard.delivery.ledger import (
    BUSY_WAITS,
    KEEP_RESOLVED,
    Claim,
    Delivery,
    DeliveryOutcome,
    Skip,
    deliver,
    refusal,
)
from permission_guard.errors import ConflictError, DeliveryBusyError, DeliveryError
from permission_guard.model.findings import Finding, Status
from tests.paths import FINDINGS

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
NOW = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)


class MemoryLedger:
    """A ledger in a dictionary."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Delivery] = {}
        self.expires_at: datetime | None = None

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        held = self.held.get((finding_id, channel), Delivery())
        skip = refusal(held, revision, now)
        if skip is not None:
            return skip
        until = now + timedelta(minutes=1)
        self.held[finding_id, channel] = replace(held, locked_until=until)
        return Claim(
            finding_id=finding_id,
            channel=channel,
            revision=revision,
            token="token",
            locked_until=until,
            reference=held.reference,
        )

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        self.held[claim.finding_id, claim.channel] = Delivery(revision=claim.revision, reference=reference)
        self.expires_at = expires_at

    def release(self, claim: Claim) -> None:
        key = claim.finding_id, claim.channel
        self.held[key] = replace(self.held[key], locked_until=None)


class Recorder:
    """A sender that remembers what it was given."""

    def __init__(self, *references: str | None) -> None:
        self.references = list(references)
        self.sent: list[tuple[int, str | None]] = []

    def __call__(self, finding: Finding, reference: str | None) -> str | None:
        self.sent.append((finding.revision, reference))
        return self.references.pop(0) if self.references else None


def deliver_to(
    ledger: MemoryLedger, send: Recorder, finding: Finding = OPENED, channel: str = "sns"
) -> DeliveryOutcome:
    """Deliver a finding and return what became of it."""
    return deliver(ledger, channel, finding, send, clock=lambda: NOW).outcome


def test_a_message_that_arrives_twice_is_sent_once() -> None:
    """SQS delivers at least once; people are told once."""
    ledger, send = MemoryLedger(), Recorder()
    assert deliver_to(ledger, send) is DeliveryOutcome.DELIVERED
    assert deliver_to(ledger, send) is DeliveryOutcome.ALREADY_DELIVERED
    assert send.sent == [(1, None)]


def test_an_older_revision_is_not_sent_after_a_newer_one() -> None:
    """Nobody reads that a problem was found after reading that it is gone."""
    ledger, send = MemoryLedger(), Recorder()
    deliver_to(ledger, send, replace(OPENED, revision=2))
    assert deliver_to(ledger, send, OPENED) is DeliveryOutcome.OVERTAKEN
    assert send.sent == [(2, None)]


def test_each_channel_is_delivered_to_apart() -> None:
    """What Slack has says nothing of what SNS has."""
    ledger, send = MemoryLedger(), Recorder()
    assert deliver_to(ledger, send, channel="sns") is DeliveryOutcome.DELIVERED
    assert deliver_to(ledger, send, channel="slack") is DeliveryOutcome.DELIVERED
    assert len(send.sent) == 2


def test_a_sender_is_given_the_reference_that_the_delivery_before_left() -> None:
    """A ticket is updated, not opened again."""
    ledger, send = MemoryLedger(), Recorder("oi-1", None, "oi-2", None)
    for revision in (1, 2, 3, 4):
        deliver_to(ledger, send, replace(OPENED, revision=revision))
    assert send.sent == [(1, None), (2, "oi-1"), (3, "oi-1"), (4, "oi-2")]


def test_the_result_carries_the_reference_even_when_nothing_was_sent() -> None:
    """The log names the ticket."""
    ledger = MemoryLedger()
    assert deliver(ledger, "sns", OPENED, Recorder("message-1")).reference == "message-1"
    assert deliver(ledger, "sns", OPENED, Recorder()).reference == "message-1"


def test_a_failed_delivery_gives_the_lock_back_so_that_the_retry_goes_at_once() -> None:
    """The message is neither lost nor held up by its own failure."""

    def fail(finding: Finding, reference: str | None) -> str | None:
        raise DeliveryError("Slack is down")

    ledger = MemoryLedger()
    with pytest.raises(DeliveryError, match="Slack is down"):
        deliver(ledger, "sns", OPENED, fail, clock=lambda: NOW)
    assert deliver_to(ledger, Recorder()) is DeliveryOutcome.DELIVERED


def test_a_delivery_under_way_keeps_others_out_until_its_lock_ends() -> None:
    """Two invocations at a time would send twice, or in the wrong order."""
    ledger, send = MemoryLedger(), Recorder()
    ledger.claim(OPENED.id, "sns", 1, NOW)
    waited: list[float] = []
    with pytest.raises(DeliveryBusyError, match="until 2026-11-20T10:16:30"):
        deliver(ledger, "sns", replace(OPENED, revision=2), send, clock=lambda: NOW, wait=waited.append)
    assert waited == list(BUSY_WAITS)
    assert sum(BUSY_WAITS) < 5  # three messages of a batch, each with its tries, have to fit into a minute
    late = NOW + timedelta(minutes=1)
    assert deliver(ledger, "sns", OPENED, send, clock=lambda: late).outcome is DeliveryOutcome.DELIVERED


def test_a_delivery_that_is_about_to_end_is_waited_for() -> None:
    """The next revision is often seconds behind: the queue would bring it again in minutes only."""
    ledger, send = MemoryLedger(), Recorder("message-2")
    claim = ledger.claim(OPENED.id, "sns", 1, NOW)
    assert isinstance(claim, Claim)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            ledger.complete(claim, "message-1", None)

    result = deliver(ledger, "sns", replace(OPENED, revision=2), send, clock=lambda: NOW, wait=wait)
    assert (result.outcome, result.reference) == (DeliveryOutcome.DELIVERED, "message-2")
    assert waited == list(BUSY_WAITS[:2])


def test_an_old_message_does_not_wait_for_a_newer_one_to_be_sent() -> None:
    """It is not to be sent in any case."""
    held = Delivery(revision=3, reference="oi-1", locked_until=NOW + timedelta(minutes=1))
    assert refusal(held, 2, NOW) == Skip(outcome=DeliveryOutcome.OVERTAKEN, reference="oi-1")
    assert refusal(held, 3, NOW) == Skip(outcome=DeliveryOutcome.ALREADY_DELIVERED, reference="oi-1")


def test_only_the_record_of_a_resolved_finding_is_ever_forgotten() -> None:
    """An open finding's ticket has to be found again, however long it takes."""
    ledger, send = MemoryLedger(), Recorder()
    deliver_to(ledger, send, replace(OPENED, revision=1))
    assert ledger.expires_at is None
    deliver_to(ledger, send, replace(OPENED, revision=2, status=Status.SUPPRESSED))
    assert ledger.expires_at is None
    deliver_to(ledger, send, replace(OPENED, revision=3, status=Status.RESOLVED))
    assert ledger.expires_at == NOW + KEEP_RESOLVED


def test_a_lock_that_was_lost_meanwhile_is_not_kept_quiet() -> None:
    """The message is looked at again, rather than recorded over the other's delivery."""

    class LostLock(MemoryLedger):
        def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
            raise ConflictError("took longer than its lock")

    with pytest.raises(ConflictError):
        deliver_to(LostLock(), Recorder())


def test_the_clock_is_the_real_one_unless_told_otherwise() -> None:
    """A lock is taken from now on."""
    ledger = MemoryLedger()
    deliver(ledger, "sns", replace(OPENED, status=Status.RESOLVED), Recorder())
    assert ledger.expires_at is not None
    assert abs(ledger.expires_at - KEEP_RESOLVED - datetime.now(UTC)) < timedelta(minutes=1)
