"""The digest of what the first sweep found. Pure."""

from __future__ import annotations

from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from permission_guard.findings.baseline import Baseline
    from permission_guard.model.findings import Finding

WORST: Final = 10
"""How many findings a digest names."""

_LONGEST_LINE: Final = 300
"""Messages show no more of a line, and a digest must fit an item: the titles of findings are as long as names are."""

_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class BaselineTally:
    """Counts the findings that a baseline reports, and keeps the worst of them."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._counts: Counter[tuple[Severity, str, str]] = Counter()
        self._worst: list[tuple[tuple[int, str, str], str]] = []

    def add(self, finding: Finding) -> None:
        """Count a finding, if it is open and the baseline reports it."""
        if finding.status is not Status.OPEN or not self._baseline.reports(finding):
            return
        self._counts[finding.severity, finding.rule_id, finding.rule_name] += 1
        # The ids make the order of equal ones the same in each run.
        rank = (-_RANKS[finding.severity], finding.rule_id, finding.id)
        line = _cut(f"[{finding.severity.upper()}] {finding.rule_id} {finding.target_arn}: {finding.title}")
        self._worst = nsmallest(WORST, [*self._worst, (rank, line)])

    def digest(self, *, account: str, region: str, now: str, command: str, unread: int = 0) -> Digest:
        """Return the digest. `unread` is how many functions and roles have findings that could not be counted."""
        total = self._counts.total()
        parts = [
            DigestPart("Findings by rule", tuple(self._lines())),
            DigestPart(f"The {min(total, WORST)} worst", tuple(line for _, line in self._worst)),
            DigestPart("Not complete", tuple(self._gaps(unread))),
        ]
        return Digest(
            id=digest_id(DigestKind.BASELINE, account, region, self._baseline.opened_at),
            kind=DigestKind.BASELINE,
            account=account,
            region=region,
            created_at=now,
            title=f"First sweep: {total or 'no'} {'finding' if total == 1 else 'findings'} in {account}, {region}",
            summary=(
                "These findings existed when the bot started. They send no alert and open no ticket of their own, "
                "unless they reopen. From now on, each new finding does."
                if total
                else "No problem was found."
            ),
            parts=tuple(part for part in parts if part.lines),
            command=command if total else "",
        )

    def _lines(self) -> list[str]:
        ordered = sorted(self._counts.items(), key=lambda one: (-_RANKS[one[0][0]], -one[1], one[0][1]))
        return [_cut(f"{count} {severity}: {rule_id} {name}") for (severity, rule_id, name), count in ordered]

    def _gaps(self, unread: int) -> list[str]:
        lines = []
        if self._baseline.unchecked:
            late = self._baseline.unchecked
            lines.append(f"Functions not checked within three hours: {late}. Their findings send alerts as always.")
        if unread:
            lines.append(f"Functions and roles whose findings could not be read: {unread}.")
        return lines


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
