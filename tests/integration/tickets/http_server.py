"""An HTTP server on loopback that answers as a vendor does, and fails as servers do; and a session that reaches it."""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from permission_guard.delivery.http.httpx_session import HttpxSession
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from permission_guard.delivery.http.session import HttpResponse


@record
class Request:
    """A request as the server got it. The names of `headers` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: Any


@record
class Answer:
    """What the server sends: a status, JSON or other text, and headers.

    `hang` are seconds to wait before it. `reset` resets the connection in the middle of the body, and `cut` closes it
    there. `drip` are seconds to wait after each byte. `is_done` is whether the request is done, but a failure is sent.
    """

    status: int
    content: Any = None
    headers: Mapping[str, str] | None = None
    hang: float = 0.0
    reset: bool = False
    cut: bool = False
    drip: float = 0.0
    is_done: bool = False


class Vendor:
    """The vendor's side. `answer` handles requests; a failure is sent instead of the next answer it applies to.

    `times` are when the requests came, in seconds since 1970.
    """

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.times: list[float] = []
        self.failures: list[Answer] = []
        self.fails: Callable[[Request], bool] = lambda _request: True

    def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        self.times.append(time.time())
        if self.failures and self.fails(request):
            failure = self.failures.pop(0)
            if failure.is_done:
                self._answer(request)
            return failure
        return self._answer(request)

    @property
    def url(self) -> str:
        """Return the address on loopback."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        self.server = _Server(self)
        self._thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, vendor: Vendor) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vendor = vendor

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error of a handler, unless the client closed the connection: it reads no long response."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a response is one packet

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        answer = self.server.vendor.respond(
            Request(
                self.command,
                unquote(url.path),
                dict(parse_qsl(url.query)),
                {name.lower(): value for name, value in self.headers.items()},
                _content(body, self.headers.get_content_type()),
            )
        )
        time.sleep(answer.hang)
        self._send(answer)

    do_GET = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815 - the names that the base class calls

    def _send(self, answer: Answer) -> None:
        text = answer.content if isinstance(answer.content, str) else json.dumps(answer.content)
        body = b"" if answer.content is None else text.encode()
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json"} if body else {}
        for name, value in (headers | dict(answer.headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + 1_000 * (answer.reset or answer.cut)))
        self.end_headers()
        for part in (body[index : index + 1] for index in range(len(body))) if answer.drip else (body,):
            self.wfile.write(part)
            self.wfile.flush()
            time.sleep(answer.drip)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = self.close_connection or answer.reset or answer.cut

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the method it overrides
        pass


def _content(body: bytes, kind: str) -> Any:
    """Return a body as JSON, or the fields of a form."""
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    return json.loads(body) if body else None


class LoopbackSession:
    """The deployed session, which sends requests for one `https` address to the server on loopback instead."""

    def __init__(self, base_url: str, vendor: Vendor) -> None:
        self._base_url = base_url
        self._vendor = vendor
        self._session = HttpxSession()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        assert url.startswith(f"{self._base_url}/"), url
        local = f"{self._vendor.url}{url.removeprefix(self._base_url)}"
        return self._session.request(method, local, headers=headers, body=body, timeout=timeout)


class Secret:
    """Credentials that count the calls of `forget`."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.forgotten = 0

    def get(self) -> Mapping[str, str]:
        return self.values

    def forget(self) -> None:
        self.forgotten += 1
