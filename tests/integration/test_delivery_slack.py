"""The Slack channel against a local web server that responds as Slack does, and as broken servers do."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.alerts.slack import transport
from permission_guard.delivery.alerts.slack.channel import SlackChannel
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.slack.webhook import PostResult, post
from permission_guard.delivery.finding_messages import compose
from permission_guard.errors import DeliveryError
from permission_guard.model.findings import Finding
from tests.integration.alerts.http_contract import Clock, HttpAlertChannelContract, TextSecret
from tests.integration.alerts.slack import WEBHOOK_PATH, SlackWebhook, slack_clock
from tests.paths import FINDINGS
from tests.unit.delivery.examples import APPLIED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.delivery.alerts.channel import AlertChannel
    from tests.integration.tickets.http_server import Vendor

OPENED = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
SECRET_PATH = "services/T0000/B0000/Zx9Qsecret"


class Slack(ThreadingHTTPServer):
    """A server that sends prepared responses in order, and records what was posted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.responses: list[tuple[int, dict[str, str], str]] = []
        self.posted: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET_PATH}"

    def respond(self, status: int, body: str = "", **headers: str) -> None:
        self.responses.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, body))


class _Handler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.posted.append((self.path, json.loads(self.rfile.read(length))))
        self._respond()

    def do_GET(self) -> None:
        self._respond()

    def _respond(self) -> None:
        status, headers, body = self.server.responses.pop(0)
        if status == 0:  # close the connection without a response
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the method it overrides
        pass


class Url:
    """A URL that counts the calls of `forget`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.forgotten = 0

    def get(self) -> str:
        return self.url

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """Serve on a free port of the loopback interface."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Slack() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that slack_sdk would have slept."""
    slept: list[float] = []
    for module in ("handler", "builtin_handlers"):
        monkeypatch.setattr(f"slack_sdk.http_retry.{module}.time", SimpleNamespace(sleep=slept.append))
    return slept


def test_a_finding_is_posted_once(slack: Slack, naps: list[float]) -> None:
    """The body is the payload, as JSON."""
    slack.respond(200, "ok")
    SlackChannel(Url(slack.url)).send(compose(OPENED), None)
    assert slack.posted == [(f"/{SECRET_PATH}", payload(compose(OPENED)))]
    assert naps == []


def test_a_rate_limit_is_retried_after_the_time_that_slack_requests(slack: Slack, naps: list[float]) -> None:
    """The second try is delivered."""
    slack.respond(429, "rate_limited", Retry_After="2")
    slack.respond(200, "ok")
    SlackChannel(Url(slack.url)).send(compose(OPENED), None)
    assert len(slack.posted) == 2
    assert len(naps) == 1
    assert 2 <= naps[0] <= 3


@pytest.mark.parametrize("retry_after", ["3600", "9" * 5_000, "soon", "-1", ""])
def test_a_wait_that_is_too_long_or_not_a_number_is_not_retried(
    slack: Slack, naps: list[float], retry_after: str
) -> None:
    """The function would time out; the message returns to its queue instead."""
    slack.respond(429, "rate_limited", Retry_After=retry_after)
    with pytest.raises(DeliveryError, match="HTTP 429 rate_limited"):
        SlackChannel(Url(slack.url)).send(compose(OPENED), None)
    assert naps == []


def test_a_rate_limit_without_a_wait_is_not_retried(slack: Slack) -> None:
    """Its duration is unknown."""
    slack.respond(429, "")
    assert post(slack.url, {"text": "x"}) == PostResult(429, "")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_retried(slack: Slack, naps: list[float], status: int) -> None:
    """With increasing waits."""
    slack.respond(status, "server_error")
    slack.respond(status, "server_error")
    slack.respond(200, "ok")
    SlackChannel(Url(slack.url)).send(compose(OPENED), None)
    assert len(naps) == 2


def test_a_server_error_that_lasts_is_a_failed_delivery(slack: Slack, naps: list[float]) -> None:
    """After three retries."""
    for _ in range(4):
        slack.respond(500, "rollup_error")
    with pytest.raises(DeliveryError, match="HTTP 500 rollup_error"):
        SlackChannel(Url(slack.url)).send(compose(OPENED), None)
    assert len(slack.posted) == 4


def test_there_is_no_retry_after_the_deadline(slack: Slack, naps: list[float]) -> None:
    """A function that times out returns neither the message nor the lock."""
    slack.respond(500, "server_error")
    assert post(slack.url, {"text": "x"}, max_seconds=transport.TIMEOUT + 0.5).status == 500
    assert naps == []


def test_a_closed_connection_is_retried(slack: Slack, naps: list[float]) -> None:
    """There was no response."""
    slack.respond(0)
    slack.respond(200, "ok")
    SlackChannel(Url(slack.url)).send(compose(OPENED), None)
    assert len(naps) == 1


