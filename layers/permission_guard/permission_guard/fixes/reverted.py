"""A fix that somebody takes back: who undoes the same fix twice wants it gone, and a person has to settle that."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

from permission_guard.errors import FixRefusedError
from permission_guard.findings.role_permissions import CLOCK_SKEW
from permission_guard.model.findings import FixResult, RevertedFix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.findings import FixRecord
    from permission_guard.model.role_permissions import RoleChange

MAX_REVERTED: Final = 2
"""So many times the same caller may undo the fix of a finding."""

_SESSION: Final = re.compile(r"(arn:[^:]+:sts::\d+:assumed-role/.+)/[^/]+")


def reverted_fixes(
    fix: FixRecord | None, changes: Iterable[RoleChange], *, is_applied: bool
) -> tuple[RevertedFix, ...]:
    """Return which fixes of a finding were taken back, with the last one if AWS no longer shows it.

    `fix` is the record of the last fix, `changes` the calls that removed what is missing now, and `is_applied` whether
    AWS shows the last fix. Who took it back is empty if no event names a call after the fix.
    """
    if fix is None:
        return ()
    if fix.result is not FixResult.APPLIED or is_applied or any(one.attempt == fix.attempts for one in fix.reverted):
        return fix.reverted
    since = datetime.fromisoformat(fix.at) - CLOCK_SKEW
    known = {one.event_id for one in fix.reverted}
    later = [one for one in changes if datetime.fromisoformat(one.at) >= since and one.event_id not in known]
    last = max(later, key=lambda one: datetime.fromisoformat(one.at), default=None)
    found = RevertedFix(fix.attempts, last.by, last.api, last.at, last.event_id) if last else RevertedFix(fix.attempts)
    return (*fix.reverted, found)


def guard_reverted(reverted: Iterable[RevertedFix]) -> None:
    """Refuse a fix that the same caller undid twice. An undoing that no event names can be anybody's."""
    every = list(reverted)
    unnamed = sum(not one.by for one in every)
    callers = Counter(_principal(one.by) for one in every if one.by)
    principal, count = next(iter(callers.most_common(1)), ("", 0))
    if count + unnamed < MAX_REVERTED:
        return
    whose = [one for one in every if not one.by or _principal(one.by) == principal]
    who = "; ".join(
        f"{one.by} with {one.api} on {one.at}" if one.by else f"someone whom no event names, after fix {one.attempt}"
        for one in whose
    )
    raise FixRefusedError(f"The fix was undone {len(whose)} times: {who}. Manual action required: agree with them.")


def _principal(arn: str) -> str:
    """Return the role of a session: each run of a pipeline has a session of its own."""
    session = _SESSION.fullmatch(arn)
    return session[1] if session else arn
