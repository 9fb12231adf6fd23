"""Which exceptions expire soon, and which match nothing. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.maintenance.state import ExceptionMemory
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from permission_guard.config.document import ExceptionEntry, GuardConfig

WARN_BEFORE: Final = timedelta(days=7)
"""How long before its end the owner of an exception is named in a digest."""

STALE_AFTER: Final = timedelta(days=30)
"""After how long without a finding an exception is reported as stale, and then reported again."""

MOST_REPORTED: Final = 24
"""How many lines a run reports: every channel shows all of them. The next run reports the others."""

_LINES_A_PART: Final = 8
"""Slack shows 2,500 characters of a part, and a line has up to 300."""
_DATE: Final = len("2026-11-20")


@record
class Review:
    """What a run found out about the exceptions: what to remember, and what to report."""

    memory: Mapping[str, ExceptionMemory]
    expiring: tuple[ExceptionEntry, ...] = ()
    stale: tuple[ExceptionEntry, ...] = ()
    about: tuple[str, ...] = ()


def review(
    memory: Mapping[str, ExceptionMemory], config: GuardConfig, matched: Collection[str], *, account: str, now: str
) -> Review:
    """Return what to remember and to report of the exceptions; `matched` are the ids of those that suppress a finding.

    What left the configuration, or is only for other accounts, is forgotten. `about` names what is reported: the same
    until it was remembered. What is not reported yet is due in the next run, too.
    """
    time = datetime.fromisoformat(now)
    own = [entry for entry in config.exceptions if not entry.accounts or account in entry.accounts]
    after = {entry.id: memory.get(entry.id) or ExceptionMemory(first_seen=now) for entry in own}
    after |= {name: replace(known, last_matched=now) for name, known in after.items() if name in matched}
    # What ends first is reported first.
    soon = [entry for entry in own if _is_to_warn_of(entry, after[entry.id], time)]
    expiring = sorted(soon, key=lambda entry: entry.expires)[:MOST_REPORTED]
    unused = [entry for entry in own if _is_to_report(entry, after[entry.id], time)]
    stale = unused[: MOST_REPORTED - len(expiring)]
    about = (
        *(f"{entry.id} expires {_end(entry)}" for entry in expiring),
        *(f"{entry.id} stale since {_stale_since(after[entry.id])}" for entry in stale),
    )
    after |= {entry.id: replace(after[entry.id], warned_of=_end(entry)) for entry in expiring}
    after |= {entry.id: replace(after[entry.id], reported=now) for entry in stale}
    return Review(after, tuple(expiring), tuple(stale), about)


def needing_attention(
    memory: Mapping[str, ExceptionMemory], config: GuardConfig, *, account: str, now: str
) -> tuple[list[ExceptionEntry], list[ExceptionEntry]]:
    """Return the exceptions that expire soon, and those that match nothing, whether or not they were reported."""
    time = datetime.fromisoformat(now)
    own = [entry for entry in config.exceptions if not entry.accounts or account in entry.accounts]
    unreported = {name: replace(one, warned_of="", reported="") for name, one in memory.items()}
    known = {entry.id: unreported.get(entry.id) or ExceptionMemory(first_seen=now) for entry in own}
    expiring = [entry for entry in own if _is_to_warn_of(entry, known[entry.id], time)]
    return expiring, [entry for entry in own if _is_to_report(entry, known[entry.id], time)]


def exceptions_digest(found: Review, *, account: str, region: str, now: str, revision: int) -> Digest | None:
    """Return the digest about exceptions, None if there is nothing to report.

    `revision` is that of the memory that was reviewed: no other run that is remembered has the digest's id.
    """
    if not found.about:
        return None
    soon, unused = len(found.expiring), len(found.stale)
    parts = (
        *_parts("Expire within a week", [_expiring(entry) for entry in found.expiring]),
        *_parts("Matched no finding for 30 days", [_stale(entry, found.memory[entry.id]) for entry in found.stale]),
    )
    return Digest(
        id=digest_id(DigestKind.EXCEPTIONS, account, region, str(revision), *found.about),
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
        parts=parts,
    )


def _is_to_warn_of(entry: ExceptionEntry, known: ExceptionMemory, time: datetime) -> bool:
    return time < entry.expires <= time + WARN_BEFORE and known.warned_of != _end(entry)


def _is_to_report(entry: ExceptionEntry, known: ExceptionMemory, time: datetime) -> bool:
    return time < entry.expires and time >= datetime.fromisoformat(_stale_since(known)) + STALE_AFTER


def _stale_since(known: ExceptionMemory) -> str:
    return max(filter(None, (known.first_seen, known.last_matched, known.reported)), key=datetime.fromisoformat)


def _end(entry: ExceptionEntry) -> str:
    return entry.expires.astimezone(UTC).isoformat(timespec="seconds")


def _expiring(entry: ExceptionEntry) -> str:
    return f"{entry.id}: {entry.owner}, until {_end(entry)[:_DATE]}. {entry.reason}"


def _stale(entry: ExceptionEntry, memory: ExceptionMemory) -> str:
    last = f"last matched {memory.last_matched[:_DATE]}" if memory.last_matched else "never matched"
    return f"{entry.id}: {entry.owner}, {last}. {entry.reason}"


def _parts(title: str, lines: Sequence[str]) -> Iterator[DigestPart]:
    for start in range(0, len(lines), _LINES_A_PART):
        yield DigestPart(f"{title}, continued" if start else title, tuple(lines[start : start + _LINES_A_PART]))
