"""The current time, in the format of all recorded times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc_now(*, after: float = 0.0) -> str:
    """Return the current time plus `after` seconds, as ISO-8601 in UTC: `2026-11-20T09:30:00.123+00:00`."""
    return (datetime.now(UTC) + timedelta(seconds=after)).isoformat(timespec="milliseconds")
