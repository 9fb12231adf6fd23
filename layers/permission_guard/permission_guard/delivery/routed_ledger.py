"""The delivery ledger of what routes decide: what began at a destination also ends there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.delivery.ledger import KEEP_RESOLVED, DeliveryOutcome, Skip

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from permission_guard.delivery.ledger import Claim, DeliveryLedger


class RoutedLedger:
    """Skips a finding at a channel that no route sends it to, unless the channel had an earlier message about it.

    So a channel or ticket system also gets the end of what it had before its route was changed or removed.
    `is_routed` takes the id of a finding and the name of a channel in the ledger. With `by_reference` only a delivery
    with a reference counts: a finding that waits for its ticket has none.
    """

    def __init__(
        self, ledger: DeliveryLedger, is_routed: Callable[[str, str], bool], *, by_reference: bool = False
    ) -> None:
        self._ledger = ledger
        self._is_routed = is_routed
        self._by_reference = by_reference

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        """Take the lock for one revision, or return why there is nothing to deliver."""
        claim = self._ledger.claim(finding_id, channel, revision, now)
        if isinstance(claim, Skip) or claim.reference is not None or self._is_routed(finding_id, channel):
            return claim
        if claim.delivered and not self._by_reference:
            return claim
        # The record has no revision: a route can still send this one there.
        self._ledger.complete(replace(claim, revision=0), None, now + KEEP_RESOLVED)
        return Skip(outcome=DeliveryOutcome.NOT_ANNOUNCED, revision=0)

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        """Record the delivery and release the lock."""
        self._ledger.complete(claim, reference, expires_at)

    def release(self, claim: Claim) -> None:
        """Release the lock without a delivery."""
        self._ledger.release(claim)

    def repair(self, finding_id: str, channel: str, revision: int) -> None:
        """Forget a revision that the findings table never had."""
        self._ledger.repair(finding_id, channel, revision)
