"""The HTTP session as deployed, against a server on loopback."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from permission_guard.delivery.http import httpx_session
from permission_guard.delivery.http.httpx_session import HttpxSession
from permission_guard.delivery.http.session import HttpError, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

SECRET = "xoxb-0123456789"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """A server that sends the given bytes, part by part, for each request; the parts are `pause` seconds apart."""

    def __init__(
        self,
        *answers: Sequence[bytes],
        pause: float = 0.0,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._address = host, port
        self._answers = list(answers)
        self._pause = pause
        self._tls = tls
        self._over = Event()
        self.requests: list[str] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(self._address)
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}/{SECRET}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.clear()
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            with suppress(OSError):
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                self.connections += 1
                with connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True) as opened:
                    while self._answer(opened):
                        pass
            if not self._answers:
                return

    def _answer(self, connection: socket.socket) -> bool:
        """Answer a request. False if there is none, or none will be answered any more."""
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            part = connection.recv(65_536)
            if not part:
                return False
            request += part
        self.requests.append(request.decode())
        for part in self._answers.pop(0):
            connection.sendall(part)
            self._over.wait(self._pause)
        return bool(self._answers)


@pytest.fixture
def session() -> HttpxSession:
    """Return the session as deployed."""
    return HttpxSession()


def get(session: HttpxSession, url: str, *, timeout: float = 5.0) -> HttpResponse:
    """Send a request with a secret in its address and its headers."""
    return session.request("GET", url, headers={"Authorization": SECRET}, body=None, timeout=timeout)


def slowly(text: bytes) -> Iterator[bytes]:
    """Return the single bytes of a text."""
    return (text[index : index + 1] for index in range(len(text)))


SLOW_ANSWERS = [
    pytest.param(list(slowly(DONE)), id="headers"),
    pytest.param([DONE[:17], *(b"X-%d: 1\r\n" % count for count in range(90))], id="many headers"),
    pytest.param([DONE.replace(b": 2", b": 50") + b" ", *slowly(b" " * 49)], id="body"),
    pytest.param([DONE[:17] + b"Transfer-Encoding: chunked\r\n\r\n", *slowly(b"0" * 60)], id="chunk"),
]
"""Responses each of whose parts takes no time, and all of them too long."""


def test_a_response_has_its_status_its_headers_and_its_body(session: HttpxSession) -> None:
    """Headers by their names in lower case. The connection is used again."""
    answer = b"HTTP/1.1 404 Not Found\r\nX-RateLimit-Reset: 7\r\nContent-Length: 3\r\n\r\n[1]"
    with Server([answer], [DONE]) as server:
        found = get(session, server.url)
        assert get(session, server.url) == HttpResponse(200, {"content-length": "2"}, b"{}")
    assert found == HttpResponse(404, {"x-ratelimit-reset": "7", "content-length": "3"}, b"[1]")
    assert server.connections == 1


@pytest.mark.parametrize("answer", [*SLOW_ANSWERS, pytest.param([b""] * 60, id="nothing")])
def test_the_time_limit_is_for_the_whole_response(session: HttpxSession, answer: list[bytes]) -> None:
    """However often the other side sends something."""
    with Server(answer, pause=0.05) as server:
        began = time.monotonic()
        with pytest.raises(HttpError, match="ReadTimeout"):
            get(session, server.url, timeout=0.5)
        assert 0.4 < time.monotonic() - began < 1.5


def test_a_response_that_is_too_long_is_none(session: HttpxSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rest is not read: the next request has a connection of its own."""
    monkeypatch.setattr(httpx_session, "MAX_BODY", 1_000)
    long = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    with Server([long % 1_001, b" " * 1_001], [long % 1_000, b" " * 1_000]) as server:
        with pytest.raises(HttpError, match="the response is too long"):
            get(session, server.url)
        assert len(get(session, server.url).body) == 1_000
    assert server.connections == 2


def test_a_body_is_not_decompressed(session: HttpxSession) -> None:
    """No compression is asked for, and a short body could become one of any length."""
    body = gzip.compress(b" " * 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with Server([head + body]) as server:
        assert get(session, server.url).body == body
    assert "accept-encoding: identity\r\n" in server.requests[0].lower()


def test_no_cookie_is_kept(session: HttpxSession) -> None:
    """A session of the other side would outlive the credentials."""
    answer = DONE.replace(b"Content-Length", b"Set-Cookie: sid=1; Path=/\r\nContent-Length")
    with Server([answer], [DONE]) as server:
        get(session, server.url)
        get(session, server.url)
    assert "cookie" not in server.requests[1].lower()


def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither proxies nor a netrc file, which would replace the credentials."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Server([DONE]) as server:
        assert get(HttpxSession(), server.url).status == 200
    assert f"authorization: {SECRET}\r\n" in server.requests[0].lower()


def test_a_redirect_is_a_response(session: HttpxSession) -> None:
    """The credentials would go to another address."""
    with Server([b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"]) as server:
        assert get(session, server.url).status == 307
    assert len(server.requests) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[], ssl.SSLContext]:
    """Return a function that makes a server's TLS with a certificate for 127.0.0.1 that nobody trusts."""

    def made() -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        valid = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        file = tmp_path / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + valid.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    return made


def test_a_certificate_that_nobody_trusts_is_rejected(
    session: HttpxSession, certificate: Callable[[], ssl.SSLContext]
) -> None:
    """Nothing is sent."""
    with Server([DONE], tls=certificate()) as server, pytest.raises(HttpError, match="ConnectError"):
        get(session, server.url)
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"], "ReadTimeout", id="half a body"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], "RemoteProtocolError", id="another protocol"),
    ],
)
def test_a_failure_and_the_log_name_neither_the_address_nor_the_headers(
    session: HttpxSession, caplog: pytest.LogCaptureFixture, answer: list[bytes], expected: str
) -> None:
    """Only the type of the library's error, which is not chained."""
    caplog.set_level(logging.DEBUG)
    with Server(answer, [DONE]) as server:
        with pytest.raises(HttpError) as failure:
            get(session, server.url, timeout=0.5)
        get(session, server.url)
    assert str(failure.value) == expected
    assert (failure.value.__cause__, failure.value.__context__) == (None, None)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "https://[half", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"]
)
def test_an_address_without_a_server_is_a_failure(session: HttpxSession, url: str) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(HttpError) as failure:
        get(session, url)
    assert url not in str(failure.value)
