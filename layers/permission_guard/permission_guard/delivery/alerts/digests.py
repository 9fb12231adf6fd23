"""How a digest reaches every alert channel, once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.delivery.alerts.base import send_within, to_every_channel
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.ledger import deliver_once
from permission_guard.errors import UnrecordedTransitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.ledger import DeliveryLedger, DeliveryResult
    from permission_guard.delivery.limits import Limits
    from permission_guard.model.digests import Digest


class RecordedDigests(Protocol):
    """Reads digests."""

    def digest(self, digest_id: str) -> Digest | None:
        """Return a digest, None if there is none."""


def send_digest(
    digest_id: str,
    digests: RecordedDigests,
    channels: Sequence[AlertChannel],
    ledger: DeliveryLedger,
    limits: Limits | None = None,
) -> list[DeliveryResult]:
    """Send the digest that a message names to every channel, once each. It waits if `limits` do not let it through.

    UnrecordedTransitionError if there is no such digest. After all channels were tried, DeliveryError names those that
    failed.
    """
    digest = digests.digest(digest_id)
    if digest is None:
        raise UnrecordedTransitionError(f"a message names the digest {digest_id}, which does not exist")
    message = compose_digest(digest)
    return to_every_channel(
        channels,
        lambda channel: deliver_once(
            ledger,
            channel.name,
            digest.id,
            lambda: send_within(limits, channel, message),
            postpone=limits.postpone_digest if limits else None,
        ),
        what=f"digest {digest.id}",
    )
