"""A channel or a ticket system that does not answer takes the time of no other, and of no other message."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.batch import process_batch
from permission_guard.delivery.alerts.base import send
from permission_guard.delivery.alerts.channel import shows_all
from permission_guard.delivery.http.session import HttpError, HttpResponse
from permission_guard.delivery.patience import Patience, PatientChannel, PatientSession, PatientTickets
from permission_guard.delivery.tickets.base import follow
from permission_guard.errors import DeliveryError
from tests.unit.delivery.examples import OPENED
from tests.unit.delivery.memory_ledger import unread
from tests.unit.delivery.memory_limits import Deliveries
from tests.unit.delivery.tickets.test_base import Tickets as MemoryTickets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.bus.events import BusEvent
    from permission_guard.delivery.message import Message
    from permission_guard.delivery.tickets.base import Ticket
    from permission_guard.delivery.tickets.summary import Ticketed
    from tests.unit.conftest import Logged

SILENT = ("a", "b", "c", "d")
FINDINGS = {f"{number:032x}": replace(OPENED, id=f"{number:032x}") for number in range(3)}


class Channel:
    """A channel that answers at once, or fails after some seconds."""

    has_threads = True

    def __init__(self, name: str, deliveries: Deliveries, seconds: float = 0.0) -> None:
        self.name = name
        self.seconds = seconds
        self.tries = 0
        self.sent: list[str] = []
        self._deliveries = deliveries

    def send(self, message: Message, reference: str | None) -> str | None:
        self.tries += 1
        self._deliveries.later(seconds=self.seconds or 0.1)
        if self.seconds:
            raise DeliveryError("no response")
        self.sent.append(message.key)
        return None


class Function:
    """The sending function and its queue, whose messages are delivered again after six minutes, five times in all."""

    def __init__(self, logged: Logged, deliveries: Deliveries, *channels: Channel) -> None:
        self._logged = logged
        self._deliveries = deliveries
        self._channels = channels
        self.left = list(FINDINGS)
        self.longest = 0.0

    def patience(self) -> Patience:
        """Return that of a new execution environment."""
        return Patience(self._time, self._time)

    def _time(self) -> float:
        return self._deliveries.now.timestamp()

    def invoke(self, patience: Patience) -> None:
        """Handle a batch of the messages that are left; the others stay in the queue."""
        began = self._deliveries.now
        patience.begin(lambda: 60_000 - int((self._deliveries.now - began).total_seconds() * 1000))
        channels = [PatientChannel(one, patience) for one in self._channels]

        def handle(event: BusEvent) -> None:
            finding = FINDINGS[event.finding_id]
            ordered = patience.ordered(channels)
            send(finding, unread, ordered, self._deliveries.ledger, clock=lambda: self._deliveries.now)

        bodies = [
            {"source": "permission-guard", "detail-type": "Finding Opened", "detail": FINDINGS[one].to_document()}
            for one in self.left
        ]
        records = [{"messageId": one, "body": json.dumps(body)} for one, body in zip(self.left, bodies, strict=True)]
        logger, metrics = self._logged.logger, self._logged.metrics
        answer = process_batch({"Records": records}, handle, logger, metrics, has_time=patience.begin_message)
        self.longest = max(self.longest, (self._deliveries.now - began).total_seconds())
        self.left = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
        self._deliveries.now = began
        self._deliveries.later(seconds=361)


def keys(*ids: str) -> list[str]:
    """Return the keys of the messages about findings."""
    return [f"{one}-1" for one in ids]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "new each time"])
def test_four_silent_channels_keep_no_message_from_the_one_that_answers(
    logged: Logged, place: int, *, is_kept: bool
) -> None:
    """Wherever that is among them, within five tries. No invocation reaches its time limit."""
    deliveries = Deliveries()
    channels = [Channel(name, deliveries, 15.0) for name in SILENT]
    healthy = Channel("healthy", deliveries)
    channels.insert(place, healthy)
    function = Function(logged, deliveries, *channels)
    kept = function.patience()
    for _ in range(5):
        function.invoke(kept if is_kept else function.patience())
    assert sorted(healthy.sent) == keys(*FINDINGS)
    assert function.longest < 59
    assert function.left == list(FINDINGS)


def test_one_silent_channel_is_tried_once_for_all_messages_of_a_batch(logged: Logged) -> None:
    """And again with the next batch: the messages that it did not get are sent when it answers."""
    deliveries = Deliveries()
    silent, healthy = Channel("a", deliveries, 15.0), Channel("b", deliveries)
    function = Function(logged, deliveries, silent, healthy)
    patience = function.patience()
    function.invoke(patience)
    assert (silent.tries, healthy.sent) == (1, keys(*FINDINGS))
    silent.seconds = 0.0
    function.invoke(patience)
    assert (silent.sent, healthy.sent, function.left) == (keys(*FINDINGS), keys(*FINDINGS), [])


def test_what_has_nothing_for_a_silent_channel_does_not_fail(logged: Logged) -> None:
    """The ledger is asked first."""
    deliveries = Deliveries()
    channel = Channel("a", deliveries)
    function = Function(logged, deliveries, channel)
    patience = function.patience()
    function.invoke(patience)
    channel.seconds = 15.0
    with pytest.raises(DeliveryError):
        PatientChannel(channel, patience).send(None, None)  # type: ignore[arg-type] # it does not read it
    function.left = list(FINDINGS)
    function.invoke(patience)
    assert function.left == []


def test_a_quick_failure_is_no_silence(logged: Logged) -> None:
    """It takes no time from the others."""
    deliveries = Deliveries()
    channel = Channel("a", deliveries, 1.0)
    function = Function(logged, deliveries, channel)
    function.invoke(function.patience())
    assert channel.tries == 3


def test_nothing_is_sent_with_too_little_time() -> None:
    """The delivery would be sent and not recorded."""
    deliveries = Deliveries()
    patience = Patience()
    channel = Channel("a", deliveries)
    patience.begin(lambda: 16_999)
    with pytest.raises(DeliveryError, match="not tried: too little of the function's time is left"):
        PatientChannel(channel, patience).send(None, None)  # type: ignore[arg-type] # it does not read it
    assert channel.tries == 0


def test_a_channel_keeps_its_threads() -> None:
    """Findings with different first messages are not in one message then."""
    assert PatientChannel(Channel("a", Deliveries()), Patience()).has_threads


@pytest.mark.parametrize("shows", [True, False])
def test_a_channel_still_says_what_it_does_not_show(shows: bool) -> None:
    """What it would leave out of a digest waits for the next one."""

    class SmallChannel(Channel):
        def shows_all(self, message: Message) -> bool:
            return shows

    message: Any = None  # it does not read it
    assert shows_all(PatientChannel(SmallChannel("a", Deliveries()), Patience()), message) is shows
    assert shows_all(PatientChannel(Channel("a", Deliveries()), Patience()), message)


class Session:
    """A session without a response from the host `silent.example`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.hosts: Sequence[str] = ()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        assert (method, headers, body, timeout) == ("GET", {}, None, 5.0)
        self.hosts = [*self.hosts, url.split("/")[2]]
        if self.hosts[-1] == "silent.example":
            self.now += 5
            raise HttpError("ReadTimeout")
        return HttpResponse(200, {}, b"")


