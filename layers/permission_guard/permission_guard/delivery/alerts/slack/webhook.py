"""Post to a Slack incoming webhook: with retries, within the function's timeout, and without exposing the URL.

Imported only when a message is sent, because slack_sdk loads its whole Web API along with the webhook client.

The URL is a secret that urllib includes in its errors. So failures are returned as values: a raised error would carry
its chain along.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from slack_sdk.webhook import WebhookClient, WebhookResponse

from permission_guard.delivery.alerts.slack.transport import MAX_SECONDS, Deadline, fetch, handlers, silent_logger
from permission_guard.records import record

if TYPE_CHECKING:
    from urllib.request import Request

    from permission_guard.model.targets import JSON

_OK = 200

# Slack's responses: `invalid_payload`, `channel_is_archived`, `No service`. Anything else, such as a proxy's page or an
# address, is not logged.
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


class _Client(WebhookClient):
    def __init__(self, url: str, deadline: Deadline) -> None:
        super().__init__(url, logger=silent_logger(), retry_handlers=handlers(deadline))
        self._deadline = deadline

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        fetched = fetch(req, self._deadline)
        return WebhookResponse(url=url, status_code=fetched.status, body=fetched.body, headers=dict(fetched.headers))


def post(url: str, payload: dict[str, JSON], max_seconds: float = MAX_SECONDS) -> PostResult:
    """Post a message and return the result. Raise nothing: urllib's errors contain the URL."""
    try:
        response = _Client(url, Deadline(max_seconds)).send_dict(payload)
    except Exception as error:  # noqa: BLE001 - the text and the chain of any error may contain the URL
        return PostResult(None, type(error).__name__)
    return PostResult(response.status_code, _words(response.body, url))


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
    except (ValueError, RecursionError):
        return ""
    return "ok" if response.get("ok") is True else str(response.get("error", ""))
