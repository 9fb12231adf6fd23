"""The limit of an alert channel: whether a message may be sent now, and what becomes of it otherwise.

Nothing is dropped. A finding without a place waits, with the record of its delivery, and a digest reports it. As long
as it waits, its later revisions wait, too: they replace it, so that none is sent before it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.delivery.ledger import KEEP_RESOLVED, expires_at
from permission_guard.delivery.waiting import waiting_finding
from permission_guard.errors import ChannelLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.config.document import AlertLimit
    from permission_guard.delivery.ledger import Claim
    from permission_guard.delivery.waiting import MessageQuota, WaitingMessages
    from permission_guard.model.findings import Finding

FOR_DIGESTS: Final = 1
"""How many messages of its limit a channel keeps for digests: alerts alone must not use it up."""


class Limits(Protocol):
    """Decides what may be sent, and keeps what may not."""

    def is_waiting(self, channel: str, identifier: str) -> bool:
        """Return whether an earlier revision of a finding waits."""

    def take(self, channel: str, *, spare: int = 0) -> None:
        """Count a message that is about to be sent. ChannelLimitError if it must not be sent now.

        `spare` is how many more messages must be left then.
        """

    def postpone(self, claim: Claim, finding: Finding) -> None:
        """Let a claimed finding wait for a digest, and record its delivery."""

    def postpone_digest(self, claim: Claim) -> None:
        """Let a claimed digest wait until the limit allows it, and record its delivery."""


class ChannelLimits:
    """The limits of all channels."""

    def __init__(
        self,
        limit: AlertLimit,
        quota: MessageQuota,
        waiting: WaitingMessages,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limit = limit
        self._quota = quota
        self._waiting = waiting
        self._clock = clock

    def is_waiting(self, channel: str, identifier: str) -> bool:
        """Return whether an earlier revision of a finding waits."""
        return self._waiting.item(channel, identifier) is not None

    def take(self, channel: str, *, spare: int = 0) -> None:
        """Count a message that is about to be sent. ChannelLimitError if it must not be sent now."""
        if not self._quota.take(channel, self._limit, self._clock(), spare=spare):
            raise ChannelLimitError(
                f"{channel} got {self._limit.messages - spare} messages in {self._limit.minutes} minutes, "
                "as many as alerts.limit allows"
            )

    def postpone(self, claim: Claim, finding: Finding) -> None:
        """Let a claimed finding wait for a digest, and record its delivery."""
        before = self._waiting.item(claim.channel, finding.id)
        waiting = waiting_finding(finding, before.finding if before else None)
        self._waiting.postpone(claim, waiting, expires_at(finding, self._clock()))

    def postpone_digest(self, claim: Claim) -> None:
        """Let a claimed digest wait until the limit allows it, and record its delivery."""
        self._waiting.postpone(claim, None, self._clock() + KEEP_RESOLVED)