def test_a_silent_ticket_system_is_asked_again_after_a_minute() -> None:
    """Another host at once, in the same invocation, too."""
    network = Session()
    session = PatientSession(network, Patience(lambda: network.now))
    options: Mapping[str, Any] = {"headers": {}, "body": None, "timeout": 5.0}
    with pytest.raises(HttpError):
        session.request("GET", "https://silent.example/1", **options)
    network.now += 59
    with pytest.raises(DeliveryError, match="not tried: its last try, less than a minute ago, got no answer"):
        session.request("GET", "https://silent.example/2", **options)
    assert session.request("GET", "https://other.example/", **options).status == 200
    network.now += 1
    with pytest.raises(HttpError):
        session.request("GET", "https://silent.example/3", **options)
    assert network.hosts == ["silent.example", "other.example", "silent.example"]


class Tickets(MemoryTickets):
    """A ticket system whose calls fail after some seconds."""

    def __init__(self, name: str, deliveries: Deliveries, seconds: float = 0.0) -> None:
        super().__init__(name)
        self.seconds = seconds
        self.tries = 0
        self._deliveries = deliveries

    def find(self, about: Ticketed) -> Ticket | None:
        self.tries += 1
        self._deliveries.later(seconds=self.seconds or 0.1)
        if self.seconds:
            raise DeliveryError("no response")
        return super().find(about)


def test_a_silent_ticket_system_of_aws_is_tried_once_for_all_messages() -> None:
    """The other system gets its tickets in time, and the silent one its own when it answers."""
    deliveries = Deliveries()
    silent, healthy = Tickets("opsitem", deliveries, 17.0), Tickets("securityhub", deliveries)
    began = deliveries.now

    def now() -> float:
        return deliveries.now.timestamp()

    patience = Patience(now, now)
    patience.begin(lambda: 60_000 - int((deliveries.now - began).total_seconds() * 1000))
    for finding in FINDINGS.values():
        assert patience.begin_message(1)
        with pytest.raises(DeliveryError):
            follow(PatientTickets(silent, patience), finding, None)
        follow(PatientTickets(healthy, patience), finding, None)
    assert (silent.tries, len(healthy.held)) == (1, 3)
    assert (deliveries.now - began).total_seconds() < 20
    silent.seconds = 0.0
    deliveries.later(seconds=61)
    patience.begin(lambda: 60_000)
    follow(PatientTickets(silent, patience), OPENED, None)
    assert len(silent.held) == 1


def test_no_ticket_is_written_with_too_little_time() -> None:
    """It would be written and not recorded."""
    tickets = Tickets("opsitem", Deliveries())
    patience = Patience()
    patience.begin(lambda: 18_999)
    with pytest.raises(DeliveryError, match="not tried: too little of the function's time is left"):
        PatientTickets(tickets, patience).open(OPENED)
    assert tickets.held == {}
