"""What a person who follows the bot in a terminal reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from sandbox.client.activity import Activity

if TYPE_CHECKING:
    from sandbox.client.watcher import Watcher

FINDING = {"id": "f1", "rule_id": "PG102", "severity": "high", "title": "orders allows any bucket", "status": "open"}
APPLIED = {"result": "applied", "summary": "attached the policy"}
TICKET = {"OpsItemId": "oi-1", "Status": "Open", "Title": "PG102: orders allows any bucket"}


class Account:
    """What is to be seen in the account, in memory."""

    def __init__(self) -> None:
        self.seen: dict[str, list[dict[str, Any]]] = {"findings": [], "alerts": [], "tickets": []}

    def findings(self) -> list[dict[str, Any]]:
        return self.seen["findings"]

    def inbox(self) -> list[dict[str, Any]]:
        return self.seen["alerts"]

    def tickets(self) -> list[dict[str, Any]]:
        return self.seen["tickets"]


def follow(account: Account) -> Activity:
    """Return the activity in an account, at five past nine."""
    return Activity(cast("Watcher", account), lambda: datetime(2026, 11, 20, 21, 5, 41, tzinfo=UTC))


def texts(activity: Activity) -> list[str]:
    """Return the lines that are new, with single spaces."""
    return [" ".join(line.partition("Permission Guard: ")[2].split()) for line in activity.lines()]


def test_findings_alerts_and_tickets_are_a_line_each() -> None:
    """A finding, its alert and its ticket are a line each, with the time."""
    account = Account()
    account.seen = {"findings": [FINDING], "alerts": [{"Subject": "[HIGH] Opened: orders"}], "tickets": [TICKET]}
    activity = follow(account)

    lines = list(activity.lines())

    assert [" ".join(line.split()) for line in lines] == [
        "21:05:41 Permission Guard: finding open PG102 (high): orders allows any bucket",
        "21:05:41 Permission Guard: alert [HIGH] Opened: orders",
        "21:05:41 Permission Guard: OpsItem Open oi-1: PG102: orders allows any bucket",
    ]


def test_what_was_printed_is_not_printed_again() -> None:
    """What was printed is not printed again, until it changes."""
    account = Account()
    account.seen = {"findings": [FINDING], "alerts": [{"Subject": "one"}], "tickets": [TICKET]}
    activity = follow(account)
    texts(activity)

    assert texts(activity) == []

    account.seen["findings"] = [{**FINDING, "status": "resolved", "fix": APPLIED}]
    account.seen["alerts"] = [{"Subject": "one"}, {"Subject": "two"}]
    account.seen["tickets"] = [{**TICKET, "Status": "Resolved"}]
    assert texts(activity) == [
        "finding resolved PG102 (high): orders allows any bucket",
        "fix applied PG102: attached the policy",
        "alert two",
        "OpsItem Resolved oi-1: PG102: orders allows any bucket",
    ]
    assert texts(activity) == []
