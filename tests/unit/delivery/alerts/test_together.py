"""Findings of one event are one message, and the delivery of each is recorded by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.alerts.together import MOST, group_locked
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.delivery.ledger import Claim, Delivery, DeliveryOutcome, Skip
from permission_guard.errors import ConflictError, DeliveryBusyError, DeliveryError
from permission_guard.model.findings import Transition
from permission_guard.model.verdicts import Severity
from tests.unit.delivery.channels import Channel
from tests.unit.delivery.examples import OPENED
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.message import Message
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget

SECOND = replace(OPENED, id="2" * 32, rule_id="PG204")
THIRD = replace(OPENED, id="3" * 32, rule_id="PG205")


class ThreadedChannel(Channel):
    """A channel in which later messages follow the first one. It keeps the references that it got."""

    has_threads = True

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str | None] = []

    def send(self, message: Message, reference: str | None) -> str | None:
        self.references.append(reference)
        super().send(message, reference)
        return reference


class FailingLedger(MemoryLedger):
    """A ledger that does not record some findings."""

    def __init__(self, *failing: Finding) -> None:
        super().__init__()
        self.failing = [one.id for one in failing]

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        if claim.finding_id in self.failing:
            raise ConflictError("another claim took the lock")
        super().complete(claim, reference, expires_at)


class BusyLedger(MemoryLedger):
    """A ledger in which another invocation is delivering some findings."""

    def __init__(self, *busy: Finding) -> None:
        super().__init__()
        self.busy = [one.id for one in busy]

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        if finding_id in self.busy:
            raise DeliveryBusyError("another invocation is delivering it")
        return super().claim(finding_id, channel, revision, now)


class Groups:
    """The findings in the table."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings

    def findings_of(self, target: FindingTarget) -> Sequence[Finding]:
        return [one for one in self.findings if one.target_arn == target.arn]


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def keys(*findings: Finding) -> str:
    """Return the key of the message about findings of one severity."""
    return "+".join(f"{one.id}-{one.revision}" for one in sorted(findings, key=lambda one: one.id))


def alert(finding: Finding, channel: Channel, ledger: MemoryLedger, *others: Finding, **options: Any) -> Any:
    """Send the alert of a finding that arrived with others; return the outcome."""
    (result,) = send(finding, unread, [channel], ledger, groups=Groups(*others), **options)
    return result.outcome


def test_the_findings_of_one_event_are_one_message() -> None:
    """The events of the others find that there is nothing to do."""
    channel, ledger = Channel(), MemoryLedger()
    batch = (OPENED, SECOND, THIRD)
    outcomes = [alert(one, channel, ledger, *batch) for one in batch]
    assert channel.sent == [keys(OPENED, SECOND, THIRD)]
    assert outcomes == [DeliveryOutcome.DELIVERED, *[DeliveryOutcome.ALREADY_DELIVERED] * 2]
    assert {ledger.held[one.id, "sns"].reference for one in batch} == {"sns-1"}


@pytest.mark.parametrize(
    "other",
    [
        replace(SECOND, changed_event="00000000-3c5b-4f0e-8c39-1d7b1f0e2a44"),
        replace(SECOND, function_arn=f"{OPENED.function_arn}-2"),
        replace(SECOND, transition=Transition.RESOLVED),
        replace(SECOND, severity=Severity.LOW),
    ],
    ids=["event", "function", "transition", "threshold"],
)
def test_another_finding_has_its_own_message_or_none(other: Finding) -> None:
    """Of another event, another function, another transition, or below the threshold."""
    channel, ledger = Channel(), MemoryLedger()
    alert(OPENED, channel, ledger, other, min_severity=Severity.MEDIUM)
    assert channel.sent == [keys(OPENED)]
    assert (other.id, "sns") not in ledger.held


def test_what_was_delivered_or_is_being_delivered_is_not_sent_again() -> None:
    """It is left to the invocation that has claimed it."""
    channel, busy = Channel(), BusyLedger(SECOND)
    busy.held[THIRD.id, "sns"] = Delivery(revision=1)
    alert(OPENED, channel, busy, SECOND, THIRD)
    assert channel.sent == [keys(OPENED)]


