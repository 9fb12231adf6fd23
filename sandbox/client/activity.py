"""Print what the bot has done since the last call, one line for each change, for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client.watcher import Finding, Watcher


def _now() -> datetime:
    return datetime.now(UTC)


class Activity:
    """Compare the bot's findings, fixes, alerts and OpsItems with those of the previous call."""

    def __init__(self, watcher: Watcher, clock: Callable[[], datetime] = _now) -> None:
        self._watcher, self._clock = watcher, clock
        self._statuses: dict[str, str] = {}
        self._fixes: dict[str, dict[str, Any]] = {}
        self._alerts = 0
        self._tickets: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        """Yield a line for each finding, fix, alert and OpsItem that is new or has changed."""
        time = f"{self._clock():%H:%M:%S}"
        for label, text in (*self._new_findings(), *self._new_alerts(), *self._new_tickets()):
            yield f"{time}  Permission Guard: {label:<22} {text}"

    def _new_findings(self) -> Iterator[tuple[str, str]]:
        for finding in self._watcher.findings():
            number, status, fix = finding["id"], finding["status"], finding.get("fix") or {}
            if self._statuses.get(number) != status:
                self._statuses[number] = status
                yield f"finding {status}", _title(finding)
            if fix and self._fixes.get(number) != fix:
                self._fixes[number] = fix
                yield f"fix {fix['result']}", f"{finding['rule_id']}: {fix['summary']}"

    def _new_alerts(self) -> Iterator[tuple[str, str]]:
        alerts = self._watcher.inbox()
        for alert in alerts[self._alerts :]:
            yield "alert", alert["Subject"]
        self._alerts = len(alerts)

    def _new_tickets(self) -> Iterator[tuple[str, str]]:
        for item in self._watcher.tickets():
            number, status = item["OpsItemId"], item["Status"]
            if self._tickets.get(number) != status:
                self._tickets[number] = status
                yield f"OpsItem {status}", f"{number}: {item['Title']}"


def _title(finding: Finding) -> str:
    return f"{finding['rule_id']} ({finding['severity']}): {finding['title']}"
