"""Which exceptions expire soon, and which match nothing. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.maintenance.state import ExceptionMemory
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from permission_guard.config.document import ExceptionEntry, GuardConfig

WARN_BEFORE: Final = timedelta(days=7)
"""How long before its end the owner of an exception is named in a digest."""

STALE_AFTER: Final = timedelta(days=30)
"""After how long without a finding an exception is reported as stale, and then reported again."""

_MOST_LINES: Final = 50
_DATE: Final = len("2026-11-20")


@record
class Review:
    """What a run found out about the exceptions: what to remember, and what to report."""

    memory: Mapping[str, ExceptionMemory]
    expiring: tuple[ExceptionEntry, ...] = ()
    stale: tuple[ExceptionEntry, ...] = ()
    about: tuple[str, ...] = ()


def review(memory: Mapping[str, ExceptionMemory], config: GuardConfig, matched: Collection[str], now: str) -> Review:
    """Return what to remember and to report of the exceptions; `matched` are the ids of those that suppress a finding.

    What left the configuration is forgotten. `about` names what is reported: the same until it was remembered.
    """
    time = datetime.fromisoformat(now)
    after: dict[str, ExceptionMemory] = {}
    expiring: list[ExceptionEntry] = []
    stale: list[ExceptionEntry] = []
    about: list[str] = []
    for entry in config.exceptions:
        known = memory.get(entry.id) or ExceptionMemory(first_seen=now)
        if entry.id in matched:
            known = replace(known, last_matched=now)
        expires = entry.expires.astimezone(UTC).isoformat(timespec="seconds")
        if time < entry.expires <= time + WARN_BEFORE and known.warned_of != expires:
            known = replace(known, warned_of=expires)
            expiring.append(entry)
            about.append(f"{entry.id} expires {expires}")
        since = max(filter(None, (known.first_seen, known.last_matched, known.reported)), key=datetime.fromisoformat)
        if time < entry.expires and time >= datetime.fromisoformat(since) + STALE_AFTER:
            known = replace(known, reported=now)
            stale.append(entry)
            about.append(f"{entry.id} stale since {since}")
        after[entry.id] = known
    return Review(after, tuple(expiring), tuple(stale), tuple(about))


def exceptions_digest(found: Review, *, account: str, region: str, now: str) -> Digest | None:
    """Return the digest about exceptions, None if there is nothing to report."""
    if not found.about:
        return None
    soon, unused = len(found.expiring), len(found.stale)
    parts = (
        _part("Expire within a week", [_expiring(entry) for entry in found.expiring]),
        _part("Matched no finding for 30 days", [_stale(entry, found.memory[entry.id]) for entry in found.stale]),
    )
    return Digest(
        id=digest_id(DigestKind.EXCEPTIONS, account, region, *found.about),
        kind=DigestKind.EXCEPTIONS,
        account=account,
        region=region,
        created_at=now,
        title=f"Exceptions: {soon} expire soon, {unused} match nothing",
        summary=(
            "When an exception expires, its findings are open again. Extend or remove it in the configuration document."
            if soon
            else "Remove an exception that is no longer needed from the configuration document."
        ),
        parts=tuple(part for part in parts if part.lines),
    )


def _expiring(entry: ExceptionEntry) -> str:
    return f"{entry.id}: {entry.owner}, until {entry.expires.astimezone(UTC).isoformat()[:_DATE]}. {entry.reason}"


def _stale(entry: ExceptionEntry, memory: ExceptionMemory) -> str:
    last = f"last matched {memory.last_matched[:_DATE]}" if memory.last_matched else "never matched"
    return f"{entry.id}: {entry.owner}, {last}. {entry.reason}"


def _part(title: str, lines: Sequence[str]) -> DigestPart:
    omitted = len(lines) - _MOST_LINES
    return DigestPart(title, (*lines[:_MOST_LINES], f"and {omitted} more") if omitted > 0 else tuple(lines))
