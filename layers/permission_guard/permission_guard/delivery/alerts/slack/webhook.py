"""Post to a Slack incoming webhook: with retries, within the function's timeout, and without exposing the URL.

Imported only when a message is sent, because slack_sdk loads its whole Web API along with the webhook client.

The URL is a secret that slack_sdk writes to its log and that urllib includes in its errors. So the client has its own
logger, which is off, and failures are returned as values: a raised error would carry its chain along.
"""

from __future__ import annotations

import json
import logging
import re
import time
from typing import TYPE_CHECKING, Any

from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.webhook import WebhookClient

from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from slack_sdk.http_retry.handler import RetryHandler
    from slack_sdk.http_retry.response import HttpResponse
    from slack_sdk.http_retry.state import RetryState

    from permission_guard.model.targets import JSON

TIMEOUT = 5
"""Seconds for one try to connect, and again for its response."""

MAX_SECONDS = 15.0
"""Seconds for all tries together, waits included, so that a batch of three ends within a function timeout of 60 s."""

_RETRIES = 3
_OK = 200
_SERVER_ERRORS = 500
_RATE_LIMITED = 429

# Slack's responses: `invalid_payload`, `channel_is_archived`, `No service`. Anything else, such as a proxy's page or an
# address, is not logged.
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_SLACK_WORDS = re.compile(r"[A-Za-z][a-z_ ]{1,59}")


@record
class PostResult:
    """The result of a post: the HTTP status, None without a response, and Slack's words or the type of the error."""

    status: int | None
    words: str

    @property
    def accepted(self) -> bool:
        """Whether Slack accepted the message: other servers also return 200, but only Slack returns `ok`."""
        return self.status == _OK and self.words == "ok"

    def __str__(self) -> str:
        return self.words if self.status is None else f"HTTP {self.status} {self.words}".rstrip()


class _Deadline:
    """The time after which there are no more tries."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def allows(self, wait: float) -> bool:
        """Return whether there is time to wait and then try once more."""
        return self._clock() + wait + TIMEOUT <= self._at


class _RateLimitHandler(RateLimitErrorRetryHandler):
    """Waits as long as Slack requests, if the deadline allows it."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, response: HttpResponse | None = None, **_others: Any) -> bool:
        if response is None or response.status_code != _RATE_LIMITED:
            return False
        wait = _retry_after(response)
        return wait is not None and self._deadline.allows(wait + 1)  # slack_sdk adds up to a second


class _ServerErrorHandler(ServerErrorRetryHandler):
    """Retries every 5xx: a gateway's 502 and 504 are temporary too."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, state: RetryState, response: HttpResponse | None = None, **_others: Any) -> bool:
        failed = response is not None and response.status_code >= _SERVER_ERRORS
        return failed and self._deadline.allows(_longest(state))


class _ConnectionHandler(ConnectionErrorRetryHandler):
    """Retries requests that got no response."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, state: RetryState, **others: Any) -> bool:
        return super()._can_retry(state=state, **others) and self._deadline.allows(_longest(state))


def post(url: str, payload: dict[str, JSON], max_seconds: float = MAX_SECONDS) -> PostResult:
    """Post a message and return the result. Raise nothing: urllib's errors contain the URL."""
    silent = logging.Logger("slack", level=logging.CRITICAL + 1)  # noqa: LOG001 - outside the tree, so nothing enables it
    client = WebhookClient(url, timeout=TIMEOUT, logger=silent, retry_handlers=_handlers(max_seconds))
    try:
        response = client.send_dict(payload)
    except Exception as error:  # noqa: BLE001 - the text and the chain of any error may contain the URL
        return PostResult(None, type(error).__name__)
    return PostResult(response.status_code, _words(response.body, url))


def _handlers(max_seconds: float) -> list[RetryHandler]:
    deadline = _Deadline(max_seconds, time.monotonic)
    return [_RateLimitHandler(deadline), _ServerErrorHandler(deadline), _ConnectionHandler(deadline)]


def _longest(state: RetryState) -> float:
    """Return the longest wait of slack_sdk before the next try: half a second, doubled each time, plus one second."""
    return float(0.5 * 2**state.current_attempt + 1)


def _retry_after(response: HttpResponse) -> int | None:
    """Return the seconds to wait that Slack's response gives, None without a number."""
    for name, values in response.headers.items():
        if name.lower() == "retry-after" and values and _SECONDS.fullmatch(values[0].strip()):
            return int(values[0])
    return None


def _words(body: str, url: str) -> str:
    """Return Slack's short response, or an empty string for any other response."""
    words = body.strip()
    if words.startswith("{"):
        words = _from_json(words)
    if not _SLACK_WORDS.fullmatch(words):
        return ""
    parts_of_url = re.split(r"[/?#]", url)
    return "" if any(word in parts_of_url for word in words.split()) else words


def _from_json(text: str) -> str:
    """Return the word in a JSON object such as `{"ok": false, "error": "invalid_blocks"}`."""
    try:
        response = json.loads(text)
    except ValueError:
        return ""
    return "ok" if response.get("ok") is True else str(response.get("error", ""))