def test_where_there_are_threads_only_findings_of_one_thread_are_together() -> None:
    """Each thread gets to know of the change. The events of the others send it to theirs."""
    channel, ledger = ThreadedChannel(), MemoryLedger()
    for one, thread in ((OPENED, "first"), (SECOND, "first"), (THIRD, "other")):
        ledger.held[one.id, "sns"] = Delivery(revision=1, reference=thread)
    batch = [replace(one, revision=2, transition=Transition.RESOLVED) for one in (OPENED, SECOND, THIRD)]
    outcomes = [alert(one, channel, ledger, *batch) for one in batch]
    assert channel.sent == [keys(*batch[:2]), keys(batch[2])]
    assert channel.references == ["first", "other"]
    assert outcomes == [
        DeliveryOutcome.DELIVERED,
        DeliveryOutcome.ALREADY_DELIVERED,
        DeliveryOutcome.DELIVERED,
    ]


def test_a_message_has_no_more_findings_than_the_channel_shows() -> None:
    """The others are released: their own events send them."""

    class SmallChannel(Channel):
        def shows_all(self, message: Message) -> bool:
            return len(message.findings) <= 2

    channel, ledger = SmallChannel(), MemoryLedger()
    batch = (OPENED, SECOND, THIRD)
    outcomes = [alert(one, channel, ledger, *batch) for one in batch]
    assert channel.sent == [keys(OPENED, SECOND), keys(THIRD)]
    assert outcomes[1:] == [DeliveryOutcome.ALREADY_DELIVERED, DeliveryOutcome.DELIVERED]


def test_without_threads_the_last_messages_do_not_matter() -> None:
    """Every message of a mail is a new one."""
    channel, ledger = Channel(), MemoryLedger()
    for one in (OPENED, SECOND):
        ledger.held[one.id, "sns"] = Delivery(revision=1, reference=f"message-{one.id}")
    batch = [replace(one, revision=2, transition=Transition.RESOLVED) for one in (OPENED, SECOND)]
    alert(batch[0], channel, ledger, *batch)
    assert channel.sent == [keys(*batch)]


def test_a_message_that_is_not_accepted_releases_all_of_them() -> None:
    """The retry is one message again."""
    channel, ledger = Channel("sns", DeliveryError("throttled")), MemoryLedger()
    with pytest.raises(DeliveryError, match="throttled"):
        alert(OPENED, channel, ledger, SECOND, THIRD)
    held = [ledger.held[one.id, "sns"] for one in (OPENED, SECOND, THIRD)]
    assert all(one.locked_until is None and one.revision is None for one in held)
    alert(SECOND, channel, ledger, OPENED, THIRD)
    assert channel.sent == [keys(SECOND, OPENED, THIRD)]


@pytest.mark.parametrize("unrecorded", [OPENED, SECOND, THIRD], ids=["first", "second", "third"])
def test_one_that_is_not_recorded_keeps_no_other_from_it(unrecorded: Finding) -> None:
    """That one alone is sent a second time, as a single message is."""
    channel, ledger = Channel(), FailingLedger(unrecorded)
    with pytest.raises(DeliveryError, match="another claim took the lock"):
        alert(OPENED, channel, ledger, SECOND, THIRD)
    recorded = {one for (one, _), held in ledger.held.items() if held.revision == 1}
    assert recorded == {OPENED.id, SECOND.id, THIRD.id} - {unrecorded.id}


def test_a_crash_after_the_message_was_sent_repeats_each_finding_at_most_once() -> None:
    """Locks expire; a second message has what was not recorded, and nothing else."""

    class Crash(BaseException):
        pass

    class CrashingLedger(MemoryLedger):
        crashes = True

        def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
            if self.crashes and claim.finding_id == SECOND.id:
                raise Crash
            super().complete(claim, reference, expires_at)

    channel, ledger = Channel(), CrashingLedger()
    with pytest.raises(Crash):
        alert(OPENED, channel, ledger, SECOND, THIRD)
    ledger.crashes = False
    for key, held in list(ledger.held.items()):
        ledger.held[key] = replace(held, locked_until=None)
    for one in (OPENED, SECOND, THIRD):
        alert(one, channel, ledger, OPENED, SECOND, THIRD)
    assert channel.sent == [keys(OPENED, SECOND, THIRD), keys(SECOND, THIRD)]


