"""Messages to the alert channels that are not about one finding, such as a test message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.bus.alert_tests import TEST_DETAIL_TYPE
from permission_guard.delivery.text import one_line
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.bus.alert_tests import AlertTest

_LONGEST_LINE = 1_000


@record(kw_only=True)
class Notice:
    """A message for people. Each channel sends the notice of a key once.

    `key` does not have the form of a finding's id. `kind` is for filters of subscriptions. `headline` is one line, and
    `text` has only printable characters and line breaks.
    """

    key: str
    kind: str
    headline: str
    text: str


def of_test(test: AlertTest) -> Notice:
    """Return the test message."""
    lines = (
        "This is a test message. There is no finding, and nothing to do.",
        "Alerts about findings reach you in the same way.",
        f"Requested by {test.by} at {test.at}, account {test.account}, region {test.region}.",
    )
    return Notice(
        key=f"test-message/{test.id}",
        kind=TEST_DETAIL_TYPE,
        headline=f"[TEST] Permission Guard: test message from {test.account}, {test.region}",
        text="\n".join(one_line(line, _LONGEST_LINE) for line in lines),
    )
