"""The baseline: what the first sweep of an account and region finds goes to one digest. Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, Self

from permission_guard.model.documents import known_fields
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

MAX_OPEN: Final = timedelta(hours=3)
"""How long a baseline is open at most: until then, each function of the first list was checked, or it is named."""


class BaselineStatus(StrEnum):
    """The state of a baseline.

    `open`: checks of the first sweep run. `closing`: what is found from now on is alerted as always, and the digest is
    about to be sent. `closed`: it was sent, or there was none to send.
    """

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@record(kw_only=True)
class Baseline:
    """The baseline of one account and region. Times are ISO-8601 in UTC.

    `after` is the ARN of a function: all functions up to it, in the order of their ARNs, were checked. `unchecked` is
    how many functions were not when it was closed. `digest_id` is empty if there is no digest. `revision` counts the
    writes.
    """

    status: BaselineStatus
    opened_at: str
    after: str = ""
    closed_at: str = ""
    unchecked: int = 0
    digest_id: str = ""
    revision: int = 0

    def is_open(self, now: str) -> bool:
        """Return whether the sweep's checks belong to the baseline."""
        return self.status is BaselineStatus.OPEN and not self.is_overdue(now)

    def is_overdue(self, now: str) -> bool:
        """Return whether it has been open for as long as it may be."""
        return datetime.fromisoformat(now) >= datetime.fromisoformat(self.opened_at) + MAX_OPEN

    def reports(self, finding: Finding) -> bool:
        """Return whether the digest reports a finding: it was opened by a check of the baseline, before its end."""
        if not finding.baseline or (self.status is BaselineStatus.CLOSED and not self.digest_id):
            return False
        return not self.closed_at or (
            datetime.fromisoformat(finding.first_seen) <= datetime.fromisoformat(self.closed_at)
        )

    def to_document(self) -> dict[str, JSON]:
        """Return the baseline as JSON values."""
        return {**asdict(self), "status": str(self.status)}

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a baseline. One of UNREADABLE if it is invalid; unknown fields are ignored."""
        fields = known_fields(cls, document)
        baseline = cls(**{**fields, "status": BaselineStatus(fields["status"])})
        for time in (baseline.opened_at, baseline.closed_at or baseline.opened_at):
            if datetime.fromisoformat(time).tzinfo is None:
                raise ValueError(f"not a time in UTC: {time!r:.50}")
        return baseline


class Baselines(Protocol):
    """Stores the baseline."""

    def baseline(self) -> Baseline | None:
        """Return the baseline, None if the first sweep has not begun. One that cannot be read is closed."""

    def put_baseline(self, baseline: Baseline) -> Baseline:
        """Store a baseline; return it with its new revision. ConflictError if another run has stored one since."""
