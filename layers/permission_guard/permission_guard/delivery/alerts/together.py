"""Findings of one group as one message, with the delivery of each recorded by itself.

The message of the first one that is delivered has the others of its group, too. Each of them is claimed before and
recorded after it, like any delivery: its own event then finds that there is nothing to do. One that another invocation
has claimed is left to that one. After a crash between sending and recording, each unrecorded one is sent a second time.

A group is locked meanwhile, so that the events of its findings, which arrive at the same time, are one message.

Where later messages follow the first one in a thread, only findings with the same first message are together: the first
message of the others would show a state that is over.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.alerts.channel import has_threads, shows_all
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.groups import group_id, group_key
from permission_guard.delivery.ledger import Claim, claimed, expires_at
from permission_guard.delivery.limits import FOR_DIGESTS
from permission_guard.errors import ChannelLimitError, DeliveryBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.limits import Limits
    from permission_guard.delivery.message import Message
    from permission_guard.model.findings import Finding

MOST: Final = 20
"""How many findings a message is about at most. The others of a larger group are the next message."""

_TRIED: Final = 3 * MOST
"""How many others are tried for a message at most: a group can have hundreds, most of which were sent already."""
_KEEP_GROUP: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Together:
    """Sends a finding and the others of its group to one channel. `others` reads the other findings of the group.

    A finding of which an earlier revision was not sent is in no other message: its own events send it, in their order.
    """

    def __init__(
        self,
        channel: AlertChannel,
        ledger: DeliveryLedger,
        others: Callable[[], Sequence[Finding]],
        limits: Limits | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._others = others
        self._limits = limits
        self._clock = clock
        self._claimed: list[tuple[Claim, Finding]] = []
        self._reference: str | None = None

    def send(self, finding: Finding, reference: str | None) -> str | None:
        """Send one message, and return its reference. Errors are raised after the others are released.

        ChannelLimitError if nothing may be sent now.
        """
        if self._limits is not None:
            if self._is_waiting(finding):
                raise ChannelLimitError(f"an earlier revision of {finding.id} waits for a digest")
            self._limits.take(self._channel.name, spare=FOR_DIGESTS)
        try:
            self._claim_others_of(finding, reference)
            message = self._composed(finding)
            self._reference = self._channel.send(message, reference)
        except BaseException:
            for claim, _ in self._claimed:
                self._ledger.release(claim)
            self._claimed = []
            raise
        return self._reference

    def record(self) -> None:
        """Record the delivery of the others, as far as a message was sent; raise the first error after all of them."""
        errors: list[Exception] = []
        for claim, finding in self._claimed:
            try:
                self._ledger.complete(claim, self._reference, expires_at(finding, self._clock()))
            except Exception as error:  # noqa: BLE001 - one that is not recorded must not keep the others from it
                errors.append(error)
        self._claimed = []
        if errors:
            raise errors[0]

    def _claim_others_of(self, finding: Finding, reference: str | None) -> None:
        key = group_key(finding)  # that of the latest revision may be another one
        if key is None:
            return
        for other in _after(finding, self._others())[:_TRIED]:
            if len(self._claimed) == MOST - 1:
                return
            if group_key(other) != key:
                continue
            try:
                claim = self._ledger.claim(other.id, self._channel.name, other.revision, self._clock())
            except DeliveryBusyError:
                continue
            if not isinstance(claim, Claim):
                continue
            has_another_thread = has_threads(self._channel) and claim.reference != reference
            is_next = claim.delivered == other.revision - 1
            if is_next and not has_another_thread and not self._is_waiting(other):
                self._claimed.append((claim, other))
            else:
                self._ledger.release(claim)

    def _composed(self, finding: Finding) -> Message:
        """Return the message of as many findings as the channel shows; the others are left to their own events."""
        while True:
            message = compose(finding, *(other for _, other in self._claimed))
            if not self._claimed or shows_all(self._channel, message):
                return message
            self._ledger.release(self._claimed.pop()[0])

    def _is_waiting(self, finding: Finding) -> bool:
        return self._limits is not None and self._limits.is_waiting(self._channel.name, finding.id)


def _after(finding: Finding, others: Sequence[Finding]) -> list[Finding]:
    """Return the others in the order of their ids, those after the finding first: each message has the next ones."""
    return sorted(others, key=lambda other: (other.id < finding.id, other.id))


@contextmanager
def group_locked(
    ledger: DeliveryLedger,
    channel: str,
    finding: Finding,
    clock: Callable[[], datetime],
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Lock the group of a finding at a channel. DeliveryBusyError if another invocation has it for some seconds.

    Whoever gets it after another one finds what that one has recorded.
    """
    key = group_key(finding)
    if key is None:
        yield
        return
    now = clock()
    number = (now - _EPOCH) // timedelta(milliseconds=1)
    claim = claimed(ledger, channel, group_id(key), number, clock=clock, wait=wait)
    try:
        yield
    finally:
        if isinstance(claim, Claim):
            ledger.complete(claim, None, now + _KEEP_GROUP)
