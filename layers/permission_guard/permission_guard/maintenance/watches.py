"""Which narrowed functions are no longer invoked: which fix is to be undone, and which digest is sent. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.findings.lifecycle import Change, undo_requested
from permission_guard.findings.watch import BOT, Watched, in_words
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.state import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.findings.watch import Observation
    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.metrics import MetricReader

_EVERY: Final = timedelta(minutes=15)
"""How much of a watch is left at its last run, at most: one starts every ten minutes."""


@record
class Watch:
    """What the metrics of a watched fix lead to: a request to undo it, or a digest that is sent once, or nothing."""

    change: Change | None = None
    digest: Digest | None = None
    unread: str = ""


def watch(finding: Finding, fix: FixRecord, metrics: MetricReader, now: str, hours: int) -> Watch:
    """Return what the metrics of a finding's applied narrowing lead to."""
    watched, time = Watched.of(fix, fix.at), datetime.fromisoformat(now)
    seen = watched.read(metrics, time)
    if isinstance(seen, Unread):
        return Watch(digest=_unreadable(finding, fix, watched, seen, now), unread=str(seen))
    if seen.why_undone:
        # It was requested before and refused: that is alerted, and not repeated.
        if fix.undo_record is not None and fix.undo_record.by == BOT:
            return Watch()
        requested = undo_requested(finding, fix, by=BOT, at=now, reason=seen.why_undone)
        return Watch(Change(requested, finding.revision))
    is_last = time + _EVERY >= watched.applied_at + timedelta(hours=hours)
    return Watch(digest=_silent(finding, fix, watched, seen, now) if seen.is_silent(is_last=is_last) else None)


def _silent(finding: Finding, fix: FixRecord, watched: Watched, seen: Observation, now: str) -> Digest:
    return _digest(
        finding,
        fix,
        watched,
        now,
        title=f"{_name(watched)}: no invocation since its policy was narrowed",
        summary=f"In the {in_words(seen.span)} since the fix nothing has invoked {watched.resource_arn}. In the seven "
        f"days before, from its first invocation on, it was never without one for longer than "
        f"{in_words(seen.longest_silence)}. Nothing was undone: no failed "
        "delivery is known. Check whether a source is missing, and undo the fix if so.",
    )


def _unreadable(finding: Finding, fix: FixRecord, watched: Watched, unread: Unread, now: str) -> Digest:
    return _digest(
        finding,
        fix,
        watched,
        now,
        title=f"{_name(watched)}: not watched after its policy was narrowed",
        summary=f"The metrics of {watched.resource_arn} could not be read. So the bot does not know whether its "
        f"sources still invoke it, and undoes nothing: {unread}",
    )


def _digest(finding: Finding, fix: FixRecord, watched: Watched, now: str, *, title: str, summary: str) -> Digest:
    return Digest(
        # The title says which of the two it is.
        id=digest_id(DigestKind.WATCH, finding.id, fix.plan_hash, fix.at, title),
        kind=DigestKind.WATCH,
        account=finding.account,
        region=finding.region,
        created_at=now,
        title=title,
        summary=summary,
        parts=(
            DigestPart("The fix", (f"{fix.summary} ({fix.at})",)),
            DigestPart("Sources that are allowed", watched.sources or ("none",)),
            DigestPart("Undo it", (f"permission-guard fixes undo {finding.id}",)),
        ),
    )


def _name(watched: Watched) -> str:
    return watched.resource_arn.partition(":function:")[2] or watched.resource_arn
