"""The test ticket: it is opened and closed at once, to show that a ticket system works. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.alert_tests import sample_facts
from permission_guard.delivery.message import Message
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.bus.alert_tests import AlertTest

_TITLE: Final = "[TEST] Permission Guard: test ticket"
_OPEN: Final = "This is a test ticket. There is no finding. The bot closes the ticket at once. It can be deleted."
_CLOSED: Final = "This is a test ticket. There is no finding, and nothing to do. It can be deleted."


@record
class TicketSample:
    """What a test ticket is about. It is no finding."""

    test: AlertTest
    status: Status = Status.OPEN

    @property
    def id(self) -> str:
        """The id by which the ticket is searched: no finding has it."""
        return hashlib.sha256(f"test-ticket/{self.test.id}".encode()).hexdigest()[:32]

    @property
    def revision(self) -> int:
        """The first one is open, the second one closed."""
        return 1 if self.status is Status.OPEN else 2

    @property
    def opened_at(self) -> str:
        """When the test was requested."""
        return self.test.at

    @property
    def account(self) -> str:
        """The account of the stack."""
        return self.test.account

    @property
    def region(self) -> str:
        """The region of the stack."""
        return self.test.region

    @property
    def partition(self) -> str:
        """The partition of the stack, such as `aws`."""
        return self.test.by.split(":")[1]

    @property
    def severity(self) -> Severity:
        """The lowest one."""
        return Severity.LOW

    @property
    def title(self) -> str:
        """What it is."""
        return _TITLE


def compose_sample(sample: TicketSample) -> Message:
    """Return the text of the ticket."""
    return Message(
        key=f"{sample.id}-{sample.revision}",
        group=sample.id,
        attributes={},
        title=sample.title,
        happened=_OPEN if sample.status is Status.OPEN else _CLOSED,
        references=sample_facts(sample.test),
    )
