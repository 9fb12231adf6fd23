"""A message as a custom notification for Amazon Q Developer in chat applications, which was AWS Chatbot.

Its `client-markdown` is that of the chat: Slack's mrkdwn or that of Microsoft Teams.
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.chat import chat, literal
from permission_guard.delivery.text import cut, one_line
from permission_guard.model import limits

if TYPE_CHECKING:
    from permission_guard.delivery.message import Message
    from permission_guard.model.targets import JSON

MAX_TITLE: Final = limits.AMAZON_Q_TITLE_CHARACTERS
MAX_DESCRIPTION: Final = limits.AMAZON_Q_DESCRIPTION_CHARACTERS

_LONGEST_KEYWORD: Final = 75


def notification(message: Message, thread: str) -> str:
    """Return a message as the JSON of a custom notification. Those of one `thread` are replies to the first one."""
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "id": one_line(message.key, 256),
            "content": {
                "textType": "client-markdown",
                "title": cut(literal(message.headline), MAX_TITLE),
                "description": description(message),
                "keywords": _keywords(message),
            },
            "metadata": _metadata(message, thread),
        },
        ensure_ascii=False,
    )


def description(message: Message) -> str:
    """Return the text that the chat shows under the title."""
    return chat(message, MAX_DESCRIPTION)


def _keywords(message: Message) -> list[JSON]:
    """Return the words under a notification: how severe, which rules, and where."""
    names = ("rule_id", "account", "region")
    values = [value for name in names for value in message.attributes.get(name, ())]
    severity = [str(message.severity)] if message.severity else []
    return [
        cut(literal(one_line(value, _LONGEST_KEYWORD)), _LONGEST_KEYWORD) for value in (*severity, *values) if value
    ]


def _metadata(message: Message, thread: str) -> dict[str, JSON]:
    """Return what is not shown, but for the summary. No button is added: it would run a command of somebody else."""
    first = next(iter(message.attributes.get("transition", ())), message.title)
    return {
        **({"threadId": thread} if thread else {}),
        "summary": cut(literal(message.line), MAX_TITLE),
        "eventType": cut(literal(one_line(first, MAX_TITLE)), MAX_TITLE),
        "relatedResources": [one_line(message.group, MAX_TITLE)] if message.findings else [],
        "additionalContext": {
            name: ", ".join(one_line(value, MAX_TITLE) for value in values)
            for name, values in message.attributes.items()
        },
        "enableCustomActions": False,
    }
