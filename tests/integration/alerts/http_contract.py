"""What every alert channel that posts over HTTP must do when the other side fails."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import DeliveryError
from tests.integration.alerts.contract import AlertChannelContract
from tests.integration.tickets.http_server import Answer, Vendor
from tests.unit.delivery.examples import OPENED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.delivery.alerts.channel import AlertChannel
    from tests.integration.alerts.contract import Peer

MESSAGE = compose(OPENED)
REFUSED = [400, 401, 403, 404, 409, 413, 422]
TOO_LONG = 8_000_000


class TextSecret:
    """A secret text that counts the calls of `forget`. `parts` must be nowhere; without any, it is the whole text."""

    def __init__(self, text: str, *parts: str) -> None:
        self.text = text
        self.values: Mapping[str, str] = {str(number): part for number, part in enumerate(parts or (text,))}
        self.forgotten = 0

    def get(self) -> str:
        return self.text

    def forget(self) -> None:
        self.forgotten += 1


class Clock:
    """The time of a client: it passes only while the client waits, and then at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class HttpAlertChannelContract(AlertChannelContract):
    """A subclass has the fixtures `peer`, `channel`, `secret`, `vendor` and `clock`.

    `secret` has the `values` that must be in no error, and how often it was `forgotten`. `vendor` is the server of
    `peer`. `clock` has replaced what the client waits with and reads the time from.
    """

    timeout: ClassVar[tuple[Any, str]]
    """Where the seconds for one try are: an object and the name of its attribute."""

    max_seconds: ClassVar[float] = 15.0
    """Seconds that all tries take together at most."""

    error: ClassVar[str] = "HTTP {status}"
    """What the error says about a response."""

    accepted: ClassVar[str] = "ok"
    """The body of a response that says that a message was accepted."""

    stale: ClassVar[frozenset[int]] = frozenset({401, 403})
    """The statuses after which the secret is read again."""

    @pytest.fixture(autouse=True)
    def _no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)

    @pytest.fixture
    def elsewhere(self) -> Iterator[Vendor]:
        """Serve another address, which accepts everything."""
        with Vendor(lambda _request: Answer(200, "ok")) as vendor:
            yield vendor

    @pytest.mark.parametrize("status", REFUSED)
    def test_a_refused_message_is_a_failed_delivery(
        self, channel: AlertChannel, vendor: Vendor, clock: Clock, secret: TextSecret, status: int
    ) -> None:
        """It is not repeated: it stays in its queue. A secret that may have been rotated is read again."""
        vendor.failures = [Answer(status, {"ok": False, "message": "no"})]
        with pytest.raises(DeliveryError, match=self.error.format(status=status)):
            channel.send(MESSAGE, None)
        assert (len(vendor.requests), clock.waits) == (1, [])
        assert secret.forgotten == (status in self.stale)

    @pytest.mark.parametrize("status", [200, 302, 401, 422, 429, 500])
    @pytest.mark.usefixtures("clock")
    def test_credentials_are_in_no_error_and_no_log(
        self,
        channel: AlertChannel,
        vendor: Vendor,
        secret: TextSecret,
        caplog: pytest.LogCaptureFixture,
        *,
        status: int,
    ) -> None:
        """Not even if the other side repeats the request's headers."""
        caplog.set_level(logging.DEBUG)
        channel.send(MESSAGE, None)
        echo = " ".join([*secret.values.values(), *vendor.requests[-1].headers.values()])
        failures = [Answer(status, {"ok": False, "message": echo, "error": echo}), Answer(status, echo)]
        for failure in failures:
            vendor.failures = [failure] * 9
            with pytest.raises(DeliveryError) as raised:
                channel.send(MESSAGE, None)
            shown = (
                "".join(traceback.format_exception(raised.value)) + caplog.text + repr(channel) + repr(vars(channel))
            )
            assert not [value for value in secret.values.values() if value in shown]

    @pytest.mark.usefixtures("clock")
    def test_an_error_of_the_library_is_not_chained(self, channel: AlertChannel, vendor: Vendor) -> None:
        """Its text has the address, its attributes have the headers."""
        vendor.failures = [Answer(200, "{", reset=True)] * 9
        with pytest.raises(DeliveryError) as raised:
            channel.send(MESSAGE, None)
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None

    def test_a_limit_is_waited_for(self, channel: AlertChannel, peer: Peer, vendor: Vendor, clock: Clock) -> None:
        """As long as the other side asks for, and up to a second more."""
        vendor.failures = [Answer(429, "", {"Retry-After": "2"})]
        channel.send(MESSAGE, None)
        (wait,) = clock.waits
        assert 2 <= wait <= 3
        assert len(peer.shown()) == 1

    @pytest.mark.parametrize("seconds", ["30", "7200", "9" * 5_000, "soon", "-1"])
    def test_a_limit_that_lasts_longer_than_the_function_is_not_waited_for(
        self, channel: AlertChannel, vendor: Vendor, clock: Clock, seconds: str
    ) -> None:
        """The message returns to its queue at once."""
        vendor.failures = [Answer(429, "", {"Retry-After": seconds})]
        with pytest.raises(DeliveryError, match=self.error.format(status=429)):
            channel.send(MESSAGE, None)
        assert (len(vendor.requests), clock.waits) == (1, [])

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_error_is_repeated(
        self, channel: AlertChannel, peer: Peer, vendor: Vendor, clock: Clock, status: int
    ) -> None:
        """With increasing waits."""
        vendor.failures = [Answer(status), Answer(status)]
        channel.send(MESSAGE, None)
        assert len(clock.waits) == 2
        assert len(peer.shown()) == 1

    def test_a_server_error_that_lasts_is_a_failed_delivery(
        self, channel: AlertChannel, vendor: Vendor, clock: Clock
    ) -> None:
        """After a few tries, within the time limit."""
        vendor.failures = [Answer(500)] * 20
        with pytest.raises(DeliveryError, match=self.error.format(status=500)):
            channel.send(MESSAGE, None)
        assert 2 <= len(vendor.requests) <= 5
        assert clock.now <= self.max_seconds

    def test_limits_one_after_the_other_do_not_exceed_the_time(
        self, channel: AlertChannel, vendor: Vendor, clock: Clock
    ) -> None:
        """A function that times out returns neither the message nor the lock."""
        vendor.failures = [Answer(429, "", {"Retry-After": "4"})] * 20
        with pytest.raises(DeliveryError, match=self.error.format(status=429)):
            channel.send(MESSAGE, None)
        assert clock.waits
        assert clock.now <= self.max_seconds

    def test_a_response_that_does_not_come_is_a_failed_delivery(
        self, channel: AlertChannel, vendor: Vendor, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not waited for longer than one try may take. The message may be there twice after the next delivery."""
        monkeypatch.setattr(*self.timeout, 0.3)
        vendor.failures = [Answer(200, "ok", hang=1.0)] * 9
        with pytest.raises(DeliveryError):
            channel.send(MESSAGE, None)
        assert clock.now <= self.max_seconds

    @pytest.mark.parametrize("how", ["reset", "cut"])
    def test_a_response_that_is_cut_off_is_not_a_delivery(
        self, channel: AlertChannel, vendor: Vendor, clock: Clock, how: str
    ) -> None:
        """It may have been another one as a whole."""
        vendor.failures = [Answer(200, self.accepted, reset=how == "reset", cut=how == "cut")] * 9
        with pytest.raises(DeliveryError):
            channel.send(MESSAGE, None)
        assert clock.now <= self.max_seconds

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(
        self, channel: AlertChannel, vendor: Vendor, elsewhere: Vendor, status: int
    ) -> None:
        """The credentials or the message would go to another address."""
        address = f"http://127.0.0.1:{elsewhere.server.server_port}/"
        vendor.failures = [Answer(status, None, {"Location": address})]
        with pytest.raises(DeliveryError, match=self.error.format(status=status)):
            channel.send(MESSAGE, None)
        assert elsewhere.requests == []
        assert len(vendor.requests) == 1

    def test_a_response_that_is_too_long_is_not_read(self, channel: AlertChannel, vendor: Vendor) -> None:
        """The function has little memory."""
        vendor.failures = [Answer(200, f"{self.accepted}{' ' * TOO_LONG}")] * 9
        with pytest.raises(DeliveryError):
            channel.send(MESSAGE, None)

    @pytest.mark.parametrize("page", ["<html>Sign in</html>", "", "[]", "null", "{", "[" * 100_000])
    def test_the_page_of_a_proxy_is_not_a_delivery(self, channel: AlertChannel, vendor: Vendor, page: str) -> None:
        """It has status 200, too."""
        vendor.failures = [Answer(200, page)]
        with pytest.raises(DeliveryError):
            channel.send(MESSAGE, None)
