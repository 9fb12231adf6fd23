"""The HTTP session with httpx, from the layer of the senders. Import it only when a request is sent.

The only module that knows the library: see docs/decisions/0045.
"""

from __future__ import annotations

import logging
import time
import weakref
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from permission_guard.delivery.http.bounded import shares
from permission_guard.delivery.http.session import MAX_BODY, HttpError, HttpResponse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping


class HttpxSession:
    """Sends one request at a time and keeps the connection between the invocations of a function."""

    def __init__(self) -> None:
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)  # below, they log addresses and headers
        self._network = _Network()
        self._client = httpx.Client(
            transport=_Transport(self._network),
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        weakref.finalize(self, self._client.close)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """Send a request and return its response, whatever its status. HttpError without a whole response."""
        self._network.end = time.monotonic() + timeout
        try:
            with self._client.stream(method, url, headers=headers, content=body, timeout=timeout) as response:
                return HttpResponse(response.status_code, dict(response.headers), _body(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            failed = type(error).__name__
        raise HttpError(failed)  # outside the handler: the library's errors have the address, and would be chained


def _body(response: httpx.Response) -> bytes:
    """Return the body as it was sent: what is compressed without being asked for may have any size."""
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_BODY:
            raise HttpError("the response is too long")
    return bytes(body)


class _Transport(httpx.HTTPTransport):
    """The transport of httpx with a network of our own: its own time limits are for each operation, not for all."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context)
        self._pool = httpcore.ConnectionPool(ssl_context=context, max_connections=1, network_backend=network)


class _Network(httpcore.NetworkBackend):
    """Connections whose operations all end at `end`, a time of the monotonic clock. Name resolution has no limit."""

    def __init__(self) -> None:
        self.end = 0.0
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError("the host has no address")
        try:
            for (address, its_port), seconds in shares(host, port, lambda: self._limit(timeout)):
                try:
                    stream = self._network.connect_tcp(address, its_port, seconds, local_address, socket_options)
                    return _Stream(stream, self._limit)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failed = error
        except OSError as error:
            failed = httpcore.ConnectError(type(error).__name__)
        raise failed

    def _limit(self, timeout: float | None) -> float:
        """Return the seconds for an operation, which are at most those that are left. ReadTimeout if none are."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return min(left, timeout or left)


class _Stream(httpcore.NetworkStream):
    """A connection. `limit` returns the seconds for an operation, given those that httpcore allows it."""

    def __init__(self, stream: httpcore.NetworkStream, limit: Callable[[float | None], float]) -> None:
        self._stream = stream
        self._limit = limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._limit(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._limit(timeout)), self._limit)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
