"""Post to a Slack incoming webhook: a few tries, within a Lambda function's time, and never a word of the URL.

Imported only where something is sent, since slack_sdk loads its whole Web API along with the webhook client.

The URL is a secret that slack_sdk writes to its log and that urllib carries in its errors. So the client gets a logger
of its own that is off, and what went wrong leaves here as a value, not as an exception with a chain behind it.
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
"""Seconds for one try to connect, and again to answer."""

PATIENCE = 15.0
"""Seconds for all tries together, waiting included: a batch of three then ends within a function timeout of 60 s."""

_RETRIES = 3
_OK = 200
_SERVER_ERRORS = 500
_RATE_LIMITED = 429

# What Slack answers with: `invalid_payload`, `channel_is_archived`, `No service`. Anything else (a proxy's page, an
# address) is not repeated.
_SLACK_WORDS = re.compile(r"[A-Za-z][a-z_ ]{1,59}")


@record
class Answer:
    """What came of a post: the HTTP status, None when there was no answer, and Slack's word or the kind of failure."""

    status: int | None
    words: str

    @property
    def accepted(self) -> bool:
        """Whether Slack has the message: any page has status 200, but only Slack says ok."""
        return self.status == _OK and self.words == "ok"

    def __str__(self) -> str:
        return self.words if self.status is None else f"HTTP {self.status} {self.words}".rstrip()


class _Deadline:
    """The moment after which nothing more is tried."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def allows(self, wait: float) -> bool:
        """Tell whether there is time to wait and then try once more."""
        return self._clock() + wait + TIMEOUT <= self._at


class _RateLimitHandler(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks for, unless that is longer than the function has."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, response: HttpResponse | None = None, **_others: Any) -> bool:
        if response is None or response.status_code != _RATE_LIMITED:
            return False
        wait = _retry_after(response)
        return wait is not None and self._deadline.allows(wait + 1)  # slack_sdk adds up to a second


class _ServerErrorHandler(ServerErrorRetryHandler):
    """Retries every 5xx: a gateway's 502 and 504 pass as well."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, state: RetryState, response: HttpResponse | None = None, **_others: Any) -> bool:
        failed = response is not None and response.status_code >= _SERVER_ERRORS
        return failed and self._deadline.allows(_longest(state))


class _ConnectionHandler(ConnectionErrorRetryHandler):
    """Retries what never became an answer."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(max_retry_count=_RETRIES)
        self._deadline = deadline

    def _can_retry(self, *, state: RetryState, **others: Any) -> bool:
        return super()._can_retry(state=state, **others) and self._deadline.allows(_longest(state))


def post(url: str, payload: dict[str, JSON], patience: float = PATIENCE) -> Answer:
    """Post a message and return what came of it; nothing is raised, since urllib's errors tell the URL."""
    silent = logging.Logger("slack", level=logging.CRITICAL + 1)  # noqa: LOG001 - outside the tree, so nothing turns it on
    client = WebhookClient(url, timeout=TIMEOUT, logger=silent, retry_handlers=_handlers(patience))
    try:
        response = client.send_dict(payload)
    except Exception as error:  # noqa: BLE001 - whichever it is, its text and its chain may hold the URL
        return Answer(None, type(error).__name__)
    return Answer(response.status_code, _words(response.body, url))


def _handlers(patience: float) -> list[RetryHandler]:
    deadline = _Deadline(patience, time.monotonic)
    return [_RateLimitHandler(deadline), _ServerErrorHandler(deadline), _ConnectionHandler(deadline)]


def _longest(state: RetryState) -> float:
    """Return the longest that slack_sdk waits before the next try: half a second, doubled each time, and one more."""
    return float(0.5 * 2**state.current_attempt + 1)


def _retry_after(response: HttpResponse) -> int | None:
    """Return the seconds that Slack asks to wait, None when it does not say so in a number."""
    for name, values in response.headers.items():
        if name.lower() == "retry-after" and values and values[0].strip().isdecimal():
            return int(values[0])
    return None


def _words(body: str, url: str) -> str:
    """Return Slack's short answer, nothing when it is something else."""
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
        answer = json.loads(text)
    except ValueError:
        return ""
    return "ok" if answer.get("ok") is True else str(answer.get("error", ""))
