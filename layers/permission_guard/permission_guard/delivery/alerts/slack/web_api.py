"""Call Slack's Web API: with retries, within a time limit for all calls of a delivery, and without exposing the token.

Imported only when a message is sent, as `transport` is.

The token is a header of every request, and slack_sdk's errors have the request. So failures are returned as values: a
raised error would carry its chain along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from permission_guard.delivery.alerts.slack.transport import MAX_SECONDS, Deadline, fetch, handlers, silent_logger
from permission_guard.records import record

if TYPE_CHECKING:
    from urllib.request import Request

    from permission_guard.model.targets import JSON

_OK: Final = 200
_ERROR: Final = re.compile(r"[a-z][a-z_]{1,59}")


@record
class Answer:
    """The answer to a call: its HTTP status, None without one, and its content.

    `error` is Slack's word, such as `not_in_channel`, or the type of the error without a response; empty if Slack did
    what was asked, or gave no such word.
    """

    status: int | None
    error: str
    content: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        """Whether Slack did what was asked: other servers also return 200, but only Slack returns `ok`."""
        return self.status == _OK and self.content.get("ok") is True

    def __str__(self) -> str:
        return self.error if self.status is None else f"HTTP {self.status} {self.error}".rstrip()


class WebApi:
    """The Web API for one delivery: its calls share a time limit."""

    def __init__(self, token: str, base_url: str, max_seconds: float = MAX_SECONDS) -> None:
        self._token = token
        self._client = _Client(token, base_url, Deadline(max_seconds))

    def call(self, method: str, **arguments: JSON) -> Answer:
        """Call a method such as `chat.postMessage`. Raise nothing: slack_sdk's errors contain the token."""
        try:
            response = self._client.api_call(method, json=arguments)
        except SlackApiError as error:
            response = error.response
        except Exception as error:  # noqa: BLE001 - the text and the chain of any error may contain the token
            return Answer(None, type(error).__name__, {})
        content = response.data if isinstance(response.data, Mapping) else {}
        return Answer(response.status_code, self._word(content.get("error")), content)

    def _word(self, error: object) -> str:
        """Return Slack's word for an error, empty for anything else: a proxy could repeat the token."""
        is_word = isinstance(error, str) and _ERROR.fullmatch(error) and error not in self._token
        return str(error) if is_word else ""


class _Client(WebClient):
    def __init__(self, token: str, base_url: str, deadline: Deadline) -> None:
        super().__init__(token, base_url, logger=silent_logger(), retry_handlers=handlers(deadline))
        self._deadline = deadline

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:  # noqa: ARG002 - it is in the request
        fetched = fetch(req, self._deadline)
        return {"status": fetched.status, "headers": fetched.headers, "body": fetched.body}
