"""A limit drops nothing: what a channel may not get now waits, in order, and is in a digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.alerts.digests import send_digest
from permission_guard.delivery.ledger import Claim, DeliveryOutcome
from permission_guard.delivery.patience import Patience
from permission_guard.delivery.samples import send_test
from permission_guard.errors import ConflictError, DeliveryError
from permission_guard.model.destinations import Destination, DestinationKind, Outcome
from permission_guard.model.digests import Digest, DigestKind
from permission_guard.model.findings import Status, Transition
from tests.fakes import ACCOUNT, REGION
from tests.inline_pool import InlinePool
from tests.unit.delivery.examples import OPENED
from tests.unit.delivery.memory_ledger import unread
from tests.unit.delivery.memory_limits import Deliveries, TimedChannel

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget

DELIVERED, WAITS = DeliveryOutcome.DELIVERED, DeliveryOutcome.WAITS_FOR_DIGEST
DIGEST = Digest(
    id="exceptions-" + "0" * 32,
    kind=DigestKind.EXCEPTIONS,
    account=ACCOUNT,
    region=REGION,
    created_at="2026-11-20T09:00:00+00:00",
    title="Exceptions: 1 expire soon, 0 match nothing",
    summary="Extend it.",
)
TEST = AlertTest(id="0" * 32, by="arn:aws:iam::123456789012:role/jane", at="", account=ACCOUNT, region=REGION)


class Groups:
    """The findings of a function."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings

    def findings_of(self, target: FindingTarget) -> list[Finding]:
        return [one for one in self.findings if one.target_arn == target.arn]


def numbered(number: int, **more: Any) -> Finding:
    """Return a finding of a function of its own."""
    return replace(OPENED, id=f"{number:032x}", function_arn=f"{OPENED.function_arn}-{number}", **more)


def alert(deliveries: Deliveries, finding: Finding, *channels: TimedChannel, **more: Any) -> DeliveryOutcome:
    """Send the alert of a finding; return the outcome at the last channel."""
    options = {"limits": deliveries.limits, "clock": lambda: deliveries.now, **more}
    return send(finding, unread, channels, deliveries.ledger, **options)[-1].outcome


@pytest.fixture
def deliveries() -> Deliveries:
    """Return a table; each channel gets three messages in ten minutes."""
    return Deliveries()


def test_alerts_leave_the_last_message_to_digests(deliveries: Deliveries) -> None:
    """Two alerts are sent, the others wait, and the digest has them all."""
    channel = TimedChannel(deliveries)
    outcomes = [alert(deliveries, numbered(number), channel) for number in range(5)]
    assert outcomes == [DELIVERED, DELIVERED, WAITS, WAITS, WAITS]
    (result,) = deliveries.send_waiting(channel)
    assert result.outcome is DELIVERED
    assert channel.titles[-1] == "3 findings waited: more than 3 messages in 10 minutes"
    assert deliveries.waiting.items("sns") == []
    assert [alert(deliveries, numbered(number), channel) for number in range(5)] == [
        DeliveryOutcome.ALREADY_DELIVERED
    ] * 5


def test_each_channel_has_its_own_limit(deliveries: Deliveries) -> None:
    """A finding waits for one, and is sent to the other."""
    first, second = TimedChannel(deliveries), TimedChannel(deliveries, "slack")
    for number in range(2):
        alert(deliveries, numbered(number), first)
    assert alert(deliveries, numbered(2), first, second) is DELIVERED
    assert (len(first.messages), len(second.messages)) == (2, 1)
    assert deliveries.waiting.channels() == ["sns"]


def test_as_long_as_a_finding_waits_its_later_revisions_wait_too(deliveries: Deliveries) -> None:
    """None is sent before an earlier one, although the limit would allow it."""
    channel = TimedChannel(deliveries)
    for number in range(3):
        alert(deliveries, numbered(number), channel)
    deliveries.later(minutes=30)
    resolved = numbered(2, revision=2, status=Status.RESOLVED, transition=Transition.RESOLVED)
    assert alert(deliveries, resolved, channel) is WAITS
    assert alert(deliveries, numbered(3), channel) is DELIVERED
    deliveries.send_waiting(channel)
    ((line,),) = (section.text.splitlines() for section in channel.messages[-1].sections[1:])
    assert line == f"{OPENED.title} (opened, then resolved; {resolved.id})"
    deliveries.later(minutes=30)
    reopened = numbered(2, revision=3, transition=Transition.REOPENED)
    assert alert(deliveries, reopened, channel) is DELIVERED


