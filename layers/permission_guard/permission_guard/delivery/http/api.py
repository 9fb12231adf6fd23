"""A JSON API of a vendor: its address, its credentials, its limits and its errors.

Every request goes to the configured host. Credentials come from Secrets Manager at the time of the request. They are in
no log and no error: of a response, only short words are shown, and none that is a part of a credential.
"""

from __future__ import annotations

import json
import re
import time
from itertools import count
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode, urlsplit

from permission_guard.delivery.http.session import HttpError
from permission_guard.errors import ConfigurationError, DeliveryError, DeliveryLimitError, DeliveryUnclearError
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    from permission_guard.delivery.http.session import HttpResponse, HttpSession
    from permission_guard.model.targets import JSON

TIMEOUT = 5.0
"""Seconds for one try."""

MAX_SECONDS = 15.0
"""Seconds for all requests of one delivery, waits included, so that a batch of three ends within a timeout of 60 s."""

LONG_WAIT = 1_200.0
"""Seconds. A message is received five times, six minutes apart: a limit that lasts longer outlasts the retries."""

_RETRIES = 3
_LONGEST_WORDS = 200
_SHORTEST_SECRET = 5  # shorter parts, such as `com` of an e-mail address, are in many words
_UNKNOWN_WAIT = 60.0
_UNAUTHORIZED, _FORBIDDEN, _RATE_LIMITED, _SERVER_ERRORS = 401, 403, 429, 500
_REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})
"""Methods that can be repeated without a response. A POST may have been done: the next delivery searches first."""

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_RESET = re.compile(r"\d{10}", re.ASCII)  # a time, not a number of seconds to wait
_WORDS = re.compile(r"[^\w .,:;'()\[\]{}/-]")


class Credentials(Protocol):
    """The source of credentials, which are secrets."""

    def get(self) -> Mapping[str, str]:
        """Return the credentials by name; ConfigurationError when there are no valid ones."""

    def forget(self) -> None:
        """Drop the cached credentials, which no longer work; the next `get` reads them again."""


@record
class Reply:
    """A response of a vendor: its status, and its JSON, None without a body."""

    status: int
    content: JSON