def test_an_unreachable_server_is_a_failed_delivery(naps: list[float]) -> None:
    """The message stays in its queue."""
    with Slack() as server:
        url = server.url
    with pytest.raises(DeliveryError, match="Slack did not accept the message: URLError"):
        SlackChannel(Url(url)).send(compose(OPENED), None)
    assert len(naps) == 3


@pytest.mark.parametrize(
    ("status", "words", "is_forgotten"),
    [
        (400, "invalid_payload", False),
        (400, "invalid_blocks", False),
        (403, "action_prohibited", True),
        (404, "channel_not_found", True),
        (404, "no_service", True),
        (404, "No service", True),
        (410, "channel_is_archived", True),
    ],
)
def test_the_error_has_slacks_words_and_a_stale_url_is_read_again(
    slack: Slack, naps: list[float], status: int, words: str, *, is_forgotten: bool
) -> None:
    """The retry uses a rotated secret."""
    slack.respond(status, words)
    url = Url(slack.url)
    with pytest.raises(DeliveryError, match=f"^Slack did not accept the message: HTTP {status} {words}$"):
        SlackChannel(url).send(compose(OPENED), None)
    assert bool(url.forgotten) is is_forgotten
    assert naps == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"ok": true}', "ok"),
        ("ok\n", "ok"),
        ('{"ok": false, "error": "invalid_blocks"}', "invalid_blocks"),
        ('{"ok": "yes"}', ""),
        ("{not json", ""),
        ("<html>Sign in to the proxy</html>", ""),
        ("see http://127.0.0.1/services/T0000", ""),
        ("services", ""),
        ("", ""),
    ],
)
def test_only_slacks_ok_is_a_delivery(slack: Slack, body: str, words: str) -> None:
    """A proxy's page also has status 200; its text is not shown."""
    slack.respond(200, body)
    result = post(slack.url, {"text": "x"})
    assert result == PostResult(200, words)
    assert result.accepted is (words == "ok")


def test_a_redirect_is_not_a_delivery(slack: Slack) -> None:
    """Urllib would follow it with a GET, without the message."""
    slack.respond(302, "", Location="/elsewhere")
    with pytest.raises(DeliveryError, match="HTTP 302"):
        SlackChannel(Url(slack.url)).send(compose(OPENED), None)


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:1/{SECRET_PATH}",
        f"ftp://hooks.slack.com/{SECRET_PATH}",
        f"http://127.0.0.1:99999/{SECRET_PATH}",
        f"http://[half/{SECRET_PATH}",
        f"http://127.0.0.1:1/{SECRET_PATH}\n",
    ],
)
def test_the_url_is_in_no_error_and_in_no_log(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """slack_sdk logs it and urllib's errors contain it; anyone who has it can post."""
    monkeypatch.setenv("NO_PROXY", "*")
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as raised:
        SlackChannel(Url(url)).send(compose(OPENED), None)
    logged = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert "Zx9Qsecret" not in logged
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


def test_an_unreadable_response_is_a_failed_delivery(slack: Slack) -> None:
    """The message stays in its queue."""
    slack.respond(400, "ä", Content_Type="text/plain; charset=ascii")
    assert post(slack.url, {"text": "x"}) == PostResult(None, "UnicodeDecodeError")


class TestSlackWebhook(HttpAlertChannelContract):
    """The webhook passes what every channel passes."""

    timeout = (transport, "TIMEOUT")
    stale = frozenset({401, 403, 404, 410})

    @pytest.fixture
    def peer(self) -> Iterator[SlackWebhook]:
        """Serve a webhook."""
        webhook = SlackWebhook()
        with webhook.vendor:
            yield webhook

    @pytest.fixture
    def vendor(self, peer: SlackWebhook) -> Vendor:
        """Return the server."""
        return peer.vendor

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Let the time pass as slack_sdk waits."""
        return slack_clock(monkeypatch)

    @pytest.fixture
    def secret(self, peer: SlackWebhook) -> TextSecret:
        """Return the webhook's URL."""
        return TextSecret(peer.url, WEBHOOK_PATH, "Zx9QsecretZx9Q")

    @pytest.fixture
    def channel(self, secret: TextSecret) -> SlackChannel:
        """Return the channel under test."""
        return SlackChannel(secret)

    def test_a_message_has_no_reference(self, channel: AlertChannel) -> None:
        """A webhook's response has no message id."""
        assert channel.send(compose(OPENED), "the reference of another channel") is None

    def test_the_owner_is_mentioned(self, peer: SlackWebhook, secret: TextSecret) -> None:
        """When a finding is opened, by the configuration's id."""
        channel = SlackChannel(secret, name="ops", owners={"payments-team": "S0123ABCD"})
        for message in (compose(OPENED), compose(APPLIED)):
            channel.send(replace(message, owner="payments-team"), None)
        assert [one.mentions for one in peer.shown()] == [("S0123ABCD",), ()]
        assert channel.name == "ops"
