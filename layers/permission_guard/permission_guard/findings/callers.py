"""Remember who changes a function and its roles: infrastructure code is known by its callers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.model.documents import known_fields
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.model.targets import JSON

KEEP_CALLERS: Final = timedelta(days=400)
MAX_CALLERS: Final = 10


@record
class Caller:
    """Who changed a function or one of its roles: the ARN, and the infrastructure code that made the call.

    Each is empty if the event does not have it. `day` is the last day of a change, such as `2026-11-20`.
    """

    by: str
    tool: str
    day: str = ""


def remembered_callers(known: Iterable[Caller], new: Iterable[Caller], now: str) -> tuple[Caller, ...]:
    """Return the callers of the last 400 days, each once with its last day, at most the last ten.

    `now` is ISO-8601 in UTC. A caller without a name and a tool is nobody, and is left out.
    """
    today = now[: len("2026-11-20")]
    callers = {(each.by, each.tool): each.day for each in known if _age(each.day, today) <= KEEP_CALLERS}
    for each in new:
        if each.by or each.tool:
            callers.pop((each.by, each.tool), None)
            callers[each.by, each.tool] = today
    return tuple(Caller(by, tool, day) for (by, tool), day in callers.items())[-MAX_CALLERS:]


def caller_of(document: Mapping[str, JSON]) -> Caller:
    """Read a caller; one of UNREADABLE if the document is not one."""
    caller = Caller(**known_fields(Caller, document))
    datetime.fromisoformat(caller.day)
    return caller


def _age(day: str, today: str) -> timedelta:
    return datetime.fromisoformat(today) - datetime.fromisoformat(day)
