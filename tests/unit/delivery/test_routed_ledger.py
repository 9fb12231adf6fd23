"""What routes decide is recorded, and what began at a channel also ends there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from permission_guard.config.destinations import Route
from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.alerts.lazy import LazyChannel
from permission_guard.delivery.alerts.routed import AlertRoutes
from permission_guard.delivery.ledger import DeliveryOutcome
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.findings import Finding, PastTransition, Status, Transition
from permission_guard.model.verdicts import Severity
from tests.paths import FINDINGS
from tests.unit.delivery.channels import Channel
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.model.targets import FindingTarget

OPENED: Final = replace(
    Finding.from_document(json.loads((FINDINGS / "opened.json").read_text())), severity=Severity.HIGH
)
RESOLVED: Final = replace(
    OPENED,
    revision=2,
    status=Status.RESOLVED,
    transition=Transition.RESOLVED,
    history=(PastTransition(revision=1, transition=Transition.OPENED, at=OPENED.opened_at),),
)
HIGH: Final = Route(id="high", severities=(Severity.HIGH,), channels=("payments",))


class Groups:
    """The findings of one function."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = findings

    def findings_of(self, target: FindingTarget) -> Sequence[Finding]:
        """Return the findings."""
        return self._findings


class Stack:
    """A stack with the default channel `sns` and the named channels `oncall` and `payments`."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.channels: dict[str, Channel] = {name: Channel(name) for name in ("sns", "oncall", "payments")}

    def deliver(self, finding: Finding, *routes: Route, others: Sequence[Finding] = ()) -> dict[str, DeliveryOutcome]:
        """Send the alert of a finding; return the outcome at each channel that was tried."""
        alerts = AlertRoutes(routes, self.channels, ("sns",))
        to = alerts.channels(finding)
        results = send(finding, unread, to, self.ledger, groups=Groups(*others), is_routed=alerts.is_routed)
        return {result.channel: result.outcome for result in results}

    def sent(self) -> dict[str, list[str]]:
        """Return the keys of the messages that each channel got."""
        return {name: channel.sent for name, channel in self.channels.items() if channel.sent}


def test_an_alert_goes_to_the_default_channel_and_to_that_of_its_route() -> None:
    """The ledger has nothing of the other one."""
    stack = Stack()
    assert stack.deliver(OPENED, HIGH) == dict.fromkeys(("sns", "payments"), DeliveryOutcome.DELIVERED)
    assert {channel for _, channel in stack.ledger.held} == {"sns", "payments"}


def test_a_channel_that_had_the_opening_gets_the_end_after_its_route_was_removed() -> None:
    """The other one, which had nothing, gets nothing."""
    stack = Stack()
    stack.deliver(OPENED, HIGH)
    assert stack.deliver(RESOLVED) == {
        "sns": DeliveryOutcome.DELIVERED,
        "oncall": DeliveryOutcome.NOT_ANNOUNCED,
        "payments": DeliveryOutcome.DELIVERED,
    }
    keys = [f"{OPENED.id}-1", f"{OPENED.id}-2"]
    assert stack.sent() == {"sns": keys, "payments": keys}
    assert stack.ledger.expires_at is not None


def test_a_finding_that_comes_back_goes_where_its_routes_then_are() -> None:
    """What was skipped at a channel before does not keep the next revision from it."""
    stack = Stack()
    stack.deliver(OPENED)
    stack.deliver(RESOLVED)
    again = replace(OPENED, revision=3, transition=Transition.REOPENED)
    assert stack.deliver(again, HIGH) == dict.fromkeys(("sns", "payments"), DeliveryOutcome.DELIVERED)


def test_a_message_has_no_finding_that_no_route_sends_to_its_channel() -> None:
    """Even if both are of one group: the default channel has them in one message, the other one has the high one."""
    stack = Stack()
    low = replace(OPENED, id="0123456789abcdef", severity=Severity.LOW)
    stack.deliver(OPENED, HIGH, others=[low])
    assert stack.sent() == {"sns": [f"{OPENED.id}-1+{low.id}-1"], "payments": [f"{OPENED.id}-1"]}
    stack.deliver(low, HIGH, others=[OPENED])
    assert stack.sent()["payments"] == [f"{OPENED.id}-1"]


def test_a_channel_that_cannot_be_made_fails_alone() -> None:
    """The error names it. It is made again at the retry, and then kept."""
    working, made = Channel("payments"), list[str]()

    def make() -> AlertChannel:
        made.append("payments")
        if len(made) == 1:
            raise ConfigurationError("the secret cannot be read: AccessDeniedException")
        return working

    stack = Stack()
    broken: dict[str, AlertChannel] = {**stack.channels, "payments": LazyChannel("payments", make)}
    routes = AlertRoutes((HIGH,), broken, ("sns",))
    assert made == []
    with pytest.raises(DeliveryError, match="not delivered: payments: the secret cannot be read"):
        send(OPENED, unread, routes.channels(OPENED), stack.ledger)
    assert stack.sent() == {"sns": [f"{OPENED.id}-1"]}
    for finding in (OPENED, RESOLVED):
        send(finding, unread, routes.channels(finding), stack.ledger, is_routed=routes.is_routed)
    assert working.sent == [f"{OPENED.id}-1", f"{OPENED.id}-2"]
    assert made == ["payments", "payments"]
