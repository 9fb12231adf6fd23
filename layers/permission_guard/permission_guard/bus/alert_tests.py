"""The message that makes every alert channel send a test message. It is put into the alert queue, not on the bus."""

from __future__ import annotations

import json
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
    """A test of the alert channels: `by` is the ARN of who requested it, and `at` when, ISO-8601 in UTC."""

    id: str
    by: str
    at: str
    account: str
    region: str

    @property
    def key(self) -> str:
        """The key in the delivery ledger. A caller chooses `id`, so it must not have the form of a finding's id."""
        return f"test-message/{self.id}"


def alert_test_body(test: AlertTest) -> str:
    """Return the body of the message."""
    return json.dumps({"source": SOURCE, "detail-type": TEST_DETAIL_TYPE, "detail": asdict(test)})


def read_alert_test(detail: Mapping[str, JSON]) -> AlertTest:
    """Read the `detail` of the message; MalformedEventError if it is not one."""
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
