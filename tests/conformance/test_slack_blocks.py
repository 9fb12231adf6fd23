"""Slack's messages, against a schema made from its type declarations, and the bot's requests against its API."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from permission_guard.delivery.alerts.slack.bot import SlackBot
from permission_guard.delivery.alerts.slack.mentions import mention
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.finding_messages import compose
from permission_guard.model.findings import Transition
from tests.conformance.prism_server import Prism
from tests.conformance.swagger import BLOCKS, DOCUMENT, answer, check
from tests.integration.alerts.contract import MESSAGES
from tests.integration.alerts.http_contract import TextSecret
from tests.integration.alerts.slack_api import CONVERSATION, TOKEN, SlackWorkspace
from tests.integration.tickets.http_server import Request, Vendor
from tests.unit.delivery.examples import OPENED, PROPOSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.delivery.message import Message

OWNERS = {"alice": "U0123ABCD", "payments": "S0123ABCD"}


@pytest.mark.parametrize("case", MESSAGES)
def test_every_message_is_valid_block_kit(case: str) -> None:
    """The cases include every kind of finding, hostile text and very long text."""
    jsonschema.validate({"blocks": payload(MESSAGES[case])["blocks"]}, BLOCKS)


@pytest.mark.parametrize("owner", OWNERS)
def test_a_mention_is_valid_block_kit(owner: str) -> None:
    """Of a user and of a user group."""
    message = replace(compose(OPENED), owner=owner)
    element = mention(message, OWNERS)
    assert element is not None
    jsonschema.validate({"blocks": payload(message, element)["blocks"]}, BLOCKS)


@pytest.fixture(scope="module")
def prism() -> Iterator[Prism]:
    """Prism with Slack's document."""
    with Vendor(answer) as vendor, Prism(DOCUMENT, vendor.url) as started:
        yield started


def test_every_request_of_the_bot_is_one_of_slacks_api(prism: Prism) -> None:
    """First messages of every kind, replies, updates, and a reply that the channel sees."""
    reopened = compose(replace(OPENED, revision=3, transition=Transition.REOPENED))
    with (peer := SlackWorkspace()).vendor as vendor:
        bot = SlackBot(TextSecret(TOKEN), CONVERSATION, name="payments", owners=OWNERS, base_url=peer.url)
        for message in MESSAGES.values():
            follow(bot, message, message)
        follow(bot, replace(compose(OPENED), owner="alice"), compose(PROPOSED), replace(reopened, owner="payments"))
        assert {check(request, prism) for request in vendor.requests} == {"chat_postMessage", "chat_update"}
        assert any(request.content.get("reply_broadcast") for request in vendor.requests)


def follow(bot: SlackBot, *messages: Message) -> None:
    """Send messages about one finding."""
    reference = None
    for message in messages:
        reference = bot.send(message, reference)
        assert reference is not None


VALID: dict[str, Any] = {"channel": CONVERSATION, "text": "x", "blocks": [{"type": "divider"}]}


@pytest.mark.parametrize(
    ("method", "content", "finds"),
    [
        ("chat.postMessage", {"text": "x", "blocks": []}, "must have required property 'channel'"),
        ("chat.postMessage", {**VALID, "channel": None}, "None"),
        ("chat.postMessage", {**VALID, "reply_broadcast": "yes"}, "body.reply_broadcast"),
        ("chat.postMessage", {**VALID, "client_msg_id": "x"}, "client_msg_id"),
        (
            "chat.postMessage",
            {**VALID, "blocks": [{"type": "rich_text", "elements": [{"type": "text"}]}]},
            "On instance[",
        ),
        ("chat.update", VALID, "must have required property 'ts'"),
        ("chat.update", {**VALID, "ts": 1.5}, "1.5"),
        ("chat.update", {**VALID, "ts": "1.5", "unfurl_links": False}, "unfurl_links"),
        ("chat.postmessage", VALID, "no path matched"),
    ],
)
def test_a_wrong_request_is_found(prism: Prism, method: str, content: dict[str, Any], finds: str) -> None:
    """Otherwise the tests above would prove nothing."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    check(Request("POST", "/api/chat.postMessage", {}, headers, VALID), prism)
    with pytest.raises((AssertionError, jsonschema.ValidationError), match=re.escape(finds)):
        check(Request("POST", f"/api/{method}", {}, headers, content), prism)
