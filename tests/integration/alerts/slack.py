"""Slack's incoming webhook, and how Slack shows a message.

There is no published specification of the webhook. From the documentation:
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any

from permission_guard.delivery.alerts.slack import transport
from tests.integration.alerts.contract import Shown
from tests.integration.alerts.http_contract import Clock
from tests.integration.tickets.http_server import Answer, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.integration.tickets.http_server import Request

WEBHOOK_PATH = "services/T0000/B0000/Zx9QsecretZx9Q"

_MENTIONS = {"user": "user_id", "usergroup": "usergroup_id", "broadcast": "range", "channel": "channel_id"}
_ELEMENTS = {"text", "link", "date", "user", "usergroup"}


def slack_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the time of Slack's clients pass only while slack_sdk waits."""
    clock = Clock()
    monkeypatch.setattr(transport, "time", clock)
    for module in ("handler", "builtin_handlers"):
        monkeypatch.setattr(f"slack_sdk.http_retry.{module}.time", clock)
    return clock


class SlackWebhook:
    """One webhook, and the messages in its channel."""

    def __init__(self) -> None:
        self.messages: list[Shown] = []
        self.vendor = Vendor(self.answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.vendor.server.server_port}/{WEBHOOK_PATH}"

    def answer(self, request: Request) -> Answer:
        if request.path != f"/{WEBHOOK_PATH}":
            return Answer(404, "no_service")
        if request.method != "POST" or not isinstance(request.content, dict):
            return Answer(400, "invalid_payload")
        if request.content.keys() - {"text", "blocks", "unfurl_links", "unfurl_media"}:
            return Answer(400, "invalid_payload")
        if problem := problem_of(request.content):
            return Answer(400, problem)
        self.messages.append(shown(request.content))
        return Answer(200, "ok")

    def shown(self) -> list[Shown]:
        return self.messages


def problem_of(content: dict[str, Any]) -> str:
    """Return Slack's word for what is wrong with a message, empty for a valid one."""
    text, blocks = content["text"], content["blocks"]
    assert "ts" in content or content["unfurl_links"] is content["unfurl_media"] is False
    if not text or units(text) > 4_000:
        return "msg_too_long" if text else "no_text"
    if not 0 < len(blocks) <= 50 or units(json.dumps(blocks, ensure_ascii=False)) > 40_000:
        return "msg_blocks_too_long"
    return "" if all(map(_is_valid, blocks)) else "invalid_blocks"


def shown(content: dict[str, Any]) -> Shown:
    """Return a message as its readers see it. The header and the text of the notification have entities."""
    parts = [part for block in content["blocks"] for part in _parts(block)]
    header = "".join(block["text"]["text"] for block in content["blocks"] if block["type"] == "header")
    markup = [content["text"], header]
    mentions = [part[_MENTIONS[part["type"]]] for part in parts if part["type"] in _MENTIONS]
    mentions += [found for text in markup for found in re.findall(r"<[!@#][^>]*>", text)]
    links = [part["url"] for part in parts if part["type"] == "link"]
    links += [found for text in markup for found in re.findall(r"<(?![!@#])[^>]*>", text)]
    texts = [unescape(header), *(part.get("text", part.get("fallback", "")) for part in parts)]
    return Shown(text="\n".join(_joined(texts)), mentions=tuple(mentions), links=tuple(links))


def units(text: str) -> int:
    """Return the length in UTF-16 units, as Slack's clients count it."""
    return len(text.encode("utf-16-le")) // 2


def _joined(texts: list[str]) -> Iterator[str]:
    yield from "".join(f"{texts[0]}\n{''.join(texts[1:])}").split("\n")


def _parts(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the elements of a block's text."""
    for element in block.get("elements", ()):
        if element["type"] in ("rich_text_section", "rich_text_preformatted"):
            yield from _parts(element)
        else:
            yield element


def _is_valid(block: dict[str, Any]) -> bool:
    if block["type"] == "header":
        text = block["text"]
        return bool(text["type"] == "plain_text" and 0 < units(text["text"]) <= 150)
    if block["type"] != "rich_text" or not block["elements"]:
        return False
    return all(part["type"] in _ELEMENTS and 0 < units(part.get("text", "-")) <= 3_000 for part in _parts(block))
