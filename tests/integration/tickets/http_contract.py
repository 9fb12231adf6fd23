"""What every ticket system behind HTTP must do when the other side fails."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.http import api
from permission_guard.delivery.tickets.base import channel_of, follow, update_ticket
from permission_guard.errors import DeliveryBusyError, DeliveryError, DeliveryLimitError, DeliveryUnclearError
from tests.integration.tickets.contract import OPENED, PROPOSED, RESOLVED, TicketSystemContract
from tests.integration.tickets.http_server import Answer
from tests.unit.delivery.memory_ledger import MemoryLedger, unread

if TYPE_CHECKING:
    from permission_guard.delivery.tickets.base import TicketSystem
    from tests.integration.tickets.contract import Peer
    from tests.integration.tickets.http_server import Secret, Vendor

UNREPEATED = [400, 401, 403, 404, 409, 413, 422]


def is_post(request: Any) -> bool:
    """Return whether a request may create something."""
    return bool(request.method == "POST")


def is_comment(request: Any) -> bool:
    """Return whether a request comments on a ticket, for ServiceNow together with the write."""
    return "/comment" in request.path or "work_notes" in (request.content or {})


class HttpTicketSystemContract(TicketSystemContract):
    """A subclass has the fixtures `peer`, `system`, `secret` and `vendor`."""

    @pytest.fixture(autouse=True)
    def waits(self, system: TicketSystem, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Return the seconds that the client would have waited."""
        slept: list[float] = []
        monkeypatch.setattr(system._api, "_wait", slept.append)  # type: ignore[attr-defined]
        return slept

    @pytest.mark.parametrize("status", UNREPEATED)
    def test_a_refused_request_is_a_failed_delivery(
        self, system: TicketSystem, vendor: Vendor, waits: list[float], status: int
    ) -> None:
        """It is not repeated. The message stays in its queue."""
        vendor.failures = [Answer(status, {"message": "no"})]
        with pytest.raises(DeliveryError, match=f"HTTP {status}") as failure:
            follow(system, OPENED, None)
        assert not isinstance(failure.value, DeliveryLimitError)
        assert (len(vendor.requests), waits) == (1, [])

    @pytest.mark.parametrize("status", [401, 422, 500])
    def test_credentials_are_in_no_error_and_no_log(
        self, system: TicketSystem, vendor: Vendor, secret: Secret, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        """Not even if the other side repeats the request's headers."""
        caplog.set_level(logging.DEBUG)
        follow(system, PROPOSED, None)
        headers = vendor.requests[-1].headers
        echo = " ".join([*secret.values.values(), headers["authorization"]])
        vendor.failures = [Answer(status, {"message": echo, "errorMessages": [echo], "error": {"message": echo}})] * 4
        with pytest.raises(DeliveryError, match=f"HTTP {status}$") as failure:
            follow(system, OPENED, None)
        shown = "".join(traceback.format_exception(failure.value)) + caplog.text + repr(system)
        for value in (*secret.values.values(), headers["authorization"].split()[1]):
            assert value not in shown
        assert secret.forgotten == (status == 401)

    def test_a_limit_is_waited_for(self, system: TicketSystem, peer: Peer, vendor: Vendor, waits: list[float]) -> None:
        """As long as the other side asks for. What it refused was not done, so it is sent again."""
        vendor.failures = [Answer(429, "", {"Retry-After": "2"})]
        vendor.fails = is_post
        follow(system, OPENED, None)
        assert waits == [2.0]
        assert len(peer.shown()) == 1

    @pytest.mark.parametrize(("seconds", "is_long"), [("30", False), ("7200", True), ("soon", False), ("-1", False)])
    def test_a_limit_that_lasts_longer_than_the_function_is_not_waited_for(
        self, system: TicketSystem, vendor: Vendor, waits: list[float], seconds: str, *, is_long: bool
    ) -> None:
        """If it also lasts longer than the queue's retries, the next sweep opens the ticket."""
        vendor.failures = [Answer(429, "", {"Retry-After": seconds})]
        with pytest.raises(DeliveryError, match="HTTP 429") as failure:
            follow(system, OPENED, None)
        assert isinstance(failure.value, DeliveryLimitError) is is_long
        assert waits == []

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_error_is_repeated_where_that_does_no_harm(
        self, system: TicketSystem, peer: Peer, vendor: Vendor, waits: list[float], status: int
    ) -> None:
        """Reading, and writing the same again."""
        reference = follow(system, OPENED, None)
        vendor.failures = [Answer(status), Answer(status)]
        vendor.fails = lambda request: request.method != "POST"
        assert follow(system, PROPOSED, reference) == reference
        assert waits == [0.5, 1.0]
        assert len(peer.shown()) == 1

    def test_a_server_error_that_lasts_is_a_failed_delivery(
        self, system: TicketSystem, vendor: Vendor, waits: list[float]
    ) -> None:
        """After three retries."""
        vendor.failures = [Answer(500)] * 9
        with pytest.raises(DeliveryError, match="HTTP 500"):
            follow(system, OPENED, None)
        assert len(waits) == 3

    @pytest.mark.parametrize("failure", [Answer(500, is_done=True), Answer(201, {"id": 1}, is_done=True, reset=True)])
    def test_a_ticket_whose_creation_seemed_to_fail_is_not_opened_twice(
        self, system: TicketSystem, peer: Peer, vendor: Vendor, failure: Answer
    ) -> None:
        """It is not sent again; the next delivery finds what was done."""
        vendor.failures, vendor.fails = [failure], is_post
        with pytest.raises(DeliveryError):
            follow(system, OPENED, None)
        assert len(peer.shown()) == 1
        follow(system, OPENED, None)
        assert len(peer.shown()) == 1

    def test_a_closed_ticket_that_cannot_be_written_gets_no_comment_for_each_retry(
        self, system: TicketSystem, peer: Peer, vendor: Vendor
    ) -> None:
        """Workflows can make closed tickets read-only. Once it can be written, it gets the one comment."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        vendor.failures = [Answer(400, {"message": "no"})] * 3
        vendor.fails = lambda request: request.method in ("PATCH", "PUT")
        for _ in range(3):
            with pytest.raises(DeliveryError, match="HTTP 400"):
                follow(system, PROPOSED, reference)
        assert peer.shown()[0].comments == ()
        for _ in range(2):
            follow(system, PROPOSED, reference)
        assert len(peer.shown()[0].comments) == 1

    def test_a_comment_that_failed_is_written_by_the_retry(
        self, system: TicketSystem, peer: Peer, vendor: Vendor
    ) -> None:
        """The write before it does not say that the ticket has the comment."""
        reference = follow(system, OPENED, None)
        assert reference is not None
        peer.close(reference)
        vendor.failures, vendor.fails = [Answer(400, {"message": "no"})], is_comment
        with pytest.raises(DeliveryError, match="HTTP 400"):
            follow(system, PROPOSED, reference)
        follow(system, PROPOSED, reference)
        assert len(peer.shown()[0].comments) == 1

    @pytest.mark.parametrize(
        "failure",
        [
            Answer(500, is_done=True),
            Answer(201, {"id": 1}, is_done=True, reset=True),
            Answer(201, "<html>Sign in</html>", is_done=True),
            Answer(201, {}, is_done=True),
        ],
    )
    def test_after_an_unclear_creation_the_next_delivery_waits(
        self, system: TicketSystem, vendor: Vendor, failure: Answer
    ) -> None:
        """The lock is kept: a search that lags behind would not find the new ticket yet."""
        ledger = MemoryLedger()
        vendor.failures, vendor.fails = [failure], is_post
        with pytest.raises(DeliveryUnclearError):
            update_ticket(OPENED, unread, system, ledger)
        with pytest.raises(DeliveryBusyError):
            ledger.claim(OPENED.id, channel_of(system), PROPOSED.revision, datetime.now(UTC))

    def test_after_a_refused_creation_the_next_delivery_does_not_wait(
        self, system: TicketSystem, vendor: Vendor
    ) -> None:
        """Nothing was created."""
        ledger = MemoryLedger()
        vendor.failures, vendor.fails = [Answer(422, {"message": "no"})], is_post
        with pytest.raises(DeliveryError):
            update_ticket(OPENED, unread, system, ledger)
        assert update_ticket(OPENED, unread, system, ledger)[0].reference is not None

    def test_a_response_that_does_not_come_is_a_failed_delivery(
        self, system: TicketSystem, peer: Peer, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A read is repeated, a creation is not: it may have been done."""
        monkeypatch.setattr(api, "TIMEOUT", 0.5)
        vendor.failures = [Answer(201, {}, is_done=True, hang=1.5)]
        vendor.fails = is_post
        with pytest.raises(DeliveryError, match="could not be reached: ReadTimeout"):
            follow(system, OPENED, None)
        assert sum(map(is_post, vendor.requests)) == 1
        vendor.failures, vendor.fails = [Answer(200, [], hang=1.5)], lambda _request: True
        follow(system, OPENED, None)
        assert len(peer.shown()) == 1

    def test_a_response_that_is_cut_off_is_read_again(
        self, system: TicketSystem, peer: Peer, vendor: Vendor, waits: list[float]
    ) -> None:
        """Half a list of tickets would make a duplicate."""
        follow(system, OPENED, None)
        vendor.failures = [Answer(200, [], reset=True)]
        follow(system, PROPOSED, None)
        assert waits == [0.5]
        assert len(peer.shown()) == 1

    @pytest.mark.parametrize("answer", [Answer(200, "<html>Sign in</html>"), Answer(200, {"x": 1}), Answer(200, [1])])
    def test_the_page_of_a_proxy_is_not_a_response(self, system: TicketSystem, vendor: Vendor, answer: Answer) -> None:
        """No ticket is opened because of it."""
        vendor.failures = [answer]
        vendor.fails = lambda request: not is_post(request)
        try:
            follow(system, OPENED, None)
        except DeliveryError:
            assert not any(map(is_post, vendor.requests))

    def test_a_redirect_is_not_followed(self, system: TicketSystem, vendor: Vendor) -> None:
        """The credentials would go to another address."""
        vendor.failures = [Answer(302, None, {"Location": "https://evil.example/"})]
        with pytest.raises(DeliveryError, match="HTTP 302"):
            follow(system, OPENED, None)
        assert len(vendor.requests) == 1

    def test_the_requests_of_a_delivery_end_before_the_functions_timeout(
        self, system: TicketSystem, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A function that times out releases no lock."""
        now = [0.0]

        def pass_time(seconds: float) -> None:
            now[0] += seconds

        monkeypatch.setattr(system._api, "_clock", lambda: now[0])  # type: ignore[attr-defined]
        monkeypatch.setattr(system._api, "_wait", pass_time)  # type: ignore[attr-defined]
        vendor.failures = [Answer(503, None, {"Retry-After": "7"})] * 9
        with pytest.raises(DeliveryError, match="HTTP 503"):
            follow(system, RESOLVED, None)
        assert len(vendor.requests) == 3
        assert now[0] <= api.MAX_SECONDS
