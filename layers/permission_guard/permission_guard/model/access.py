"""Which actions a caller is allowed."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.records import record


class Decision(StrEnum):
    """Whether a caller is allowed an action on all resources."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@record(order=True)
class Access:
    """The decision about one action, with its reason. The reason of what is allowed is empty."""

    action: str
    decision: Decision
    reason: str = ""
