"""What time it is, in the one form in which it is recorded."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> str:
    """Return the time in UTC as ISO-8601 with milliseconds: `2026-11-20T09:30:00.123+00:00`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
