"""A test of the alert channels as a message for people, the same for every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.bus.alert_tests import TEST_DETAIL_TYPE
from permission_guard.delivery.message import Fact, Message, Time
from permission_guard.delivery.text import one_line, parsed_time

if TYPE_CHECKING:
    from permission_guard.bus.alert_tests import AlertTest

_LINE: Final = 300


def compose_test(test: AlertTest) -> Message:
    """Return the test message."""
    return Message(
        key=test.key,
        group=test.key,
        attributes={"notice": (TEST_DETAIL_TYPE,), "account": (test.account,), "region": (test.region,)},
        title="[TEST] Permission Guard: test message",
        happened="This is a test message. There is no finding, and nothing to do. Alerts reach you here.",
        references=sample_facts(test),
    )


def sample_facts(test: AlertTest) -> tuple[Fact, ...]:
    """Return where and when a test was requested. Who requested it is not proven here: see `AlertTest`."""
    time = parsed_time(test.at)
    return (
        Fact("Account", (f"{test.account}, {test.region}",)),
        Fact("Requested by", (f"{one_line(test.by, _LINE)} (as the request says)",)),
        Fact("Requested at", (Time(time) if time else test.at,)),
    )
