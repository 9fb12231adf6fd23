"""Each revision of a finding is delivered to each channel once, and not after a newer one."""

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
    deliver_once,
    skip_reason,
)
from permission_guard.errors import ConflictError, DeliveryBusyError, DeliveryError, DeliveryUnclearError
from permission_guard.model.findings import Finding, Status
from tests.paths import FINDINGS
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
NEWEST = replace(OPENED, revision=4)
NOW = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)


class Recorder:
    """A sender that records its arguments."""

    def __init__(self, *references: str | None) -> None:
        self.references = list(references)
        self.sent: list[tuple[int, str | None]] = []

    def __call__(self, finding: Finding, reference: str | None) -> str | None:
        self.sent.append((finding.revision, reference))
        return self.references.pop(0) if self.references else None


def deliver_to(
    ledger: MemoryLedger, send: Recorder, finding: Finding = OPENED, channel: str = "sns"
) -> DeliveryOutcome:
    """Deliver a finding and return the outcome."""
    return deliver(ledger, channel, finding, send, current=lambda: NEWEST, clock=lambda: NOW).outcome


def test_a_message_that_arrives_twice_is_sent_once() -> None:
    """SQS delivers at least once; the alert is sent once."""
    ledger, send = MemoryLedger(), Recorder()
    assert deliver_to(ledger, send) is DeliveryOutcome.DELIVERED
    assert deliver_to(ledger, send) is DeliveryOutcome.ALREADY_DELIVERED
    assert send.sent == [(1, None)]


def test_an_older_revision_is_not_sent_after_a_newer_one() -> None:
    """An alert that a problem was found must not follow the alert that it is resolved."""
    ledger, send = MemoryLedger(), Recorder()
    deliver_to(ledger, send, replace(OPENED, revision=2))
    assert deliver_to(ledger, send, OPENED) is DeliveryOutcome.SUPERSEDED
    assert send.sent == [(2, None)]


def test_a_delivery_that_may_have_been_done_keeps_its_lock() -> None:
    """The retry comes minutes later, when a ticket system's search can find the new ticket."""

    def unclear(*_arguments: object) -> str:
        raise DeliveryUnclearError("no response")

    ledger = MemoryLedger()
    with pytest.raises(DeliveryUnclearError):
        deliver(ledger, "ticket:jira", OPENED, unclear, current=unread, clock=lambda: NOW)
    with pytest.raises(DeliveryUnclearError):
        deliver_once(ledger, "ticket:jira", "once", unclear, clock=lambda: NOW)
    for identifier in (OPENED.id, "once"):
        with pytest.raises(DeliveryBusyError):
            ledger.claim(identifier, "ticket:jira", 2, NOW)
        assert isinstance(ledger.claim(identifier, "ticket:jira", 2, NOW + timedelta(minutes=5)), Claim)


def test_a_revision_that_the_findings_table_never_had_is_forgotten() -> None:
    """The finding as it is now is sent then, and the reference is kept: it may be a ticket's."""
    ledger, send = MemoryLedger(), Recorder()
    ledger.held[OPENED.id, "sns"] = Delivery(revision=10**30, reference="oi-1")
    result = deliver(ledger, "sns", OPENED, send, current=lambda: NEWEST, clock=lambda: NOW)
    assert (result.outcome, result.repaired) == (DeliveryOutcome.DELIVERED, True)
    assert send.sent == [(4, "oi-1")]
    result = deliver(ledger, "sns", NEWEST, send, current=unread, clock=lambda: NOW)
    assert (result.outcome, result.repaired) == (DeliveryOutcome.ALREADY_DELIVERED, False)


def test_a_revision_that_was_recorded_meanwhile_is_kept() -> None:
    """Another invocation delivered it; the ledger is right."""
    ledger, send = MemoryLedger(), Recorder()
    ledger.held[OPENED.id, "sns"] = Delivery(revision=NEWEST.revision)
    result = deliver(ledger, "sns", OPENED, send, current=lambda: NEWEST, clock=lambda: NOW)
    assert (result.outcome, result.repaired, send.sent) == (DeliveryOutcome.SUPERSEDED, False, [])


def test_each_channel_has_its_own_deliveries() -> None:
    """A delivery to Slack does not count as a delivery to SNS."""
    ledger, send = MemoryLedger(), Recorder()
    assert deliver_to(ledger, send, channel="sns") is DeliveryOutcome.DELIVERED
    assert deliver_to(ledger, send, channel="slack") is DeliveryOutcome.DELIVERED
    assert len(send.sent) == 2


