"""A delivery ledger in a dictionary, for the tests of what uses one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from permission_guard.delivery.ledger import Claim, Delivery, Skip, skip_reason

if TYPE_CHECKING:
    from datetime import datetime

    from permission_guard.model.findings import Finding


class MemoryLedger:
    """Keeps each delivery and its lock."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Delivery] = {}
        self.expires_at: datetime | None = None

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        held = self.held.get((finding_id, channel), Delivery())
        skip = skip_reason(held, revision, now)
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
            delivered=held.revision or 0,
        )

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        self.held[claim.finding_id, claim.channel] = Delivery(revision=claim.revision, reference=reference)
        self.expires_at = expires_at

    def release(self, claim: Claim) -> None:
        key = claim.finding_id, claim.channel
        self.held[key] = replace(self.held[key], locked_until=None)

    def repair(self, finding_id: str, channel: str, revision: int) -> None:
        if self.held[finding_id, channel].revision == revision:
            self.held[finding_id, channel] = replace(self.held[finding_id, channel], revision=None)


def unread() -> Finding:
    """Stand for a finding that must not be read."""
    raise AssertionError("the finding was read, and need not be")