def test_a_finding_that_waits_is_in_no_message_of_its_group(deliveries: Deliveries) -> None:
    """Its next revision follows the one that waits."""
    channel = TimedChannel(deliveries)
    first, second = replace(OPENED, id="1" * 32), replace(OPENED, id="2" * 32)
    for number in range(2):
        alert(deliveries, numbered(number), channel)
    alert(deliveries, first, channel)
    deliveries.later(minutes=30)
    later: dict[str, Any] = {"revision": 2, "transition": Transition.REOPENED}
    alert(deliveries, replace(second, **later), channel, groups=Groups(replace(first, **later)))
    assert channel.messages[-1].key == f"{second.id}-2"


def test_what_is_not_alerted_takes_nothing_of_the_limit(deliveries: Deliveries) -> None:
    """Nor does what was delivered before."""
    channel = TimedChannel(deliveries)
    alert(deliveries, numbered(0), channel)
    for _ in range(5):
        alert(deliveries, numbered(0), channel)
        alert(deliveries, numbered(1, transition=Transition.FIX_APPROVED), channel)
    assert alert(deliveries, numbered(2), channel) is DELIVERED


def test_a_limit_that_cannot_be_read_is_a_failed_delivery(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent or recorded, and the message is delivered again."""
    channel = TimedChannel(deliveries)

    def fail(**_request: Any) -> Any:
        raise TimeoutError

    with monkeypatch.context() as broken:
        broken.setattr(deliveries.dynamodb, "get_item", fail)
        with pytest.raises(DeliveryError, match="sns: TimeoutError"):
            alert(deliveries, numbered(0), channel)
    assert channel.messages == []
    assert alert(deliveries, numbered(0), channel) is DELIVERED


def test_a_failed_sending_counts(deliveries: Deliveries) -> None:
    """Nobody knows whether the message arrived."""
    channel = TimedChannel(deliveries, "sns", DeliveryError("timeout"), DeliveryError("timeout"))
    for _ in range(2):
        with pytest.raises(DeliveryError):
            alert(deliveries, numbered(0), channel)
    assert alert(deliveries, numbered(0), channel) is WAITS


# ── What waits ──────────────────────────────────────────────────────────────────────────────────────────────────────


def use_up(deliveries: Deliveries, name: str = "sns") -> None:
    """Use up a channel's limit."""
    for _ in range(deliveries.limit.messages):
        deliveries.limits.take(name)


def test_a_digest_without_a_place_waits_and_is_sent_once(deliveries: Deliveries) -> None:
    """As a message of its own, before the findings that wait."""
    channel = TimedChannel(deliveries)
    deliveries.digests[DIGEST.id] = DIGEST
    use_up(deliveries)
    for outcome in (WAITS, DeliveryOutcome.ALREADY_DELIVERED):
        (result,) = send_digest(DIGEST.id, deliveries, [channel], deliveries.ledger, deliveries.limits)
        assert result.outcome is outcome
    alert(deliveries, numbered(1), channel)
    deliveries.later(minutes=11)
    deliveries.send_waiting(channel)
    assert channel.titles == [DIGEST.title, "1 finding waited: more than 3 messages in 10 minutes"]
    assert deliveries.send_waiting(channel) == []


def test_a_digest_that_no_longer_exists_keeps_nothing_back(deliveries: Deliveries) -> None:
    """It is logged."""
    channel = TimedChannel(deliveries)
    deliveries.digests[DIGEST.id] = DIGEST
    use_up(deliveries)
    send_digest(DIGEST.id, deliveries, [channel], deliveries.ledger, deliveries.limits)
    alert(deliveries, numbered(1), channel)
    deliveries.digests.clear()
    deliveries.later(minutes=11)
    outcomes = [result.outcome for result in deliveries.send_waiting(channel)]
    assert outcomes == [DeliveryOutcome.NO_DIGEST, DELIVERED]
    assert deliveries.waiting.items("sns") == []


def test_a_test_message_without_a_place_is_not_sent(deliveries: Deliveries) -> None:
    """The result says so, and nothing waits. After the window the same test is sent."""
    channel = TimedChannel(deliveries)
    use_up(deliveries)
    to = [(Destination(name="sns", type="sns", kind=DestinationKind.ALERTS), channel)]
    (result,) = send_test(TEST, to, deliveries.ledger, deliveries.limits, InlinePool)
    assert (result.outcome, result.reason) == (
        Outcome.FAILED,
        "sns got 3 messages in 10 minutes, as many as alerts.limit allows",
    )
    assert deliveries.waiting.items("sns") == []
    deliveries.later(minutes=11)
    (result,) = send_test(TEST, to, deliveries.ledger, deliveries.limits, InlinePool)
    assert result.outcome is Outcome.SENT


def test_without_a_place_nothing_of_what_waits_is_lost(deliveries: Deliveries) -> None:
    """It is requested again."""
    channel = TimedChannel(deliveries)
    use_up(deliveries)
    alert(deliveries, numbered(1), channel)
    (result,) = deliveries.send_waiting(channel)
    assert (result.outcome, len(deliveries.waiting.items("sns"))) == (WAITS, 1)
    deliveries.later(minutes=11)
    deliveries.send_waiting(channel)
    assert len(channel.messages) == 1


def test_a_channel_that_fails_keeps_what_waits(deliveries: Deliveries) -> None:
    """The lock is released, so that the next try does not wait."""
    channel = TimedChannel(deliveries, "sns", DeliveryError("HTTP 500"))
    use_up(deliveries)
    alert(deliveries, numbered(1), channel)
    deliveries.later(minutes=11)
    with pytest.raises(DeliveryError, match="HTTP 500"):
        deliveries.send_waiting(channel)
    deliveries.later(seconds=1)
    assert [one.outcome for one in deliveries.send_waiting(channel)] == [DELIVERED]


def test_one_invocation_at_a_time_sends_what_waits(deliveries: Deliveries) -> None:
    """Another one leaves it to that one, also if its clock is behind."""
    channel = TimedChannel(deliveries)
    use_up(deliveries)
    alert(deliveries, numbered(1), channel)
    deliveries.later(minutes=11)
    claim = deliveries.ledger.claim("WAITING", "sns", 2**60, deliveries.now)
    assert deliveries.send_waiting(channel) == []
    assert isinstance(claim, Claim)
    deliveries.ledger.complete(claim, None, None)
    assert deliveries.send_waiting(channel) == []
    assert channel.messages == []


def test_a_crash_after_the_digest_was_sent_repeats_it_with_the_same_key(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A duplicate is better than a lost finding; a FIFO topic drops it."""
    channel = TimedChannel(deliveries)
    use_up(deliveries)
    alert(deliveries, numbered(1), channel)
    deliveries.later(minutes=11)

    def crash(*_args: Any) -> None:
        raise ConflictError("crash")

    with monkeypatch.context() as crashing:
        crashing.setattr(deliveries.waiting, "sent", crash)
        with pytest.raises(ConflictError):
            deliveries.send_waiting(channel)
    deliveries.later(minutes=11)
    deliveries.send_waiting(channel)
    first, second = channel.messages
    assert first.key == second.key
    assert deliveries.waiting.items("sns") == []


def test_what_a_channel_does_not_show_waits_on(deliveries: Deliveries) -> None:
    """It is in the next digest."""
    deliveries.limit = replace(deliveries.limit, messages=100)

    class SmallChannel(TimedChannel):
        def shows_all(self, message: Any) -> bool:
            return len(message.findings) <= 4

    channel = SmallChannel(deliveries)
    use_up(deliveries)
    for number in range(6):
        alert(deliveries, numbered(number), channel)
    deliveries.later(minutes=11)
    deliveries.send_waiting(channel)
    assert [len(message.findings) for message in channel.messages] == [4, 2]
    assert deliveries.waiting.items("sns") == []


@pytest.mark.parametrize(("messages", "sent"), [(1, 3), (2, 2), (3, 2)])
def test_a_run_takes_the_time_that_the_invocation_has_left(deliveries: Deliveries, messages: int, sent: int) -> None:
    """And leaves some for the next message of the batch. What still waits is for the next run."""
    deliveries.limit = replace(deliveries.limit, messages=100)

    class SlowChannel(TimedChannel):
        def send(self, message: Any, reference: str | None) -> str | None:
            deliveries.later(seconds=15)
            return super().send(message, reference)

    channel = SlowChannel(deliveries)
    use_up(deliveries)
    for number in range(300):
        alert(deliveries, numbered(number), channel)
    deliveries.later(minutes=11)
    patience, end = Patience(), deliveries.now + timedelta(seconds=60)
    patience.begin(lambda: int((end - deliveries.now).total_seconds() * 1000))
    assert patience.begin_message(messages)
    assert len(deliveries.send_waiting(channel, patience.has_time)) == sent
    assert patience.begin_message(messages - 1) or messages == 1
    assert 0 < len(deliveries.waiting.items("sns")) < 300
