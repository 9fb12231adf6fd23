"""The delivery ledger: records each delivery, so that no revision is sent twice or after a newer one.

EventBridge and SQS deliver at least once and in any order, and several invocations run at the same time. So for each
finding and channel, deliveries run one at a time, and revisions only increase:

- a claim takes a lock that expires, and returns the reference of the last delivery;
- a revision that was delivered, or that is older than the last one delivered, is skipped;
- a failed delivery releases the lock, so that the retry does not wait; if it is unclear whether it failed, the lock
  expires instead, so that a ticket system's search can find the new ticket before the retry;
- after a crash between sending and recording, the lock expires and the message is sent a second time: a duplicate alert
  is better than a lost one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from permission_guard.errors import ChannelLimitError, DeliveryBusyError, DeliveryLimitError, DeliveryUnclearError
from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.findings import Finding

BUSY_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds to wait before each new try while another delivery of the same finding is running: three in total."""

LOCK_FOR = timedelta(minutes=5)
"""How long a claim holds its lock if it is not released: longer than the timeout of every sending function."""

KEEP_RESOLVED = timedelta(days=60)
"""How long the record of a resolved finding is kept.

Longer than a message can stay in a dead-letter queue, 14 days. Shorter than the finding is kept, 90 days: a deleted
finding that is found again starts at revision 1, which an older record would skip.
"""


class DeliveryOutcome(StrEnum):
    """The outcome of delivering one revision of a finding to one channel."""

    DELIVERED = "delivered"
    ALREADY_DELIVERED = "already delivered"
    SUPERSEDED = "superseded by a newer revision"
    NOT_ALERTED = "no alert for this transition"
    EXPIRED = "expired: a newer transition follows"
    BELOW_THRESHOLD = "below the severity threshold"
    IN_DIGEST = "reported in the digest of the first sweep"
    NOT_ANNOUNCED = "no alert: none was sent about the finding before"
    WAITS_FOR_DIGEST = "waits for a digest: the channel's limit is reached"
    NO_DIGEST = "dropped: the digest does not exist or cannot be read"
    NO_CHANNEL = "not sent: messages wait for a channel that does not exist"
    LIMIT_REACHED = "postponed to the next sweep or review: a limit of tickets is reached"
    UP_TO_DATE = "reviewed: the ticket is up to date"
    CORRECTED = "reviewed: the ticket was brought up to date"
    OPENED_AGAIN = "reviewed: the ticket was deleted, and opened again"
    LEFT_DELETED = "reviewed: the ticket was deleted again, and stays deleted"
    BEING_DELIVERED = "not reviewed: a delivery is in progress"
    NOT_RECORDED = "not reviewed: the finding does not exist any more"


@record(kw_only=True)
class Delivery:
    """The ledger's record of one finding and channel: the last delivery, and the lock of a running one."""

    revision: int | None = None
    reference: str | None = None
    locked_until: datetime | None = None


@record(kw_only=True)
class Claim:
    """The right to deliver one revision, until `locked_until`.

    `token` is unique to this claim. `reference` is the reference of the last delivery, such as a ticket's id, and
    `delivered` its revision, 0 if there was none.
    """

    finding_id: str
    channel: str
    revision: int
    token: str
    locked_until: datetime
    reference: str | None = None
    delivered: int = 0


@record(kw_only=True)
class Skip:
    """The reason why there is nothing to deliver, and the revision and reference of the last delivery."""

    outcome: DeliveryOutcome
    revision: int
    reference: str | None = None


@record(kw_only=True)
class DeliveryResult:
    """The result of `deliver`, for the log.

    `repaired` is true if the ledger had a revision above the table's: someone else wrote it, or the table was restored.
    """

    channel: str
    outcome: DeliveryOutcome
    reference: str | None = None
    repaired: bool = False


class DeliveryLedger(Protocol):
    """The record of deliveries. The deployed one is in `aws/tables/deliveries.py`."""

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        """Take the lock for one revision, or return why there is nothing to deliver.

        DeliveryBusyError while another invocation holds the lock.
        """

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        """Record the delivery and release the lock.

        `expires_at` is when the record may be deleted, None for never. ConflictError when the lock expired and another
        claim took it: the delivery took longer than the lock, and the message is processed again.
        """

    def release(self, claim: Claim) -> None:
        """Release the lock without a delivery; do nothing if another claim has taken it."""

    def repair(self, finding_id: str, channel: str, revision: int) -> None:
        """Forget a revision that the findings table never had, but not the reference; do nothing if it changed."""


def skip_reason(held: Delivery, revision: int, now: datetime) -> Skip | None:
    """Return why a revision must not be delivered, given the ledger's record; None if it can be claimed.

    The last delivery is compared before the lock: an old message does not wait until a newer one is sent.
    DeliveryBusyError while the lock is held.
    """
    if held.revision is not None and held.revision >= revision:
        same = held.revision == revision
        return Skip(
            outcome=DeliveryOutcome.ALREADY_DELIVERED if same else DeliveryOutcome.SUPERSEDED,
            revision=held.revision,
            reference=held.reference,
        )
    if held.locked_until is not None and held.locked_until > now:
        raise DeliveryBusyError(f"another invocation is delivering this finding until {held.locked_until.isoformat()}")
    return None


