"""The delivery ledger: what was told to whom, so that nobody is told twice and nobody is told old news last.

EventBridge and SQS deliver at least once and in any order, and several invocations run at a time. So for each finding
and channel, deliveries are one at a time and only ever go forward:

- a claim takes a lock that ends by itself, and says what was delivered before;
- a revision that was delivered, or overtaken by a newer one, is skipped;
- a failed delivery gives the lock back at once, so that the retry need not wait;
- a crash between sending and recording leaves the lock to run out; then the message is sent once more. A person who
  reads an alert twice is the lesser evil.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from permission_guard.errors import DeliveryBusyError
from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.model.findings import Finding

BUSY_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between looking again whether another delivery of the same finding has ended: three in all."""

LOCK_FOR = timedelta(minutes=5)
"""How long a claim holds when nothing ends it: longer than any sending function's timeout."""

KEEP_RESOLVED = timedelta(days=60)
"""How long the record of a resolved finding is kept.

Longer than a message can wait in a dead-letter queue, 14 days; shorter than the finding itself is kept, 90 days: when
the ledger outlived it, a finding that comes back as a new one would look old.
"""


class DeliveryOutcome(StrEnum):
    """What became of one revision of a finding at one channel."""

    DELIVERED = "delivered"
    ALREADY_DELIVERED = "already delivered"
    OVERTAKEN = "overtaken by a newer revision"
    NOT_WANTED = "not told at this channel"


@record(kw_only=True)
class Delivery:
    """What the ledger holds of one finding at one channel: the last delivery, and the lock of a running one."""

    revision: int | None = None
    reference: str | None = None
    locked_until: datetime | None = None


@record(kw_only=True)
class Claim:
    """The right to deliver one revision, until `locked_until`.

    `token` tells this claim from any other; `reference` is what the delivery before left behind (a ticket's id).
    """

    finding_id: str
    channel: str
    revision: int
    token: str
    locked_until: datetime
    reference: str | None = None


@record(kw_only=True)
class Skip:
    """There is nothing to deliver, and why; `reference` is what an earlier delivery left behind."""

    outcome: DeliveryOutcome
    reference: str | None = None


@record(kw_only=True)
class DeliveryResult:
    """What `deliver` did, for the log."""

    channel: str
    outcome: DeliveryOutcome
    reference: str | None = None


class DeliveryLedger(Protocol):
    """Where deliveries are recorded. `aws/delivery_table.py` is the one that is deployed."""

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        """Take the lock for one revision, or say why it is not to be delivered.

        Raises DeliveryBusyError while another invocation holds the lock.
        """

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        """Record the delivery and give the lock back.

        `expires_at` is when the record may be forgotten, None for never. Raises ConflictError when the lock ran out
        and another claim took it: then the delivery was slower than the lock, and the message is looked at again.
        """

    def release(self, claim: Claim) -> None:
        """Give the lock back without a delivery; nothing happens when another claim has it by now."""


def refusal(held: Delivery, revision: int, now: datetime) -> Skip | None:
    """Say why a claim cannot be had, given what the ledger holds; None when it can.

    What was delivered is looked at before the lock: an old message need not wait for a newer one to be sent.
    Raises DeliveryBusyError while the lock holds.
    """
    if held.revision is not None and held.revision >= revision:
        same = held.revision == revision
        return Skip(
            outcome=DeliveryOutcome.ALREADY_DELIVERED if same else DeliveryOutcome.OVERTAKEN, reference=held.reference
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
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], None] = time.sleep,
) -> DeliveryResult:
    """Deliver a finding to a channel once, or find out that there is nothing to deliver.

    `send` takes the finding and the reference of the delivery before, and returns the reference to keep (None keeps
    the one there is). Whatever it raises is raised again, after the lock was given back.
    """
    claim = _claim(ledger, channel, finding, clock, wait)
    if isinstance(claim, Skip):
        return DeliveryResult(channel=channel, outcome=claim.outcome, reference=claim.reference)
    try:
        reference = send(finding, claim.reference)
    except BaseException:
        ledger.release(claim)
        raise
    if reference is None:
        reference = claim.reference
    ledger.complete(claim, reference, _expiry(finding, clock()))
    return DeliveryResult(channel=channel, outcome=DeliveryOutcome.DELIVERED, reference=reference)


def _claim(
    ledger: DeliveryLedger,
    channel: str,
    finding: Finding,
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
) -> Claim | Skip:
    """Claim a revision. While another of the same finding is on its way, wait a little: it is seldom long.

    Raises DeliveryBusyError after that, and the message comes again.
    """
    for delay in BUSY_WAITS:
        try:
            return ledger.claim(finding.id, channel, finding.revision, clock())
        except DeliveryBusyError:
            wait(delay)
    return ledger.claim(finding.id, channel, finding.revision, clock())


def _expiry(finding: Finding, now: datetime) -> datetime | None:
    return now + KEEP_RESOLVED if finding.status is Status.RESOLVED else None
