"""How Apprise's requests are sent: within a time limit, with retries, and only where the URL of the target leads.

Apprise's services call `requests`, which follows redirects, uses the proxies and the passwords of the environment, and
reads a response of any length for any time. `bounded` has them call `Transport` meanwhile: Apprise has no setting for
it. It also learns the status, of which Apprise returns only whether it was a good one.
"""

from __future__ import annotations

import io
import logging
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import requests
import requests.api
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from permission_guard.delivery.http.bounded import BoundedConnection, connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

TIMEOUT = 5.0
"""Seconds for one try: to connect, to send and to read the whole response."""

MAX_SECONDS = 15.0
"""Seconds for all requests of a delivery, waits included, so that a batch of three ends within a timeout of 60 s."""

MAX_BODY: Final = 1_000_000
_CHUNK: Final = 16_384
_RETRIES: Final = 3
_RATE_LIMITED: Final = 429
_SERVER_ERRORS: Final = 500
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_PASSED_ON: Final = frozenset({"params", "data", "json", "headers", "auth"})
_LOGGERS: Final = ("apprise", "urllib3", "urllib3.connectionpool", "urllib3.util.retry", "requests")
"""What they log has addresses, which are secrets."""


class Transport:
    """Sends requests until a time. `outcome` says what became of the last one, and `status` is that of its response."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._failed = False
        self.status: int | None = None
        self.outcome = "no request was sent"

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request and return its whole response, whatever its status. RequestException without one."""
        if not url.lower().startswith("https://"):
            self._note("it does not use https")
            raise requests.ConnectionError("only https is used")
        if self._failed:  # some services have retries of their own, with pauses of their own
            raise requests.ConnectionError("an earlier request failed")
        for tries in range(_RETRIES + 1):
            try:
                response = self._try(method, url, {key: options[key] for key in _PASSED_ON & options.keys()})
            except requests.RequestException as error:
                self._note(type(error).__name__)
                pause = self._pause(None, tries)
                if pause is None:
                    self._failed = True
                    raise
            else:
                self._note(f"HTTP {response.status_code}", response.status_code)
                pause = self._pause(response, tries)
                if pause is None:
                    self._failed = not response.ok
                    return response
            time.sleep(pause)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _try(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no .netrc
            for scheme in ("https://", "http://"):
                session.mount(scheme, _Adapter())
            left = min(TIMEOUT, self._left())
            received = session.request(
                method, url, timeout=left, allow_redirects=False, verify=True, stream=True, **options
            )
            body = bytearray()
            for chunk in received.iter_content(_CHUNK):
                body += chunk
                self._left()
                if len(body) > MAX_BODY:
                    raise requests.exceptions.ContentDecodingError("the response is too long")
        response = requests.Response()
        response.status_code, response.headers, response.reason = received.status_code, received.headers, ""
        response.encoding, response.raw = received.encoding, io.BytesIO(bytes(body))
        return response

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise requests.Timeout("no time is left")
        return left

    def _pause(self, response: requests.Response | None, tries: int) -> float | None:
        """Return the seconds to wait before the next try, None if there is none."""
        status = _SERVER_ERRORS if response is None else response.status_code
        if tries == _RETRIES or (status != _RATE_LIMITED and status < _SERVER_ERRORS):
            return None
        pause = 0.5 * 2**tries
        if response is not None and status == _RATE_LIMITED:
            after = response.headers.get("Retry-After", "").strip()
            if not _SECONDS.fullmatch(after):
                return None
            pause = max(float(after), 0.5)
        return pause if time.monotonic() + pause + TIMEOUT <= self._end else None

    def _note(self, outcome: str, status: int | None = None) -> None:
        self.outcome, self.status = outcome, status


class _Connection(BoundedConnection, HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            return connect(self.host, self.port, self.left)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no time is left") from error
        except OSError as error:
            raise NewConnectionError(self, type(error).__name__) from error


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Connections with one time limit for all of a request."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


def deadline() -> float:
    """Return the time until which a delivery that begins now may last."""
    return time.monotonic() + MAX_SECONDS


@contextmanager
def bounded(end: float) -> Iterator[Transport]:
    """Have the services of Apprise call a transport, and write nothing to any log, until the block ends."""
    transport = Transport(end)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    disabled = [logger.disabled for logger in loggers]
    original = requests.request
    for logger in loggers:
        logger.disabled = True
    sender: Any = transport.request
    requests.request = requests.api.request = sender
    try:
        yield transport
    finally:
        requests.request = requests.api.request = original
        for logger, was_disabled in zip(loggers, disabled, strict=True):
            logger.disabled = was_disabled