def deliver(
    ledger: DeliveryLedger,
    channel: str,
    finding: Finding,
    send: Callable[[Finding, str | None], str | None],
    *,
    current: Callable[[], Finding | None],
    is_withheld: Callable[[Finding, str | None], bool] = lambda _finding, _reference: False,
    instead: Callable[[Finding, str | None], DeliveryOutcome | None] = lambda _finding, _reference: None,
    postpone: Callable[[Claim, Finding], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], None] = time.sleep,
) -> DeliveryResult:
    """Deliver a finding to a channel, unless this revision or a newer one was delivered.

    `send` takes the finding and the reference of the last delivery, and returns the reference to record (None keeps the
    last one). Its errors are raised after the lock is released; DeliveryUnclearError keeps it. `current` reads the
    finding as it is now: if the ledger has a higher revision, it is repaired, and that finding is delivered.

    A finding that `is_withheld`, given the same, is not sent. The record then has the revision before: older ones are
    skipped, and this one is delivered by a later event if the severity has risen meanwhile. Neither is a finding for
    which `instead` returns an outcome. That counts as delivered, but for an end that is not announced: the transition
    before, which is, may arrive later.

    If `send` raises ChannelLimitError, `postpone` lets the finding wait and records it as delivered.

    An open finding that `send` cannot deliver because of a limit of the other side is recorded like one that is
    withheld: the sweep hands over every open finding again.
    """
    claim = claimed(ledger, channel, finding.id, finding.revision, clock=clock, wait=wait)
    repaired = False
    # Read after the ledger: whoever delivered a revision had read it in the table.
    is_superseded = isinstance(claim, Skip) and claim.outcome is DeliveryOutcome.SUPERSEDED
    if is_superseded and (latest := current()) is not None and claim.revision > latest.revision:
        ledger.repair(finding.id, channel, claim.revision)
        finding, repaired = latest, True
        claim = claimed(ledger, channel, finding.id, finding.revision, clock=clock, wait=wait)
    if isinstance(claim, Skip):
        return DeliveryResult(channel=channel, outcome=claim.outcome, reference=claim.reference, repaired=repaired)
    try:
        outcome = instead(finding, claim.reference)
        if outcome is not None:
            recorded = claim.delivered if outcome is DeliveryOutcome.NOT_ANNOUNCED else claim.revision
            ledger.complete(replace(claim, revision=recorded), None, expires_at(finding, clock()))
            return DeliveryResult(channel=channel, outcome=outcome, reference=claim.reference, repaired=repaired)
        if is_withheld(finding, claim.reference):
            latest = current()
            if latest is None or latest.revision != finding.revision or is_withheld(latest, claim.reference):
                ledger.complete(replace(claim, revision=claim.revision - 1), None, expires_at(finding, clock()))
                outcome = DeliveryOutcome.BELOW_THRESHOLD
                return DeliveryResult(channel=channel, outcome=outcome, reference=claim.reference, repaired=repaired)
            finding = latest
        try:
            reference = send(finding, claim.reference)
        except ChannelLimitError:
            if postpone is None:
                raise
            postpone(claim, finding)
            outcome = DeliveryOutcome.WAITS_FOR_DIGEST
            return DeliveryResult(channel=channel, outcome=outcome, reference=claim.reference, repaired=repaired)
        except DeliveryLimitError:
            if finding.status is not Status.OPEN:
                raise
            ledger.complete(replace(claim, revision=claim.revision - 1), None, expires_at(finding, clock()))
            outcome = DeliveryOutcome.LIMIT_REACHED
            return DeliveryResult(channel=channel, outcome=outcome, reference=claim.reference, repaired=repaired)
    except DeliveryUnclearError:
        raise  # the lock expires: a search right now may miss the new ticket
    except BaseException:
        ledger.release(claim)
        raise
    if reference is None:
        reference = claim.reference
    ledger.complete(claim, reference, expires_at(finding, clock()))
    outcome = DeliveryOutcome.DELIVERED
    return DeliveryResult(channel=channel, outcome=outcome, reference=reference, repaired=repaired)


def deliver_once(
    ledger: DeliveryLedger,
    channel: str,
    identifier: str,
    send: Callable[[], str | None],
    *,
    postpone: Callable[[Claim], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], None] = time.sleep,
) -> DeliveryResult:
    """Deliver what has no later revision, such as a digest, to a channel, unless it was delivered.

    `send` returns the reference to record. Its errors are raised as by `deliver`. If it raises
    ChannelLimitError, `postpone` lets the message wait and records it as delivered.
    """
    claim = claimed(ledger, channel, identifier, 1, clock=clock, wait=wait)
    if isinstance(claim, Skip):
        return DeliveryResult(channel=channel, outcome=claim.outcome, reference=claim.reference)
    try:
        try:
            reference = send()
        except ChannelLimitError:
            if postpone is None:
                raise
            postpone(claim)
            return DeliveryResult(channel=channel, outcome=DeliveryOutcome.WAITS_FOR_DIGEST)
    except DeliveryUnclearError:
        raise  # the lock expires: a search right now may miss the new ticket
    except BaseException:
        ledger.release(claim)
        raise
    ledger.complete(claim, reference, clock() + KEEP_RESOLVED)
    return DeliveryResult(channel=channel, outcome=DeliveryOutcome.DELIVERED, reference=reference)


def claimed(
    ledger: DeliveryLedger,
    channel: str,
    identifier: str,
    revision: int,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
) -> Claim | Skip:
    """Claim a revision, and wait a few seconds while another delivery of the same finding is running.

    DeliveryBusyError after that; SQS then delivers the message again.
    """
    for delay in BUSY_WAITS:
        try:
            return ledger.claim(identifier, channel, revision, clock())
        except DeliveryBusyError:
            wait(delay)
    return ledger.claim(identifier, channel, revision, clock())


def expires_at(finding: Finding, now: datetime) -> datetime | None:
    """Return when the record of a delivery may be deleted, None for never: only that of a resolved finding may."""
    return now + KEEP_RESOLVED if finding.status is Status.RESOLVED else None
