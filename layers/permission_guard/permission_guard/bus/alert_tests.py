"""The event that makes `send_alert` send a test message, and `open_ticket` open a test ticket.

`manage_findings` invokes both with it. It is neither in a queue nor on the bus.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from permission_guard.bus.events import SOURCE
from permission_guard.errors import MalformedEventError
from permission_guard.model.names import REGION
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

TEST_DETAIL_TYPE: Final = "Test Message"

_PATTERNS: Final = {"id": "[0-9a-f]{32}", "by": "arn:[!-~]{1,2044}", "account": "[0-9]{12}"}


@record(kw_only=True)
class AlertTest:
    """A test of alert channels and ticket systems: `by` is the ARN of who requested it, `at` when, ISO-8601 in UTC.

    `manage_findings` proves `by`. Other principals that may invoke the senders can name anybody.
    """

    id: str
    by: str
    at: str
    account: str
    region: str

    @property
    def key(self) -> str:
        """The key in the delivery ledger. A caller chooses `id`, so it must not have the form of a finding's id."""
        return f"test-message/{self.id}"


def alert_test_event(test: AlertTest) -> dict[str, JSON]:
    """Return the event with which a sender is invoked."""
    return {"source": SOURCE, "detail-type": TEST_DETAIL_TYPE, "detail": asdict(test)}


def alert_test_of(event: JSON) -> AlertTest | None:
    """Return the test that an event requests, None for a batch of messages. MalformedEventError if it is not valid."""
    if not isinstance(event, dict) or event.get("detail-type") != TEST_DETAIL_TYPE or "Records" in event:
        return None
    detail = event.get("detail")
    if event.get("source") != SOURCE or not isinstance(detail, dict):
        raise MalformedEventError("the event is no request of a test message")
    return read_alert_test(detail)


def read_alert_test(detail: Mapping[str, JSON]) -> AlertTest:
    """Read the `detail` of the event; MalformedEventError if it is not one."""
    for name, pattern in _PATTERNS.items():
        if not isinstance(detail.get(name), str) or not re.fullmatch(pattern, detail[name]):
            raise MalformedEventError(f"the test message has no valid `{name}`")
    at, region = detail.get("at"), detail.get("region")
    if not isinstance(region, str) or not REGION.match(region):
        raise MalformedEventError("the test message has no valid `region`")
    try:
        at = datetime.fromisoformat(at).isoformat(timespec="seconds") if isinstance(at, str) else None
    except ValueError:
        at = None
    if at is None:
        raise MalformedEventError("the test message has no valid `at`")
    return AlertTest(id=detail["id"], by=detail["by"], at=at, account=detail["account"], region=region)
