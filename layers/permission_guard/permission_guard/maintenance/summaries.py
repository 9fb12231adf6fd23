"""How the periodic digest is made: what it reads, and what becomes of what cannot be read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from permission_guard.maintenance.exceptions import needing_attention
from permission_guard.maintenance.summary import Summary
from permission_guard.model.findings import Status
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.config.document import GuardConfig
    from permission_guard.maintenance.state import MaintenanceState
    from permission_guard.maintenance.stores import DeadLetterCounts, Findings, FirstList, MaintenanceStore
    from permission_guard.model.digests import Digest

_Read = TypeVar("_Read")
_Default = TypeVar("_Default")


@record
class Sources:
    """What a digest is made of."""

    findings: Findings
    store: MaintenanceStore
    functions: FirstList
    dead_letters: DeadLetterCounts


@record
class Summarized:
    """A digest, and what could not be read for it, with the reasons."""

    digest: Digest
    failures: tuple[str, ...]


def summarize(
    sources: Sources,
    state: MaintenanceState,
    config: GuardConfig,
    period: str,
    *,
    account: str,
    region: str,
    now: str,
    command: str,
) -> Summarized:
    """Return the digest of a period. What cannot be read is left out, and keeps nothing else from being reported."""
    summary, failures, unread = Summary(), list[str](), 0

    def tried(what: str, read: Callable[[], _Read], default: _Default) -> _Read | _Default:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - a digest without it is better than none
            failures.append(f"{what}: {type(error).__name__}: {error}")
            return default

    for target in dict.fromkeys(target for target, _ in sources.findings.keys_of(Status.OPEN)):
        recorded = tried(target.arn, partial(sources.findings.findings_of, target), None)
        unread += recorded is None or bool(recorded.unreadable)
        for finding in recorded.findings if recorded else ():
            if finding.status is Status.OPEN:
                summary.add(finding)
    for text in tried("unknowns", lambda: sources.store.unknowns(sources.functions.functions() or ()), ()):
        summary.add_unknown(text)
    expiring, stale = needing_attention(state.exceptions, config, account=account, now=now)
    digest = summary.digest(
        period,
        suppressed=sum(1 for _ in sources.findings.keys_of(Status.SUPPRESSED)),
        expiring=expiring,
        stale=stale,
        unread=unread,
        dead_letters=tried("dead-letter queues", sources.dead_letters.counts, ()),
        account=account,
        region=region,
        now=now,
        command=command,
    )
    return Summarized(digest, tuple(failures))
