"""How the messages that wait for a channel are sent: digests one by one, findings together."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.alerts.base import send_within
from permission_guard.delivery.alerts.channel import shows_all
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.ledger import DeliveryOutcome, DeliveryResult, Skip
from permission_guard.delivery.waiting_digests import waiting_digest
from permission_guard.errors import UNREADABLE, ChannelLimitError, DeliveryBusyError
from permission_guard.model.digests import DIGEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.config.document import AlertLimit
    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.alerts.digests import RecordedDigests
    from permission_guard.delivery.ledger import DeliveryLedger
    from permission_guard.delivery.limits import Limits
    from permission_guard.delivery.message import Message
    from permission_guard.delivery.waiting import WaitingItem, WaitingMessages

WAITING: Final = "WAITING"
"""The key in the ledger of the delivery of what waits: it runs once at a time for each channel."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class WaitingSender:
    """Sends what waits for a channel, as far as its limit allows.

    `command` lists the findings. `has_time` says whether there is time for a message: what is left waits on.
    """

    def __init__(
        self,
        limit: AlertLimit,
        limits: Limits,
        ledger: DeliveryLedger,
        waiting: WaitingMessages,
        digests: RecordedDigests,
        *,
        account: str,
        region: str,
        command: str,
        has_time: Callable[[], bool] = lambda: True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limit = limit
        self._limits = limits
        self._ledger = ledger
        self._waiting = waiting
        self._digests = digests
        self._account = account
        self._region = region
        self._command = command
        self._has_time = has_time
        self._clock = clock

    def send(self, channel: AlertChannel) -> list[DeliveryResult]:
        """Send what waits; return a result for each message.

        Nothing if another invocation does it. What is not sent waits on: maintenance requests it again. The errors of
        the channel are raised: then the message that requests this is delivered again.
        """
        now = self._clock()
        try:
            claim = self._ledger.claim(WAITING, channel.name, _number(now), now)
        except DeliveryBusyError:
            return []
        if isinstance(claim, Skip):
            return []
        results: list[DeliveryResult] = []
        try:
            items = list(self._waiting.items(channel.name))
            while items and self._has_time():
                message, reported = self._next(items, channel)
                reference, outcome = None, DeliveryOutcome.NO_DIGEST
                if message is not None:
                    reference, outcome = send_within(self._limits, channel, message), DeliveryOutcome.DELIVERED
                results.append(DeliveryResult(channel=channel.name, outcome=outcome, reference=reference))
                self._waiting.sent(claim, reported)
                items = [item for item in items if item not in reported]
        except ChannelLimitError:
            results.append(DeliveryResult(channel=channel.name, outcome=DeliveryOutcome.WAITS_FOR_DIGEST))
        finally:
            self._ledger.release(claim)
        return results

    def _next(
        self, items: Sequence[WaitingItem], channel: AlertChannel
    ) -> tuple[Message | None, Sequence[WaitingItem]]:
        """Return the next message and what it reports: the digests first. None for a digest that cannot be read."""
        waits = next((item for item in items if DIGEST_ID.fullmatch(item.id)), None)
        if waits is not None:
            digest = None
            with suppress(*UNREADABLE):  # it must not keep the others from being sent
                digest = self._digests.digest(waits.id)
            return (compose_digest(digest) if digest else None), (waits,)
        made = waiting_digest(
            items,
            channel.name,
            self._limit,
            account=self._account,
            region=self._region,
            now=self._clock().isoformat(timespec="seconds"),
            command=self._command,
            shows_all=partial(shows_all, channel),
        )
        return made.message, made.items


def _number(now: datetime) -> int:
    """Return a number that is higher at each later time: the claim of a run is newer than that of the one before."""
    return (now - _EPOCH) // timedelta(milliseconds=1)
