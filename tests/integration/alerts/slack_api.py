"""The methods of Slack's Web API that the bot calls: https://docs.slack.dev/reference/methods.

Whatever goes wrong, Slack answers with status 200 and a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.records import record
from tests.integration.alerts.slack import problem_of, shown
from tests.integration.tickets.http_server import Answer, Vendor

if TYPE_CHECKING:
    from tests.integration.alerts.contract import Shown
    from tests.integration.tickets.http_server import Request

TOKEN = "xoxb-1234567890-1234567890123-Zx9QsecretZx9Qsecret"
CONVERSATION = "C0123ABCD"

_SHOWN = {"channel", "text", "blocks", "parse"}
_ARGUMENTS = {
    "chat.postMessage": {*_SHOWN, "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"},
    "chat.update": {*_SHOWN, "ts"},
}


@record(kw_only=True)
class Posted:
    """A message in the channel. `thread` is the timestamp of the message that it replies to, empty if it does not."""

    shown: Shown
    thread: str = ""
    is_broadcast: bool = False


class SlackWorkspace:
    """A workspace with one channel, and what people do there."""

    def __init__(self) -> None:
        self.messages: dict[str, Posted] = {}
        self.accepted: list[Shown] = []
        self.refusals: dict[str, str] = {}
        self.vendor = Vendor(self.answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.vendor.server.server_port}/api/"

    @property
    def top(self) -> list[Posted]:
        """Return the messages that are no replies."""
        return [one for one in self.messages.values() if not one.thread]

    def replies(self, timestamp: str) -> list[Posted]:
        """Return the replies to a message."""
        return [one for one in self.messages.values() if one.thread == timestamp]

    def shown(self) -> list[Shown]:
        return self.accepted

    def delete(self, timestamp: str) -> None:
        """Delete a message as a person does."""
        del self.messages[timestamp]

    def answer(self, request: Request) -> Answer:
        method = request.path.removeprefix("/api/")
        error = self._error(method, request)
        if error:
            return Answer(200, {"ok": False, "error": error})
        self.accepted.append(shown(request.content))
        return Answer(200, {"ok": True, "channel": CONVERSATION, **self._done(method, request.content)})

    def _error(self, method: str, request: Request) -> str:
        """Return Slack's word for what is wrong with a request, empty for a valid one."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return "invalid_auth"
        if request.method != "POST" or not request.headers["content-type"].startswith("application/json"):
            return "invalid_post_type"
        if method not in _ARGUMENTS:
            return "unknown_method"
        if request.content.keys() - _ARGUMENTS[method] or request.content["parse"] != "none":
            return "invalid_arguments"
        return self.refusals.get(method, "") or self._lost(request.content) or problem_of(request.content)

    def _lost(self, content: dict[str, Any]) -> str:
        if content["channel"] != CONVERSATION:
            return "channel_not_found"
        if content.get("ts", "") not in {"", *self.messages}:
            return "message_not_found"
        return "thread_not_found" if content.get("thread_ts", "") not in {"", *self.messages} else ""

    def _done(self, method: str, content: dict[str, Any]) -> dict[str, Any]:
        if method == "chat.update":
            timestamp = content["ts"]
            thread = self.messages[timestamp].thread
        else:
            timestamp = f"17000000{len(self.accepted):02}.000100"
            thread = content.get("thread_ts", "")
        self.messages[timestamp] = Posted(
            shown=self.accepted[-1], thread=thread, is_broadcast=content.get("reply_broadcast", False)
        )
        return {"ts": timestamp, "message": {"text": content["text"], "ts": timestamp, "blocks": content["blocks"]}}
