"""A test of the alert channels as a message for people, the same for every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.delivery.message import FindingMessage
from permission_guard.delivery.text import one_line

if TYPE_CHECKING:
    from permission_guard.bus.alert_tests import AlertTest

_LINE: Final = 300


def compose_test(test: AlertTest) -> FindingMessage:
    """Return the test message."""
    return FindingMessage(
        headline="[TEST] Permission Guard: test message",
        resource=f"{test.account} {test.region}",
        happened="This is a test message. There is no finding, and nothing to do. Alerts reach you here.",
        sections=(),
        facts=(
            ("Account", test.account),
            ("Region", test.region),
            ("Requested by", one_line(test.by, _LINE)),
            ("Requested at", test.at),
        ),
        evidence=(),
    )
