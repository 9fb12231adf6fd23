"""The periodic digest: what is open, which exceptions need attention, and what could not be evaluated. Pure."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from permission_guard.config.document import Period
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.config.document import Alerts, ExceptionEntry
    from permission_guard.model.findings import Finding

OLDEST: Final = 5
"""How many of the findings that are open for longest a digest names."""

_LINES: Final = 12
"""How many lines a list has: Slack shows 2,500 characters of it."""
_LONGEST_LINE: Final = 180
_DATE: Final = len("2026-11-20")
_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}
_ARN: Final = re.compile(r"arn:[^\s,;'\")]+")


def period_of(alerts: Alerts, now: str) -> str:
    """Return the day on which the current period began, such as `2026-11-30`; empty if there is no periodic digest.

    A day begins at the hour of the configuration in UTC, and a week on Monday.
    """
    if alerts.digest is Period.OFF:
        return ""
    day = (datetime.fromisoformat(now).astimezone(UTC) - timedelta(hours=alerts.digest_hour)).date()
    if alerts.digest is Period.WEEKLY:
        day -= timedelta(days=day.weekday())
    return day.isoformat()


class Summary:
    """Counts what a periodic digest reports."""

    def __init__(self) -> None:
        self._severities: Counter[Severity] = Counter()
        self._rules: Counter[tuple[Severity, str, str]] = Counter()
        self._accounts: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._oldest: list[tuple[str, str, str]] = []
        self._causes: Counter[str] = Counter()

    def add(self, finding: Finding) -> None:
        """Count an open finding."""
        self._severities[finding.severity] += 1
        self._rules[finding.severity, finding.rule_id, finding.rule_name] += 1
        self._accounts[finding.account] += 1
        self._owners[finding.owner or "no owner tag"] += 1
        line = f"since {finding.first_seen[:_DATE]} [{finding.severity.upper()}] {finding.rule_id} {finding.title}"
        self._oldest = nsmallest(OLDEST, [*self._oldest, (finding.first_seen, finding.id, line)])

    def add_unknown(self, text: str) -> None:
        """Count a verdict that a check could not reach: its rule and its reason. ARNs make no other cause of it."""
        self._causes[_ARN.sub("(ARN)", text)] += 1

    def digest(
        self,
        period: str,
        *,
        suppressed: int,
        expiring: Iterable[ExceptionEntry],
        stale: Iterable[ExceptionEntry],
        unread: int,
        dead_letters: Iterable[tuple[str, int]],
        account: str,
        region: str,
        now: str,
        command: str,
    ) -> Digest:
        """Return the digest of a period.

        `unread` is how many functions and roles have findings that could not be counted, and `dead_letters` how many
        messages each dead-letter queue has.
        """
        total = self._severities.total()
        counts = ", ".join(f"{self._severities[one]} {one}" for one in reversed(Severity) if self._severities[one])
        waiting = [f"{name}: {count}" for name, count in dead_letters if count]
        parts = (
            DigestPart("By rule", tuple(self._by_rule())),
            DigestPart("By account", tuple(_counted(self._accounts)) if len(self._accounts) > 1 else ()),
            DigestPart("By owner", tuple(_counted(self._owners))),
            DigestPart("Open for longest", tuple(_cut(line) for _, _, line in self._oldest)),
            DigestPart("Exceptions that expire within a week", tuple(_named(expiring))),
            DigestPart("Exceptions that matched nothing for 30 days", tuple(_named(stale))),
            DigestPart("Could not be evaluated, by cause", tuple(_counted(self._causes))),
            DigestPart("Messages in dead-letter queues", tuple(waiting)),
            DigestPart("Not complete", (f"Functions and roles that could not be read: {unread}.",) if unread else ()),
        )
        return Digest(
            id=digest_id(DigestKind.SUMMARY, account, region, period),
            kind=DigestKind.SUMMARY,
            account=account,
            region=region,
            created_at=now,
            title=f"{total or 'No'} open {'finding' if total == 1 else 'findings'} in {account}, {region}",
            summary=f"Open: {counts or 'none'}. Suppressed: {suppressed}. The bot is running.",
            parts=tuple(part for part in parts if part.lines),
            command=command if total else "",
        )

    def _by_rule(self) -> Iterator[str]:
        ordered = sorted(self._rules.items(), key=lambda one: (-_RANKS[one[0][0]], -one[1], one[0][1]))
        lines = [_cut(f"{count} {severity}: {rule_id} {name}") for (severity, rule_id, name), count in ordered]
        return _first(lines)


def _counted(counter: Counter[str]) -> Iterator[str]:
    ordered = sorted(counter.items(), key=lambda one: (-one[1], one[0]))
    return _first([_cut(f"{count}: {name}") for name, count in ordered])


def _named(entries: Iterable[ExceptionEntry]) -> Iterator[str]:
    return _first([_cut(f"{one.id}: {one.owner}, until {one.expires.date().isoformat()}") for one in entries])


def _first(lines: list[str]) -> Iterator[str]:
    """Yield the first lines, and how many more there are."""
    yield from lines[:_LINES]
    if len(lines) > _LINES:
        yield f"{len(lines) - _LINES} more"


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
