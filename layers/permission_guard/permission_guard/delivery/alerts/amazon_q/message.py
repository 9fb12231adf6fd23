"""A message as a custom notification for Amazon Q Developer in chat applications, which was AWS Chatbot.

Its `client-markdown` is that of the chat: Slack's mrkdwn or that of Microsoft Teams. They have no common escape, so
what would act in one of them is replaced by a character that looks alike, or broken by a zero-width space. An address
is a line of its own, of which both make a link.
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.blocks import blocks, joined_within
from permission_guard.delivery.formats.plain import fact_text
from permission_guard.delivery.message import Link, SectionStyle
from permission_guard.delivery.text import cut, one_line
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.delivery.message import Fact, Message, Section
    from permission_guard.model.targets import JSON

MAX_TITLE: Final = limits.AMAZON_Q_TITLE_CHARACTERS
MAX_DESCRIPTION: Final = limits.AMAZON_Q_DESCRIPTION_CHARACTERS

_LONGEST_KEYWORD: Final = 75
_LONGEST_SECTION: Final = MAX_DESCRIPTION // 4
_BREAK: Final = "\u200b"
_LOOK_ALIKES: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'", "*": "\u2217", "~": "\u223c"})
_IN_CODE: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'"})

# A mention, an address, an image or a link, an emoji, an entity, and a heading.
_ACTS: Final = re.compile(r"@|:(?=//)|www(?=\.)|\](?=\()|(?<![\w:]):(?=[\w+-]+:(?!\w))|&(?=#?\w+;)|^#")
_ITALIC: Final = re.compile(r"(?<!\w)_|_(?!\w)")
_ENTITY: Final = re.compile(r"&(?=#?\w+;)")
_CHANGED_IN_CODE: Final = re.compile(r"[<>`]|&#?\w+;")


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
                "description": _description(message),
                "keywords": _keywords(message),
            },
            "metadata": _metadata(message, thread),
        },
        ensure_ascii=False,
    )


def literal(text: str) -> str:
    """Return prose that chats show as it is: without mentions, links, emojis and formatting."""
    return _ITALIC.sub("\u02cd", _ACTS.sub(rf"\g<0>{_BREAK}", text.translate(_LOOK_ALIKES)))


def _description(message: Message) -> str:
    """Return the blocks of a message that fit, in bytes: no chat counts more of them."""
    rest = literal(f"More: {message.rest}" if message.rest else "Shortened.")
    parts = [*blocks(message, _ClientMarkdown(message.rest), _LONGEST_SECTION)]
    return joined_within(parts, MAX_DESCRIPTION, lambda _omitted: rest, len(f"\n\n{rest}".encode()))


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


class _ClientMarkdown:
    def __init__(self, rest: str) -> None:
        self._rest = rest

    def line(self, text: str) -> str:
        return f"*{literal(text)}*"

    def facts(self, facts: Sequence[Fact]) -> str:
        return "\n".join(line for fact in facts for line in _lines(fact))

    def section(self, section: Section) -> str:
        heading = f"*{literal(section.title)}*"
        if section.style is SectionStyle.PROSE:
            return f"{heading}\n{literal(section.text)}"
        if section.style is SectionStyle.LISTING:
            return f"{heading}\n```\n{_ENTITY.sub(f'&{_BREAK}', section.text.translate(_IN_CODE))}\n```"
        if _CHANGED_IN_CODE.search(section.text):  # a command that a chat changes does something else
            return f"{heading}\n{literal(f'A chat cannot show this command as it is. {self._rest}'.rstrip())}"
        return f"{heading}\n```\n{section.text}\n```"


def _lines(fact: Fact) -> list[str]:
    urls = [part.url for part in fact.parts if isinstance(part, Link)]
    return [f"{literal(fact.label)}: {literal(fact_text(fact))}", *urls]
