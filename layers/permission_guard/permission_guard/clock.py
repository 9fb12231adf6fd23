"""What time it is, in the one form in which it is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc_now(*, after: float = 0.0) -> str:
    """Return the time in UTC, or some seconds later, as ISO-8601 with milliseconds: `2026-11-20T09:30:00.123+00:00`."""
    return (datetime.now(UTC) + timedelta(seconds=after)).isoformat(timespec="milliseconds")