# ── The others of a group ───────────────────────────────────────────────────────────────────────────────────────────


def test_ten_findings_of_one_event_are_one_message() -> None:
    """They are read in the table, however many events are in a batch. Their own events have nothing left to do."""
    channel, ledger = Channel(), MemoryLedger()
    findings = [replace(OPENED, id=f"{number:032x}") for number in range(10)]
    outcomes = [alert(one, channel, ledger, *findings) for one in findings]
    assert channel.sent == [keys(*findings)]
    assert outcomes == [DeliveryOutcome.DELIVERED, *[DeliveryOutcome.ALREADY_DELIVERED] * 9]


def test_a_large_group_is_several_messages() -> None:
    """Each is about twenty findings at most."""
    channel, ledger = Channel(), MemoryLedger()
    findings = [replace(OPENED, id=f"{number:032x}") for number in range(45)]
    for one in findings:
        alert(one, channel, ledger, *findings)
    assert [len(key.split("+")) for key in channel.sent] == [MOST, MOST, 5]


def test_two_invocations_at_the_same_time_send_one_message() -> None:
    """The second one waits for the first one, and finds what that has recorded."""
    ledger, waits = MemoryLedger(), list[float]()

    class SlowChannel(Channel):
        def send(self, message: Message, reference: str | None) -> str | None:
            with pytest.raises(DeliveryBusyError), group_locked(ledger, "sns", SECOND, clock, waits.append):
                raise AssertionError
            return super().send(message, reference)

    channel = SlowChannel()
    alert(OPENED, channel, ledger, SECOND, THIRD)
    assert sum(waits) == pytest.approx(3.1)
    with group_locked(ledger, "sns", SECOND, clock, waits.append):
        pass
    assert alert(SECOND, channel, ledger) is DeliveryOutcome.ALREADY_DELIVERED


def test_the_lock_of_a_group_is_released_after_a_failure() -> None:
    """The retry does not wait."""
    channel, ledger = Channel("sns", DeliveryError("HTTP 500")), MemoryLedger()
    with pytest.raises(DeliveryError):
        alert(OPENED, channel, ledger, SECOND)
    assert all(held.locked_until is None for held in ledger.held.values())


def test_a_finding_whose_earlier_revision_was_not_sent_is_left_to_its_own_events() -> None:
    """A newer revision must not be sent before it: nobody would hear of the older one."""
    channel, ledger = Channel(), MemoryLedger()
    alert(OPENED, channel, ledger, replace(SECOND, revision=3))
    assert channel.sent == [keys(OPENED)]
    assert ledger.held[SECOND.id, "sns"].locked_until is None
    ledger.held[SECOND.id, "sns"] = Delivery(revision=2)
    alert(replace(THIRD, revision=1), channel, ledger, replace(SECOND, revision=3))
    assert channel.sent[1:] == [f"{THIRD.id}-1+{SECOND.id}-3"] or channel.sent[1:] == [f"{SECOND.id}-3+{THIRD.id}-1"]


def test_the_others_are_read_only_for_a_message_that_is_sent() -> None:
    """A function can have hundreds of findings: the event of one that a message had must not read all of them again."""
    ledger, read = MemoryLedger(), list[str]()

    class CountedGroups(Groups):
        def findings_of(self, target: FindingTarget) -> Sequence[Finding]:
            read.append(target.arn)
            return super().findings_of(target)

    for one in (OPENED, SECOND, OPENED):
        send(one, unread, [Channel()], ledger, groups=CountedGroups(OPENED, SECOND))
    assert len(read) == 1


def test_a_message_about_many_findings_lists_each_of_them_in_every_channel() -> None:
    """The worst three are shown in detail."""
    findings = [replace(OPENED, id=f"{number:032x}", title=f"{number} " + "x" * 300) for number in range(MOST)]
    message = compose(*findings)
    assert message.title.endswith("(and 19 more)")
    shown = (json.dumps(payload(message)), publication(message).message, text(message))
    assert all(one.id in each for one in findings for each in shown)
    assert len(payload(message)["blocks"]) <= 50
    assert [section.title for section in message.sections[:2]] == ["Findings 1 to 10 of 20", "Findings 11 to 20 of 20"]
