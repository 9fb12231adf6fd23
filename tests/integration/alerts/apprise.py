"""What Apprise's services send to, on loopback: every HTTPS request of `requests` gets to one server.

Fixtures of what each vendor accepts and answers, from their documentation, without anything of the vendors' software:

- Microsoft Teams workflows: https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook
- Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook
- Google Chat: https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages
- Telegram: https://core.telegram.org/bots/api#sendmessage
- ntfy: https://docs.ntfy.sh/publish/#publish-as-json
- Apprise's JSON: https://appriseit.com/services/json/

PagerDuty and Opsgenie have published specifications, with which tests/conformance validates what is sent.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import requests.adapters

from tests.integration.alerts.contract import Shown
from tests.integration.tickets.http_server import Answer, Vendor

if TYPE_CHECKING:
    from types import TracebackType

    import pytest

    from tests.integration.tickets.http_server import Request

SECRET: Final = "Zx9QsecretZx9Q"
URLS: Final = {
    "workflows": f"workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64/{SECRET}",
    "discord": f"discord://417429632418316298/{SECRET}",
    "gchat": f"gchat://space/{SECRET}/{SECRET}",
    "tgram": f"tgram://123456789:{SECRET}{SECRET}/12315544/",
    "ntfys": f"ntfys://user:{SECRET}@ntfy.example.com/alerts",
    "jsons": f"jsons://user:{SECRET}@hooks.example.com/path",
    "pagerduty": f"pagerduty://{SECRET.ljust(32, 'a')}@{SECRET.ljust(20, 'b')}",
    "opsgenie": f"opsgenie://{SECRET.ljust(36, 'c')}",
}
"""A URL of each service that may be used."""

HOSTS: Final = {
    "workflows": "prod-1.westus.logic.azure.com:443",
    "discord": "discord.com",
    "gchat": "chat.googleapis.com",
    "tgram": "api.telegram.org",
    "ntfys": "ntfy.example.com",
    "jsons": "hooks.example.com",
    "pagerduty": "events.pagerduty.com",
    "opsgenie": "api.opsgenie.com",
}
"""Where each of them must send to."""

_MENTIONS = re.compile(r"(?<!\w)@(?:everyone|here|channel|\w+)|<[@!#][^>]*>|<users/[^>]*>|<at>")
_LINKS = re.compile(r"https?://\S+|www\.\S+|\[[^\]]*\]\([^)]*\)")
_CODE = re.compile(r"```\n.*?\n```|<pre>.*?</pre>", re.DOTALL)


class AppriseServices:
    """The servers of all services. `hosts` are where the requests were meant to go."""

    def __init__(self) -> None:
        self.vendor = Vendor(self.answer)
        self.hosts: list[str] = []
        self.messages: list[Shown] = []

    def lead_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Send every HTTPS request of `requests` to this server, and note its host."""
        original = requests.adapters.HTTPAdapter.send

        def send(adapter: Any, request: Any, **options: Any) -> Any:
            parts = urlsplit(request.url)
            assert (parts.scheme, options["verify"]) == ("https", True)
            self.hosts.append(parts.netloc)
            request.url = parts._replace(scheme="http", netloc=f"127.0.0.1:{self.vendor.server.server_port}").geturl()
            return original(adapter, request, **options)

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)

    def answer(self, request: Request) -> Answer:
        """Accept what the service of the request's host accepts."""
        accept = _ACCEPTED[self.hosts[-1]]
        if request.method != "POST":
            return Answer(405)
        text = accept(request.content)
        if text is None:
            return Answer(400, {"message": "invalid"})
        self.messages.append(_shown(text))
        return Answer(202 if self.hosts[-1] in ("events.pagerduty.com", "api.opsgenie.com") else 200, _OK)

    def shown(self) -> list[Shown]:
        """Return every message that was accepted."""
        return self.messages

    def __enter__(self) -> Self:
        self.vendor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vendor.__exit__(kind, error, trace)


_OK: Final = {"ok": True, "status": "success", "result": "Request will be processed", "requestId": "1", "id": "1"}


def _teams(content: Any) -> str | None:
    (attachment,) = content["attachments"]
    if content["type"] != "message" or attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        return None
    size = len(json.dumps(content).encode())
    texts = [text for block in attachment["content"]["body"] for text in _texts(block)]
    return "\n".join(texts) if size <= 28_000 else None


def _texts(block: dict[str, Any]) -> list[str]:
    found = [block["text"]] if "text" in block else []
    for name in ("items", "columns", "body"):
        found += [text for inner in block.get(name, ()) for text in _texts(inner)]
    return found


def _discord(content: Any) -> str | None:
    text = content.get("content", "")
    return text if 0 < len(text) <= 2_000 and "allow_mentions" not in content else None


def _google(content: Any) -> str | None:
    return content["text"] if 0 < len(content["text"].encode()) <= 32_000 else None


def _telegram(content: Any) -> str | None:
    text, mode = content["text"], content.get("parse_mode")
    if not 0 < len(text) <= 4_096 or mode not in ("HTML", "html"):
        return None
    tags = set(re.findall(r"</?(\w+)", text)) - {"b", "i", "u", "s", "a", "code", "pre"}
    return None if tags else unescape(text)


def _ntfy(content: Any) -> str | None:
    return f"{content.get('title', '')}\n{content['message']}" if len(content["message"].encode()) <= 4_096 else None


def _json(content: Any) -> str | None:
    is_valid = content.keys() >= {"version", "title", "message", "type"}
    return f"{content['title']}\n{content['message']}" if is_valid else None


def _pagerduty(content: Any) -> str | None:
    return json.dumps(content, ensure_ascii=False)


_ACCEPTED: Final = {
    HOSTS["workflows"]: _teams,
    HOSTS["discord"]: _discord,
    HOSTS["gchat"]: _google,
    HOSTS["tgram"]: _telegram,
    HOSTS["ntfys"]: _ntfy,
    HOSTS["jsons"]: _json,
    HOSTS["pagerduty"]: _pagerduty,
    HOSTS["opsgenie"]: _pagerduty,
}


def _shown(text: str) -> Shown:
    text = text.replace("\r\n", "\n")
    prose = _CODE.sub("", text)
    return Shown(text=text, mentions=tuple(_MENTIONS.findall(prose)), links=tuple(_LINKS.findall(prose)))
