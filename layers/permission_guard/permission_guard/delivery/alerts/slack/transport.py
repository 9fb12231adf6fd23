"""Requests to Slack: within a time limit, with retries, and without following a redirect.

Imported only when a message is sent, because slack_sdk takes longer to load than the rest of the cold start.

slack_sdk writes addresses to its log, reads a response of any length, and follows a redirect with all headers: a token
would go to another address. So its clients here have a logger that is off, and `fetch` instead of its transport.
"""

from __future__ import annotations

import io
import logging
import re
import time
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    UnknownHandler,
)

from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)

from permission_guard.delivery.http.bounded import BoundedConnection, BoundedSecureConnection
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse
    from urllib.request import Request

    from slack_sdk.http_retry.handler import RetryHandler
    from slack_sdk.http_retry.response import HttpResponse as RetriedResponse
    from slack_sdk.http_retry.state import RetryState

TIMEOUT = 5.0
"""Seconds for one try: to connect, to send and to read the whole response."""

MAX_SECONDS = 15.0
"""Seconds for all tries of a delivery, waits included, so that a batch of three ends within a timeout of 60 s."""

MAX_BODY = 1_000_000
"""The most bytes of a response that are read: Slack repeats the message in it."""

_CHUNK = 16_384
_RETRIES = 3
_SERVER_ERRORS = 500
_RATE_LIMITED = 429
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


class Deadline:
    """The time after which there are no more tries."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def allows(self, wait: float) -> bool:
        """Return whether there is time to wait and then try once more."""
        return time.monotonic() + wait + TIMEOUT <= self._at

    def timeout(self) -> float:
        """Return the seconds for one try. TimeoutError if no time is left."""
        left = min(TIMEOUT, self._at - time.monotonic())
        if left <= 0:
            raise TimeoutError
        return left


@record
class Fetched:
    """A whole response with a status below 300."""

    status: int
    headers: Mapping[str, str]
    body: str


def fetch(request: Request, deadline: Deadline) -> Fetched:
    """Send a request and return its response.

    HTTPError for a status of 300 and above, with its body in it. OSError or HTTPException without a whole response.
    """
    opener = OpenerDirector()  # without a handler for redirects, and without one for files
    for handler in _HANDLERS:
        opener.add_handler(handler())
    timeout = deadline.timeout()
    try:
        response: HTTPResponse = opener.open(request, timeout=timeout)
    except HTTPError as error:
        with error:
            body = _read(error.fp, deadline)  # type: ignore[arg-type] # it is the response
        # slack_sdk reads the body of an error: it must be a bounded one.
        raise HTTPError(error.url, error.code, error.msg, error.headers, io.BytesIO(body)) from None
    with response:
        charset = response.headers.get_content_charset() or "utf-8"
        return Fetched(response.status, dict(response.headers.items()), _read(response, deadline).decode(charset))


def handlers(deadline: Deadline) -> list[RetryHandler]:
    """Return what decides about a next try, for a client of slack_sdk."""
    return [_RateLimitHandler(deadline), _ServerErrorHandler(deadline), _ConnectionHandler(deadline)]


def silent_logger() -> logging.Logger:
    """Return a logger that is off: slack_sdk's messages have addresses in them."""
    return logging.Logger("slack", level=logging.CRITICAL + 1)  # noqa: LOG001 - outside the tree, so nothing enables it


class _HttpHandler(HTTPHandler):
    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(BoundedConnection, request)


class _HttpsHandler(HTTPSHandler):
    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(BoundedSecureConnection, request)


_HANDLERS = (ProxyHandler, UnknownHandler, _HttpHandler, _HttpsHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor)


def _read(response: HTTPResponse, deadline: Deadline) -> bytes:
    """Return the whole body. OSError if it is too long or takes too long, IncompleteRead if it is cut off."""
    read = bytearray()
    while chunk := response.read1(_CHUNK):
        read += chunk
        if len(read) > MAX_BODY:
            raise OSError("the response is too long")
        deadline.timeout()
    if response.length:
        raise IncompleteRead(b"", response.length)
    return bytes(read)


class _RateLimitHandler(RateLimitErrorRetryHandler):
    """Waits as long as Slack requests, if the deadline allows it."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, response: RetriedResponse | None = None, **_others: Any) -> bool:
        if response is None or response.status_code != _RATE_LIMITED:
            return False
        wait = _retry_after(response)
        return wait is not None and self._deadline.allows(wait + 1)  # slack_sdk adds up to a second


class _ServerErrorHandler(ServerErrorRetryHandler):
    """Retries every 5xx: a gateway's 502 and 504 are temporary too."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, state: RetryState, response: RetriedResponse | None = None, **_others: Any) -> bool:
        failed = response is not None and response.status_code >= _SERVER_ERRORS
        return failed and self._deadline.allows(_longest(state))


class _ConnectionHandler(ConnectionErrorRetryHandler):
    """Retries requests that got no response."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, state: RetryState, **others: Any) -> bool:
        return super()._can_retry(state=state, **others) and self._deadline.allows(_longest(state))


def _longest(state: RetryState) -> float:
    """Return the longest wait of slack_sdk before the next try: half a second, doubled each time, plus one second."""
    return float(0.5 * 2**state.current_attempt + 1)


def _retry_after(response: RetriedResponse) -> int | None:
    """Return the seconds to wait that Slack's response gives, None without a number."""
    for name, values in response.headers.items():
        if name.lower() == "retry-after" and values and _SECONDS.fullmatch(values[0].strip()):
            return int(values[0])
    return None
