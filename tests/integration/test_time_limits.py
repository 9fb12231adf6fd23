"""The time limit of a request is for all of it, in every client that posts to other systems."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.request import Request

import pytest
import requests

from permission_guard.delivery.alerts.apprise.transport import Transport
from permission_guard.delivery.alerts.slack.transport import Deadline, fetch
from permission_guard.delivery.http.httpx_session import HttpxSession
from permission_guard.delivery.http.session import HttpError
from tests.integration.test_http_session import DONE, SLOW_ANSWERS, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 0.6
NO_RESPONSE = (OSError, HTTPException, HttpError)  # a TimeoutError may have no text


def with_slack(url: str) -> str:
    """Send a request as the Slack channels do, and return the body."""
    return fetch(Request(url), Deadline(SECONDS)).body  # noqa: S310 - it is on loopback


def with_apprise(url: str) -> str:
    """Send a request as the Apprise channels do."""
    return Transport(time.monotonic() + SECONDS).request("GET", url.replace("http:", "https:")).text


def with_httpx(url: str) -> str:
    """Send a request as the ticket systems do."""
    return HttpxSession().request("GET", url, headers={}, body=None, timeout=SECONDS).body.decode()


@pytest.fixture(params=[with_slack, with_apprise, with_httpx])
def get(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a client that gets an address on loopback without TLS."""
    original = requests.adapters.HTTPAdapter.send

    def send(adapter: Any, prepared: Any, **options: Any) -> Any:
        prepared.url = prepared.url.replace("https:", "http:")
        return original(adapter, prepared, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    client: Callable[[str], str] = request.param
    return client


def resolved(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""

    def resolve(_host: str, port: int, *_others: Any, **_options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    original = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *others, **options: (resolve if host == "several.example" else original)(host, *others, **options),
    )


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port of 127.0.0.2 and others, at which a connection is neither accepted nor refused."""
    with ExitStack() as opened:
        listeners = [opened.enter_context(socket.socket()) for _ in range(3)]
        listeners[0].bind(("127.0.0.2", 0))
        port: int = listeners[0].getsockname()[1]
        for number, listener in enumerate(listeners[1:], 3):
            listener.bind((f"127.0.0.{number}", port))
        for listener in listeners:
            listener.listen(0)
            for _ in range(3):  # the queue is full then
                waiting = opened.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        yield port


def test_all_addresses_of_a_host_share_it(
    get: Callable[[str], str], silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three addresses that do not answer take no longer than one."""
    resolved(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    began = time.monotonic()
    with pytest.raises(NO_RESPONSE):
        get(f"http://several.example:{silent_port}/")
    assert 0.4 < time.monotonic() - began < 2 * SECONDS


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    get: Callable[[str], str], silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of IPv6 may without a route."""
    resolved(monkeypatch, "127.0.0.2", "127.0.0.9")
    with Server([DONE], host="127.0.0.9", port=silent_port):
        assert get(f"http://several.example:{silent_port}/") == "{}"


@pytest.mark.parametrize("answer", SLOW_ANSWERS)
def test_every_part_of_a_response_shares_it(get: Callable[[str], str], answer: list[bytes]) -> None:
    """However often the other side sends something."""
    with Server(answer, pause=0.05) as server:
        began = time.monotonic()
        with pytest.raises(NO_RESPONSE):
            get(server.url)
        assert 0.4 < time.monotonic() - began < 2 * SECONDS