class JsonApi:
    """The API of one vendor at one address.

    `authorize` makes the headers of a request from the credentials. `words` returns the vendor's own words in the JSON
    of an error. `clock` returns seconds.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        session: HttpSession,
        credentials: Credentials,
        *,
        authorize: Callable[[Mapping[str, str]], Mapping[str, str]],
        words: Callable[[JSON], str],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        require_https(base_url)
        self._service = service
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._credentials = credentials
        self._authorize = authorize
        self._words = words
        self._clock = clock
        self._wait = wait
        self._end = clock() + MAX_SECONDS

    def begin(self) -> None:
        """Begin a delivery: its requests share a time limit."""
        self._end = self._clock() + MAX_SECONDS

    def request(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        content: JSON = None,
        accept: frozenset[int] = frozenset(),
    ) -> Reply:
        """Send a request; return its response if its status is 2xx or in `accept`.

        `path` are its parts, which are quoted. DeliveryError for another status or without a response,
        DeliveryUnclearError if a POST may have been done all the same, and DeliveryLimitError for a limit that lasts
        longer than the retries of the queue.
        """
        url = "/".join([self._base_url, *(quote(part, safe="") for part in path)])
        url = f"{url}?{urlencode(query)}" if query else url
        body = None if content is None else json.dumps(content).encode()
        for tries in count():
            response, failure = self._try(method, url, body)
            if response is not None and (200 <= response.status < 300 or response.status in accept):  # noqa: PLR2004
                return self._reply(method, response)
            pause = _pause(response, tries)
            has_time = self._clock() + pause + 1 <= self._end
            if tries == _RETRIES or not has_time or not _may_repeat(method, response):
                self._fail(method, response, failure, pause)
            self._wait(pause)
        raise AssertionError  # pragma: no cover - `count` never ends

    def _try(self, method: str, url: str, body: bytes | None) -> tuple[HttpResponse | None, str]:
        """Return the response, or None and why there is none. DeliveryError if no time is left to send a request."""
        left = self._end - self._clock()
        if left <= 0:
            raise DeliveryError(f"{self._service} could not be reached: no time is left")
        headers = {"Accept": "application/json", "User-Agent": "permission-guard"}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= self._authorize(self._credentials.get())
        try:
            return self._session.request(method, url, headers=headers, body=body, timeout=min(TIMEOUT, left)), ""
        except HttpError as error:
            return None, str(error)

    def _reply(self, method: str, response: HttpResponse) -> Reply:
        content, is_json = _json(response.body)
        if response.body and not is_json and response.status < 300:  # noqa: PLR2004 - a proxy's page has 200, too
            error = DeliveryError if method in _REPEATABLE else DeliveryUnclearError
            raise error(f"{self._service} did not accept the ticket: its response is not JSON")
        return Reply(response.status, content)

    def _fail(self, method: str, response: HttpResponse | None, failure: str, pause: float) -> NoReturn:
        is_unclear = method not in _REPEATABLE and (response is None or response.status >= _SERVER_ERRORS)
        error = DeliveryUnclearError if is_unclear else DeliveryError
        if response is None:
            raise error(f"{self._service} could not be reached: {failure}")
        words = self._safe(self._words(_json(response.body)[0]))
        if response.status == _UNAUTHORIZED:
            self._credentials.forget()
        message = f"{self._service} did not accept the ticket: HTTP {response.status} {words}".rstrip()
        raise (DeliveryLimitError if _is_limit(response) and pause > LONG_WAIT else error)(message)

    def _safe(self, words: str) -> str:
        """Return a vendor's words without markup, and none that have a part of a credential."""
        shown = " ".join(_WORDS.sub(" ", words).split())[:_LONGEST_WORDS]
        credentials = self._credentials.get()
        values = [*credentials.values(), *self._authorize(credentials).values()]
        secrets = (part for value in values for part in (value, *_WORDS.sub(" ", value).split()))
        return "" if any(secret in shown for secret in secrets if len(secret) >= _SHORTEST_SECRET) else shown


def require_https(url: str) -> None:
    """Raise ConfigurationError unless a URL is `https`, with a host name and nothing that hides another host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError("TicketUrl is not a URL") from None
    host = parts.hostname or ""
    is_plain = parts.netloc.lower() == host and port is None and not parts.query and not parts.fragment
    if parts.scheme != "https" or not is_plain or not _HOST.fullmatch(host):
        raise ConfigurationError("TicketUrl must be https://<host>/..., without a user, a port, a query and a fragment")


def _may_repeat(method: str, response: HttpResponse | None) -> bool:
    """Return whether to send a request again: it was not done, or doing it twice does no harm."""
    if response is None:
        return method in _REPEATABLE
    return _is_limit(response) or (response.status >= _SERVER_ERRORS and method in _REPEATABLE)


def _is_limit(response: HttpResponse) -> bool:
    """Return whether a limit was reached. GitHub answers 403, too, with one of these headers.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if response.status == _RATE_LIMITED:
        return True
    headers = response.headers
    return response.status == _FORBIDDEN and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")


def _pause(response: HttpResponse | None, tries: int) -> float:
    """Return the seconds to wait before the next try: what the response asks for, or twice as long each time."""
    headers = {} if response is None else response.headers
    if response is not None and _SECONDS.fullmatch(after := headers.get("retry-after", "").strip()):
        return max(float(after), 0.5)
    if response is not None and _is_limit(response):
        reset = headers.get("x-ratelimit-reset", "").strip()
        if _RESET.fullmatch(reset):
            return max(float(reset) - time.time(), 0.5)
        return _UNKNOWN_WAIT
    return float(0.5 * 2**tries)


def _json(body: bytes) -> tuple[JSON, bool]:
    """Return what a body has as JSON, and whether it is JSON."""
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False