def test_a_sender_gets_the_reference_of_the_last_delivery() -> None:
    """A ticket is updated, not opened a second time."""
    ledger, send = MemoryLedger(), Recorder("oi-1", None, "oi-2", None)
    for revision in (1, 2, 3, 4):
        deliver_to(ledger, send, replace(OPENED, revision=revision))
    assert send.sent == [(1, None), (2, "oi-1"), (3, "oi-1"), (4, "oi-2")]


def test_the_result_has_the_reference_even_if_nothing_was_sent() -> None:
    """The log names the ticket."""
    ledger = MemoryLedger()
    assert deliver(ledger, "sns", OPENED, Recorder("message-1"), current=unread).reference == "message-1"
    assert deliver(ledger, "sns", OPENED, Recorder(), current=unread).reference == "message-1"


def test_a_failed_delivery_releases_the_lock_so_that_the_retry_does_not_wait() -> None:
    """The message is neither lost nor delayed by its own failure."""

    def fail(finding: Finding, reference: str | None) -> str | None:
        raise DeliveryError("Slack is down")

    ledger = MemoryLedger()
    with pytest.raises(DeliveryError, match="Slack is down"):
        deliver(ledger, "sns", OPENED, fail, current=unread, clock=lambda: NOW)
    assert deliver_to(ledger, Recorder()) is DeliveryOutcome.DELIVERED


def test_a_running_delivery_blocks_others_until_its_lock_expires() -> None:
    """Two invocations at the same time would send twice, or in the wrong order."""
    ledger, send = MemoryLedger(), Recorder()
    ledger.claim(OPENED.id, "sns", 1, NOW)
    waited: list[float] = []
    with pytest.raises(DeliveryBusyError, match="until 2026-11-20T10:16:30"):
        deliver(ledger, "sns", replace(OPENED, revision=2), send, current=unread, clock=lambda: NOW, wait=waited.append)
    assert waited == list(BUSY_WAITS)
    assert sum(BUSY_WAITS) < 5  # three messages of a batch, each with its tries, must fit into a minute
    late = NOW + timedelta(minutes=1)
    assert deliver(ledger, "sns", OPENED, send, current=unread, clock=lambda: late).outcome is DeliveryOutcome.DELIVERED


def test_a_new_revision_waits_a_few_seconds_for_the_running_delivery() -> None:
    """The next revision often follows within seconds; the queue would deliver it again only minutes later."""
    ledger, send = MemoryLedger(), Recorder("message-2")
    claim = ledger.claim(OPENED.id, "sns", 1, NOW)
    assert isinstance(claim, Claim)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            ledger.complete(claim, "message-1", None)

    result = deliver(ledger, "sns", replace(OPENED, revision=2), send, current=unread, clock=lambda: NOW, wait=wait)
    assert (result.outcome, result.reference) == (DeliveryOutcome.DELIVERED, "message-2")
    assert waited == list(BUSY_WAITS[:2])


def test_an_old_message_does_not_wait_for_a_newer_one_to_be_sent() -> None:
    """It is skipped in any case."""
    held = Delivery(revision=3, reference="oi-1", locked_until=NOW + timedelta(minutes=1))
    assert skip_reason(held, 2, NOW) == Skip(outcome=DeliveryOutcome.SUPERSEDED, revision=3, reference="oi-1")
    assert skip_reason(held, 3, NOW) == Skip(outcome=DeliveryOutcome.ALREADY_DELIVERED, revision=3, reference="oi-1")


def test_only_the_record_of_a_resolved_finding_expires() -> None:
    """An open finding's record has the ticket's reference, however long the finding stays open."""
    ledger, send = MemoryLedger(), Recorder()
    deliver_to(ledger, send, replace(OPENED, revision=1))
    assert ledger.expires_at is None
    deliver_to(ledger, send, replace(OPENED, revision=2, status=Status.SUPPRESSED))
    assert ledger.expires_at is None
    deliver_to(ledger, send, replace(OPENED, revision=3, status=Status.RESOLVED))
    assert ledger.expires_at == NOW + KEEP_RESOLVED


def test_a_lost_lock_is_an_error() -> None:
    """The message is processed again; the other claim's delivery is not overwritten."""

    class LostLock(MemoryLedger):
        def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
            raise ConflictError("took longer than its lock")

    with pytest.raises(ConflictError):
        deliver_to(LostLock(), Recorder())


def test_the_default_clock_is_the_current_time() -> None:
    """A lock starts now."""
    ledger = MemoryLedger()
    deliver(ledger, "sns", replace(OPENED, status=Status.RESOLVED), Recorder(), current=unread)
    assert ledger.expires_at is not None
    assert abs(ledger.expires_at - KEEP_RESOLVED - datetime.now(UTC)) < timedelta(minutes=1)
