"""What AWS reports of a function: its state, and its last update.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.model.state import Function
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Unread

STATE: Final = "State"
_ATTRIBUTES: Final = (STATE, "LastUpdateStatus")

WORKING: Final = frozenset({"Active", "Successful"})
CHANGING: Final = frozenset({"Pending", "InProgress"})
"""The function is being created or updated: AWS reports the result later."""


@record
class Health:
    """What AWS reports of a function or a version: `attribute` is `State` or `LastUpdateStatus`, `status` its value."""

    attribute: str
    status: str
    code: str
    message: str


def health_of(function: Function) -> Iterator[Health]:
    """Yield what AWS reports of a function's state and of its last update; nothing of what it does not report."""
    for attribute in _ATTRIBUTES:
        status, code, message = (
            str(function.configuration.get(f"{attribute}{suffix}") or "") for suffix in ("", "ReasonCode", "Reason")
        )
        if status:
            yield Health(attribute, status, code, message)


def is_being_changed(function: Function) -> bool:
    """Return whether the function is being created or updated."""
    return any(health.status in CHANGING for health in health_of(function))


JUST_NOW: Final = timedelta(minutes=15)
"""How long after a change of a function IAM may show another state than the one that the function was changed with."""


def was_changed_just_now(function: Function | Unread | None, now: str) -> bool:
    """Return whether a function was created or changed within the last minutes; false if that is unknown."""
    if not isinstance(function, Function):
        return False
    try:
        changed_at = datetime.fromisoformat(str(function.configuration.get("LastModified", "")))
        return datetime.fromisoformat(now) - changed_at < JUST_NOW
    except (TypeError, ValueError):
        return False
